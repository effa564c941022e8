export type Deletions = {
  /** Takes keys up whose deletion has just failed. Keys that are waiting already begin anew. */
  add(keys: readonly string[]): void;
  /** Tries the keys whose time has come, in one command. To be called about once a second. */
  tick(): Promise<void>;
  /** Tries all of them once more, now. What fails is given up. */
  runAll(): Promise<void>;
};

/**
 * Deletions that failed, to be tried again 1 s, then 5 s, 1 min, 5 min and 1 h later, as in go-zero (governance.md 7.3): until then the cache
 * holds what the database no longer does. `onGivenUp` is told of keys whose fifth attempt failed, and of those beyond the `most` that may wait.
 */
export function createDeletions({
  nowMs,
  remove,
  onGivenUp,
  most = 10_000,
}: {
  nowMs: () => number;
  remove: (keys: readonly string[]) => Promise<void>;
  onGivenUp: (keys: readonly string[]) => void;
  most?: number;
}): Deletions {
  const waiting = new Map<string, Waiting>();

  async function attempt(due: [string, Waiting][]): Promise<void> {
    if (due.length === 0) return;
    // Whoever takes a key up anew meanwhile has changed it since, and it begins at the first delay.
    for (const [key] of due) waiting.delete(key);
    try {
      await remove(due.map(([key]) => key));
    } catch {
      // Whoever removes has logged why.
      schedule(due.filter(([key]) => !waiting.has(key)).map(([key, { failures }]) => ({ key, failures: failures + 1 })));
    }
  }

  function schedule(failed: { key: string; failures: number }[]): void {
    const givenUp: string[] = [];
    for (const { key, failures } of failed) {
      const delayMs = delaysMs[failures];
      if (delayMs === undefined || (waiting.size >= most && !waiting.has(key))) givenUp.push(key);
      else waiting.set(key, { failures, dueMs: nowMs() + delayMs });
    }
    if (givenUp.length > 0) onGivenUp(givenUp);
  }

  return {
    add: (keys) => schedule(keys.map((key) => ({ key, failures: 0 }))),
    tick: () => {
      const now = nowMs();
      return attempt([...waiting].filter(([, { dueMs }]) => dueMs <= now));
    },
    runAll: () => attempt([...waiting].map(([key]) => [key, { failures: delaysMs.length, dueMs: 0 }])),
  };
}

/** How often the deletion of a key has been tried again in vain, and when it is the next time. */
type Waiting = { failures: number; dueMs: number };

const delaysMs = [1_000, 5_000, 60_000, 300_000, 3_600_000];
