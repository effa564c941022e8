import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MessageChannel } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { runClock, waitUntil } from '../../../../core/time.ts';
import { clockOf } from '../../../../harness/drivers/clock.ts';
import { startMetronome } from '../../../../harness/drivers/metronome/metronome.ts';
import { onWake } from '../../../../harness/drivers/metronome/wakes.ts';
import { arrivalTimes, type Schedule } from '../../../../harness/schedule.ts';

const { epochOffsetNs } = runClock();
const now = clockOf(epochOffsetNs);

test('every arrival of every phase is met by a wake, and of those that lie apart none comes before its time', async () => {
  await using metronome = started();
  const ears = [listener(), listener()];
  const ports = ears.map(({ port }) => port);
  const phases = [steady({ perSecond: 100, lastsMs: 500 }), steady({ perSecond: 100, lastsMs: 500 })];
  const startMs = now() + 100;
  // The second is told while the first one lasts.
  for (const [index, schedule] of phases.entries()) metronome.play({ startMs: startMs + index * 500, schedule, ports });

  const due = phases.flatMap((schedule, phase) => [...arrivalTimes(schedule)].map((atMs) => startMs + phase * 500 + atMs));
  expect(due).toHaveLength(100);
  const lastDueMs = due.at(-1) ?? Number.NaN;
  await waitUntil({ timeoutMs: 20_000, describe: () => `The last wake did not come: ${ears.map(({ wakes }) => wakes)}` }, () =>
    ears.some(({ wakes }) => (wakes.at(-1) ?? 0) >= lastDueMs),
  );
  for (const [index, { wakes }] of ears.entries()) {
    const own = due.filter((_, arrival) => arrival % 2 === index);
    expect(wakes.length).toBeLessThanOrEqual(own.length);
    for (const [nth, wokeMs] of wakes.entries()) expect(wokeMs).toBeGreaterThanOrEqual(own[nth] ?? Number.NaN);
  }
});

test('a listener that stands still finds one wake when it comes back, not one for each of 4,000 arrivals', async () => {
  await using metronome = started();
  const startMs = now() + 50;
  const { port, wakes } = listener(() => {
    const leftMs = startMs + 1_050 - now();
    if (leftMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, leftMs);
  });
  metronome.play({ startMs, schedule: steady({ perSecond: 4_000, lastsMs: 1_000 }), ports: [port] });
  await waitUntil({ timeoutMs: 20_000, describe: () => 'The listener was not woken again' }, () => wakes.length >= 2);
  // Everything was due while it stood still: what is there by now is all there will be, unless the metronome itself is late.
  await new Promise((resolve) => setImmediate(resolve));
  expect(wakes.length).toBeLessThan(10);
});

test('after a halt nobody is woken any more, until something new is played', async () => {
  await using metronome = started();
  const first = listener();
  const second = listener();
  metronome.play({ startMs: now(), schedule: steady({ perSecond: 500, lastsMs: 600_000 }), ports: [first.port] });
  await waitUntil({ timeoutMs: 20_000, describe: () => 'Nobody was woken' }, () => first.wakes.length > 10);
  metronome.halt();
  const play = () => metronome.play({ startMs: now(), schedule: steady({ perSecond: 100, lastsMs: 20 }), ports: [second.port] });
  play();
  await waitUntil({ timeoutMs: 20_000, describe: () => 'Nobody was woken after the halt' }, () => second.wakes.length >= 1);
  const soFar = first.wakes.length;
  const heard = second.wakes.length;
  play();
  await waitUntil({ timeoutMs: 20_000, describe: () => 'Nobody was woken a second time' }, () => second.wakes.length > heard);
  expect(first.wakes).toHaveLength(soFar);
});

test('what goes wrong in the thread is told to its owner', async () => {
  const told: Error[] = [];
  await using metronome = started((error) => told.push(error));
  const { port } = listener();
  metronome.play({ startMs: now(), schedule: steady({ perSecond: -1, lastsMs: 100 }), ports: [port] });
  await waitUntil({ timeoutMs: 20_000, describe: () => 'The error was not told' }, () => told.length > 0);
  expect(told).toEqual([expect.objectContaining({ name: 'RangeError' })]);
});

test.each([
  ['that has closed it', 'await metronome.close();'],
  ['that has nothing else to do', ''],
])('a process %s may leave, whatever was still to be played', async (_name, lastWords) => {
  const program = `
    import { MessageChannel } from 'node:worker_threads';
    import { startMetronome } from './harness/drivers/metronome/metronome.ts';
    const metronome = startMetronome({ epochOffsetNs: 0n });
    const { port1 } = new MessageChannel();
    const schedule = { stages: [{ lastsMs: 600_000, fromPerSecond: 100, toPerSecond: 100 }], arrivals: 'poisson', seed: 1 };
    metronome.play({ startMs: Number(process.hrtime.bigint()) / 1e6, schedule, ports: [port1] });
    ${lastWords}
    console.log('done');`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: `${import.meta.dirname}/../../../..`,
    timeout: 60_000,
  });
  expect(stdout).toBe('done\n');
});

const steady = ({ perSecond, lastsMs }: { perSecond: number; lastsMs: number }): Schedule => ({
  stages: [{ lastsMs, fromPerSecond: perSecond, toPerSecond: perSecond }],
  arrivals: 'uniform',
  seed: 1,
});

function started(onError?: (error: Error) => void) {
  const metronome = startMetronome({ epochOffsetNs, ...(onError && { onError }) });
  return { ...metronome, [Symbol.asyncDispose]: metronome.close };
}

function listener(onWoken = () => {}) {
  const { port1, port2 } = new MessageChannel();
  const wakes: number[] = [];
  onWake(port2, () => {
    wakes.push(now());
    onWoken();
  });
  return { port: port1, wakes };
}
