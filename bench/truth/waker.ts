import { MessageChannel, Worker } from 'node:worker_threads';
import { onWake } from '../../harness/drivers/metronome/wakes.ts';
import type { WakerStart } from './waker-thread.ts';

/** An alarm clock with one hand, precise to about a tenth of a millisecond, where timers count whole ones. */
export type Waker = {
  /** Calls `wake` once this time has come; Infinity for never. It takes the place of the time before. */
  set: (dueUs: number) => void;
  close: () => Promise<void>;
};

/** Times are those of `nowUs`. Once it has woken, it sleeps until it is set again. */
export function startWaker(wake: () => void): Waker {
  const { port1, port2 } = new MessageChannel();
  const bell = new Int32Array(new SharedArrayBuffer(4));
  const changes = new Int32Array(new SharedArrayBuffer(4));
  const due = new Float64Array(new SharedArrayBuffer(8)).fill(Number.POSITIVE_INFINITY);
  port2.postMessage(bell);
  onWake(port1, wake);
  const worker = new Worker(new URL('./waker-thread.ts', import.meta.url), {
    workerData: { port: port2, bell, changes, due } satisfies WakerStart,
    transferList: [port2],
  });

  return {
    set: (dueUs) => {
      due[0] = dueUs;
      Atomics.add(changes, 0, 1);
      Atomics.notify(changes, 0);
    },
    close: async () => {
      port1.close();
      await worker.terminate();
    },
  };
}
