import { type MessagePort, workerData } from 'node:worker_threads';
import { ring, waitFor } from '../../harness/drivers/metronome/wakes.ts';
import { raisePriority } from '../../harness/drivers/priority.ts';
import { nowUs } from './clock.ts';

/** Sleeps until the time that is in shared memory has come, rings, and waits for the next. Its event loop never turns. */

export type WakerStart = { port: MessagePort; bell: Int32Array; changes: Int32Array; due: Float64Array };

const { port, bell, changes, due } = workerData as WakerStart;
const spinMs = 0.05;
const nowMs = () => nowUs() / 1_000;

raisePriority();
for (;;) {
  const seen = Atomics.load(changes, 0);
  const dueMs = (due[0] ?? 0) / 1_000;
  if (dueMs < Number.POSITIVE_INFINITY) {
    const sleep = (ms: number) => (Atomics.wait(changes, 0, seen, ms) === 'timed-out' ? 'rested' : 'interrupted');
    waitFor(dueMs, { now: nowMs, sleep, spinMs });
    if (Atomics.load(changes, 0) !== seen) continue;
    ring({ port, cell: bell });
  }
  Atomics.wait(changes, 0, seen);
}
