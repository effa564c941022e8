/** What a canary sees: how late it wakes from sleeps of one length. Whatever held it up, held up everything else that was due on that core. */

export type Ticks = {
  /** The run starts: from here on its seconds are counted, and ticks are recorded. */
  begin: (startMs: number) => void;
  /** The thread lay down at `fromMs`, for one tick, and woke at `wokeMs`. */
  slept: (fromMs: number, wokeMs: number) => void;
  /** The same, but something woke it. That it lay longer than a tick all the same is because nothing could run, the alarm clock included. */
  woken: (fromMs: number, wokeMs: number) => void;
};

/**
 * Records how late each tick was, in µs, under the second of the run in which it was due. `seal` is told the second below which nothing more
 * will be recorded.
 *
 * A sleep takes a little longer than asked on the quietest machine; the shortest that was ever seen counts as on time (as in jHiccup,
 * https://github.com/giltene/jHiccup). A pause of 100 ms is not one late tick but a hundred: the canary's plan is a tick every millisecond, none of
 * them waits for an answer, and work that was due in the middle of the pause was held up for half of it. All are recorded, 100, 99, 98 … ms late.
 * To fill in like this would be wrong for requests that are only sent after an answer: nothing says when those would have been sent.
 */
export function createTicks({
  tickMs,
  record,
  seal,
}: {
  tickMs: number;
  record: (second: number, lateUs: number) => void;
  seal: (second: number) => void;
}): Ticks {
  let startMs = Number.POSITIVE_INFINITY;
  let shortestMs = Number.POSITIVE_INFINITY;
  let current = 0;

  return {
    begin: (atMs) => {
      startMs = atMs;
    },

    slept: (fromMs, wokeMs) => {
      shortestMs = Math.min(shortestMs, Math.max(tickMs, wokeMs - fromMs));
      recordFrom(Math.min(fromMs + shortestMs, wokeMs), wokeMs);
    },

    woken: (fromMs, wokeMs) => recordFrom(fromMs + shortestMs, wokeMs),
  };

  function recordFrom(firstDueMs: number, wokeMs: number) {
    for (let dueMs = firstDueMs; dueMs <= wokeMs; dueMs += shortestMs) {
      if (dueMs < startMs) continue;
      const second = Math.floor((dueMs - startMs) / 1_000);
      if (second > current) {
        seal(second);
        current = second;
      }
      record(second, (wokeMs - dueMs) * 1_000);
    }
  }
}
