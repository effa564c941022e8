/** CLOCK_MONOTONIC in µs: all processes of a machine read the same, so stamps of the server and of whoever stops it may be compared. */
export const nowUs = (): number => Number(process.hrtime.bigint()) / 1_000;
