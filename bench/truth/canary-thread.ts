import { workerData } from 'node:worker_threads';
import { raisePriority } from '../../harness/drivers/priority.ts';
import { nowUs } from './clock.ts';

/** Sleeps a millisecond again and again, and notes in shared memory when it slept much longer. Its event loop never turns. */

export type CanaryStart = { count: Int32Array; pauses: Float64Array; leastMs: number };

const { count, pauses, leastMs } = workerData as CanaryStart;
const nobody = new Int32Array(new SharedArrayBuffer(4));

// The priority that our own driver takes: it is held up by what holds up that.
raisePriority();
for (let fromUs = nowUs(); ; fromUs = nowUs()) {
  Atomics.wait(nobody, 0, 0, 1);
  const toUs = nowUs();
  if (toUs - fromUs < (1 + leastMs) * 1_000) continue;
  const place = (count[0] ?? 0) % (pauses.length / 2);
  pauses[place * 2] = fromUs;
  pauses[place * 2 + 1] = toUs;
  Atomics.add(count, 0, 1);
}
