/**
 * Monotonic time in whole nanoseconds since some moment of this process; only differences mean anything. Governance counts in
 * integers because its rules truncate (governance.md 0); as a number they stay exact for 104 days.
 */
export type ClockNs = () => number;

export const monotonicNs: ClockNs = () => Number(process.hrtime.bigint() - originNs);
const originNs = process.hrtime.bigint();

/**
 * The same clock, read once in a turn of the event loop, as libuv does for its timers. A reading is the dearest part of a breaker's decision,
 * and its buckets of 250 ms do not notice by how much the callbacks of one turn are apart. Never for a latency.
 */
export function createTurnClock(clockNs: ClockNs): ClockNs {
  let nowNs = 0;
  let isCurrent = false;
  const endTurn = () => {
    isCurrent = false;
  };
  return function turnNs() {
    if (isCurrent) return nowNs;
    nowNs = clockNs();
    isCurrent = true;
    setImmediate(endTurn);
    return nowNs;
  };
}

export const millisecondNs = 1_000_000;
export const secondNs = 1_000_000_000;
/** "Never", as a moment: longer ago than any span that is asked about. */
export const never = Number.NEGATIVE_INFINITY;
