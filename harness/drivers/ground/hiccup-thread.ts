import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { clockOf } from '../clock.ts';
import { createLedgerWriter, type LedgerMessage, measure } from '../ledger/ledger.ts';
import { createTicks } from './ticks.ts';

/**
 * One canary: sleeps a millisecond again and again, on a cell of shared memory, which wakes it as soon as there is an order. Its event loop never
 * turns, and it ends with its process.
 */

export type HiccupStart = { epochOffsetNs: bigint; orders: Int32Array; tickMs: number };
export type HiccupOrder = { kind: 'begin'; startMs: number } | { kind: 'released'; slots: readonly number[] } | { kind: 'flush' };
/** What a canary tells; `flushed` when all that it had seen by the order has been told. */
export type HiccupEvent = LedgerMessage | { kind: 'flushed' };

const { epochOffsetNs, orders, tickMs } = workerData as HiccupStart;
if (parentPort === null) throw new Error('A canary is a worker thread: start it with startHiccups');
const owner = parentPort;
const now = clockOf(epochOffsetNs);
const tell = (event: HiccupEvent) => owner.postMessage(event);
const writer = createLedgerWriter({ routes: 1, outcomes: 1, post: tell });
const ticks = createTicks({
  tickMs,
  record: (second, lateUs) => writer.record(second, measure.hiccup, 0, 0, lateUs),
  seal: writer.sealBefore,
});

while (true) {
  const seen = Atomics.load(orders, 0);
  for (let order = receiveMessageOnPort(owner); order !== undefined; order = receiveMessageOnPort(owner)) follow(order.message);
  while (true) {
    const fromMs = now();
    const isUndisturbed = Atomics.wait(orders, 0, seen, tickMs) === 'timed-out';
    if (isUndisturbed) ticks.slept(fromMs, now());
    else {
      ticks.woken(fromMs, now());
      break;
    }
  }
}

function follow(order: HiccupOrder) {
  switch (order.kind) {
    case 'begin':
      return ticks.begin(order.startMs);
    case 'released':
      return writer.released(order.slots);
    case 'flush':
      // The second goes on: what is recorded later comes on top.
      writer.sealAll();
      return tell({ kind: 'flushed' });
    default:
      order satisfies never;
  }
}
