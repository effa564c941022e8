/**
 * Monotonic time in whole nanoseconds since some moment of this process; only differences mean anything. Governance counts in
 * integers because its rules truncate (governance.md 0); as a number they stay exact for 104 days.
 */
export type ClockNs = () => number;

export const monotonicNs: ClockNs = () => Number(process.hrtime.bigint() - originNs);
const originNs = process.hrtime.bigint();

export const millisecondNs = 1_000_000;
export const secondNs = 1_000_000_000;
/** "Never", as a moment: longer ago than any span that is asked about. */
export const never = Number.NEGATIVE_INFINITY;
