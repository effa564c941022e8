import { type MessagePort, Worker } from 'node:worker_threads';
import type { Schedule } from '../../schedule.ts';
import type { MetronomeOrder, MetronomeStart } from './thread.ts';
import { bellOf } from './wakes.ts';

/** An alarm clock for threads that make load. Their own timers count whole milliseconds; this one is a thread that does nothing but wait. */
export type Metronome = {
  /**
   * Wakes whoever listens (`onWake`) at the other end of port i mod W whenever arrival i of the schedule is due. `startMs` is a time of the run's
   * clock. A phase may be told before the last one has ended. A port belongs to the metronome from the first time that it is named.
   */
  play: (phase: { startMs: number; schedule: Schedule; ports: readonly MessagePort[] }) => void;
  /** Ends all phases at once. */
  halt: () => void;
  close: () => Promise<void>;
};

/** `onError` hears why the thread ended before it was closed; without it, that is an uncaught exception. */
export function startMetronome({
  epochOffsetNs,
  onError = raise,
  quantumMs = 0.15,
  spinMs = 0.05,
}: {
  epochOffsetNs: bigint;
  onError?: (error: Error) => void;
  quantumMs?: number;
  spinMs?: number;
}): Metronome {
  const orders = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('./thread.ts', import.meta.url), {
    workerData: { epochOffsetNs, orders, quantumMs, spinMs } satisfies MetronomeStart,
  });
  // It has no life of its own: a process that has nothing else to do may leave.
  worker.unref();
  worker.on('error', onError);

  const numbers = new Map<MessagePort, number>();
  return {
    play: ({ startMs, schedule, ports }) => order({ kind: 'play', startMs, schedule, bells: ports.map(numberOf) }),
    halt: () => order({ kind: 'halt' }),
    close: async () => {
      await worker.terminate();
    },
  };

  function numberOf(port: MessagePort): number {
    const known = numbers.get(port);
    if (known !== undefined) return known;
    numbers.set(port, numbers.size);
    order({ kind: 'bell', bell: bellOf(port) }, [port]);
    return numbers.size - 1;
  }

  function order(message: MetronomeOrder, transferred: MessagePort[] = []) {
    worker.postMessage(message, transferred);
    Atomics.add(orders, 0, 1);
    Atomics.notify(orders, 0);
  }
}

function raise(error: Error): never {
  throw error;
}
