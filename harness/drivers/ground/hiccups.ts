import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { LedgerMessage } from '../ledger/ledger.ts';
import type { HiccupEvent, HiccupOrder, HiccupStart } from './hiccup-thread.ts';

/**
 * Canaries, one for every core: threads that do nothing but wake every millisecond, and see how late. What they see was neither the generator nor
 * the mall, but the machine: a pause of the host, or cores with too much to do. They have the priority of the thread that starts them
 * (`raisePriority` first), so that a mall which fills the cores holds them up no more than it does the generator.
 */
export type Hiccups = {
  /** The run starts at `startMs` of its clock. Before that nothing is recorded; window n of the ledger is the run's second n from then on. */
  begin: (startMs: number) => void;
  /** When it resolves, all that the canaries have seen so far has gone to `onLedger`, also of the second that has begun. They go on. */
  flush: () => Promise<void>;
};

/**
 * `onLedger` gets what canary number `canary` recorded, in µs under the measure `hiccup` (route 0, outcome 0), a second at a time; `giveBack` is for
 * the slots that have been read. `onError` hears why a canary ended; without it, that is an uncaught exception.
 */
export function startHiccups({
  epochOffsetNs,
  onLedger,
  onError = raise,
  threads = availableParallelism(),
  tickMs = 1,
}: {
  epochOffsetNs: bigint;
  onLedger: (canary: number, message: LedgerMessage, giveBack: (slots: readonly number[]) => void) => void;
  onError?: (error: Error) => void;
  threads?: number;
  tickMs?: number;
}): Hiccups {
  const canaries = Array.from({ length: threads }, (_, canary) => {
    const orders = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(new URL('./hiccup-thread.ts', import.meta.url), {
      workerData: { epochOffsetNs, orders, tickMs } satisfies HiccupStart,
    });
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const order = (message: HiccupOrder) => {
      worker.postMessage(message);
      Atomics.add(orders, 0, 1);
      Atomics.notify(orders, 0);
    };
    worker.on('error', onError);
    const onceFlushed: (() => void)[] = [];
    worker.on('message', (event: HiccupEvent) => {
      if (event.kind === 'flushed') onceFlushed.shift()?.();
      else onLedger(canary, event, (slots) => order({ kind: 'released', slots }));
    });
    // A process that has nothing else to do may leave.
    worker.unref();
    const flush = () => {
      const flushed = new Promise<void>((resolve) => onceFlushed.push(resolve));
      order({ kind: 'flush' });
      return Promise.race([flushed, ended]);
    };
    return { order, flush };
  });

  return {
    begin: (startMs) => {
      for (const { order } of canaries) order({ kind: 'begin', startMs });
    },
    flush: async () => {
      await Promise.all(canaries.map(({ flush }) => flush()));
    },
  };
}

function raise(error: Error): never {
  throw error;
}
