import { Worker } from 'node:worker_threads';
import type { CanaryStart } from './canary-thread.ts';

/** A time in which a thread that sleeps a millisecond did not wake: the process, or the machine, stood still. */
export type Pause = { fromUs: number; toUs: number };

export type Canary = {
  /** Those that ended at `us` or later, the oldest first. No more than the last 1,024 are known. */
  pausesSince: (us: number) => Pause[];
  close: () => Promise<void>;
};

const most = 1_024;

/** A pause is a sleep of one millisecond that took `leastMs` longer. Times are those of `nowUs`. */
export function startCanary({ leastMs = 5 } = {}): Canary {
  const count = new Int32Array(new SharedArrayBuffer(4));
  const pauses = new Float64Array(new SharedArrayBuffer(most * 16));
  const worker = new Worker(new URL('./canary-thread.ts', import.meta.url), {
    workerData: { count, pauses, leastMs } satisfies CanaryStart,
  });
  // It has no life of its own: a process that has nothing else to do may leave.
  worker.unref();

  return {
    pausesSince: (us) => {
      const noted = Atomics.load(count, 0);
      const numbers = Array.from({ length: Math.min(noted, most) }, (_, index) => noted - Math.min(noted, most) + index);
      return numbers.map(pauseAt).filter(({ toUs }) => toUs >= us);
    },
    close: async () => {
      await worker.terminate();
    },
  };

  function pauseAt(number: number): Pause {
    const place = (number % most) * 2;
    return { fromUs: pauses[place] ?? 0, toUs: pauses[place + 1] ?? 0 };
  }
}
