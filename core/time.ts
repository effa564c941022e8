import { setTimeout as sleep } from 'node:timers/promises';

/** Monotonic milliseconds; only differences mean anything. */
export type Clock = () => number;

export const monotonic: Clock = () => Number(process.hrtime.bigint() - originNs) / 1e6;
const originNs = process.hrtime.bigint();

/**
 * The one clock of a run: wall-clock nanoseconds that never jump. CLOCK_MONOTONIC is shared by all processes of a machine, so
 * processes that are handed the same offset agree on the time to the microsecond.
 */
export type RunClock = { epochOffsetNs: bigint; nowNs: () => bigint; nowMs: () => number };

export function runClock(epochOffsetNs: bigint = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint()): RunClock {
  const nowNs = () => process.hrtime.bigint() + epochOffsetNs;
  return { epochOffsetNs, nowNs, nowMs: () => Number(nowNs() / 1_000n) / 1_000 };
}

/** Polls until `probe` answers something truthy; throws `describe()` as an error when `timeoutMs` have passed or `signal` fires first. */
export async function waitUntil<T>(
  {
    timeoutMs,
    everyMs = 20,
    signal,
    describe,
  }: { timeoutMs: number; everyMs?: number; signal?: AbortSignal | undefined; describe: () => string },
  probe: () => Promise<T> | T,
): Promise<NonNullable<T>> {
  const deadline = monotonic() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const answer = await probe();
    if (answer) return answer;
    if (monotonic() > deadline) throw new Error(describe());
    await sleep(everyMs, undefined, signal === undefined ? {} : { signal });
  }
}
