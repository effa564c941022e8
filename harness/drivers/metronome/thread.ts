import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { arrivalTimes, type Schedule } from '../../schedule.ts';
import { clockOf } from '../clock.ts';
import { type Bell, createWakes, quantumAt, ring, type Sleeper, waitFor } from './wakes.ts';

/**
 * The thread of the metronome. Its event loop never turns: it sleeps on a cell of shared memory, which wakes it to the microsecond and as soon
 * as there is an order.
 */

export type MetronomeStart = { epochOffsetNs: bigint; orders: Int32Array; quantumMs: number; spinMs: number };
export type MetronomeOrder =
  | { kind: 'bell'; bell: Bell }
  | { kind: 'play'; startMs: number; schedule: Schedule; bells: readonly number[] }
  | { kind: 'halt' };

const { epochOffsetNs, orders, quantumMs, spinMs } = workerData as MetronomeStart;
if (parentPort === null) throw new Error('The metronome is a worker thread: start it with startMetronome');
const owner = parentPort;
const now = clockOf(epochOffsetNs);
const wakes = createWakes({ now });
const sleepers: Sleeper[] = [];

for (;;) {
  const seen = Atomics.load(orders, 0);
  for (let order = receiveMessageOnPort(owner); order !== undefined; order = receiveMessageOnPort(owner)) follow(order.message);
  const sleep = (ms: number) => (Atomics.wait(orders, 0, seen, ms) === 'timed-out' ? 'rested' : 'interrupted');
  waitFor(wakes.turn(), { now, sleep, spinMs });
}

function follow(order: MetronomeOrder) {
  switch (order.kind) {
    case 'bell':
      sleepers.push({ ring: () => ring(order.bell) });
      return;
    case 'play':
      return wakes.play({
        startMs: order.startMs,
        arrivals: arrivalTimes(order.schedule),
        sleepers: order.bells.flatMap((bell) => sleepers[bell] ?? []),
        quantumMs: quantumAt(peakOf(order.schedule) / order.bells.length, quantumMs),
      });
    case 'halt':
      return wakes.halt();
    default:
      order satisfies never;
  }
}

function peakOf({ stages }: Schedule): number {
  return stages.reduce((peak, { fromPerSecond, toPerSecond }) => Math.max(peak, fromPerSecond, toPerSecond), 0);
}
