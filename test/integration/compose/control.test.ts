import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { controlOf } from '../../../compose/control.ts';
import type { ProcessControl } from '../../../compose/deployment.ts';
import { createLayer, type Layer } from '../../../compose/layer.ts';
import { claimPorts, type Ports } from '../../../compose/ports.ts';
import { answersOk } from '../../../compose/probes.ts';
import { startWatchdog } from '../../../compose/watchdog.ts';
import { startedAt } from '../../../core/started.ts';
import { waitUntil } from '../../../core/time.ts';

let abort: AbortController;
let folder: string;
let undo: AsyncDisposableStack;
let ports: Ports;
let layer: Layer;
let url: string;
let pids: number[];
let control: ProcessControl;
let answersAfterMs: number;

/** One process that answers at `url`, and those that take its seat after it. */
beforeEach(async () => {
  abort = new AbortController();
  answersAfterMs = 0;
  folder = mkdtempSync(join(tmpdir(), 'stampede-test-'));
  undo = new AsyncDisposableStack();
  undo.defer(async () => rmSync(folder, { recursive: true }));
  const watchdog = await startWatchdog();
  undo.defer(() => watchdog.close());
  ports = await claimPorts({ random: Math.random });
  undo.defer(() => ports.close());
  layer = createLayer({ undo, watchdog, graceMs: 1_000 });
  url = `http://127.0.0.1:${await ports.next()}`;
  pids = [];
  const seat = { instance: 'orders.1', process: await open(), open };
  control = controlOf({ seats: [seat], graceMs: 1_000 });
});
afterEach(() => undo.disposeAsync());

test('one that is killed is gone and no death, and its next one answers at the same address', async () => {
  await control.kill('orders.1');
  expect([await answersOk(url), startedAt(pidNow())]).toEqual([false, undefined]);
  await control.kill('orders.1');
  await control.start('orders.1');
  expect(await answersOk(url)).toBe(true);
  expect(pids).toHaveLength(2);
  expect(layer.deaths()).toEqual([]);
});

test('one that is stopped ends by itself; starting one that runs does nothing', async () => {
  await control.stop('orders.1');
  expect(startedAt(pidNow())).toBeUndefined();
  await control.start('orders.1');
  await control.start('orders.1');
  expect(pids).toHaveLength(2);
});

test('one that is paused keeps its connections and answers only when it is resumed', async () => {
  await control.pause('orders.1');
  await control.pause('orders.1');
  let hasAnswered = false;
  const answer = fetch(url).then(() => {
    hasAnswered = true;
  });
  expect(await answersOk(url)).toBe(false);
  expect(hasAnswered).toBe(false);
  await control.resume('orders.1');
  await answer;
  expect(layer.deaths()).toEqual([]);
});

test('what is asked of one process is done in turn', async () => {
  await Promise.all([control.kill('orders.1'), control.start('orders.1'), control.kill('orders.1'), control.start('orders.1')]);
  expect(await answersOk(url)).toBe(true);
  expect(pids).toHaveLength(3);
});

test('one that was killed cannot be paused or resumed', async () => {
  await control.kill('orders.1');
  await control.pause('orders.1');
  await control.resume('orders.1');
  expect(await answersOk(url)).toBe(false);
});

test('one that dies by itself after it was started again is a death', async () => {
  await control.kill('orders.1');
  await control.start('orders.1');
  process.kill(pidNow(), 'SIGKILL');
  await waitUntil({ timeoutMs: 5_000, describe: () => 'no death was told' }, () => layer.deaths().length > 0);
  expect(layer.deaths()).toEqual([{ name: 'orders.1', how: 'SIGKILL', atNs: expect.any(BigInt) }]);
});

test('undo ends one that is paused and one that was started again, and lets no other start', async () => {
  await control.kill('orders.1');
  await control.start('orders.1');
  await control.pause('orders.1');
  await undo.disposeAsync();
  expect(pids.filter((pid) => startedAt(pid) !== undefined)).toEqual([]);
  await expect(control.start('orders.1')).rejects.toThrow('Nothing can be started any more');
});

test.each([
  ['undo', /^orders\.1 was ended by SIGTERM before it was ready/, () => undo.disposeAsync()],
  ['the end of the run', /stopped by Ctrl-C|aborted/, async () => abort.abort(new Error('stopped by Ctrl-C'))],
])('%s gives up a start that is under way, and once undone nothing is left of it', async (_, reason, end) => {
  await control.kill('orders.1');
  answersAfterMs = 600_000;
  const starting = control.start('orders.1');
  const givenUp = expect(starting).rejects.toThrow(reason);
  await waitUntil({ timeoutMs: 5_000, describe: () => 'it was not started' }, () => pids.length === 2);
  await end();
  await givenUp;
  await undo.disposeAsync();
  expect(pids.map((pid) => startedAt(pid))).toEqual([undefined, undefined]);
  expect(layer.deaths()).toEqual([]);
});

test('one that does not get ready again is told, and leaves its seat to the next', async () => {
  await control.kill('orders.1');
  const { signal } = abort;
  const squatter = await layer.start({ name: 'squatter', ...program(), signal });
  await squatter.ready({ timeoutMs: 10_000, signal, probe: () => answersOk(url) });
  await expect(control.start('orders.1')).rejects.toThrow(/address already in use/);
  await squatter.kill();
  await control.start('orders.1');
  expect(await answersOk(url)).toBe(true);
});

test('a process that is not there is refused with those that are', async () => {
  await expect(control.kill('orders.2')).rejects.toThrow("Expected a process of the mall (orders.1), got 'orders.2'");
});

async function open() {
  const { signal } = abort;
  const started = await layer.start({ name: 'orders.1', ...program(), signal });
  pids.push(started.pid);
  // A squatter answers at the address too.
  await started.ready({ timeoutMs: 10_000, signal, probe: async () => (await whoAnswers()) === `${started.pid}` });
  return started;
}

const whoAnswers = () =>
  fetch(url).then(
    (answer) => answer.text(),
    () => undefined,
  );

const pidNow = () => pids.at(-1) ?? 0;

const program = () => ({
  command: process.execPath,
  args: [join(import.meta.dirname, '../../support/processes/answers-health.ts'), new URL(url).port, `${answersAfterMs}`],
  env: process.env,
  logFile: join(folder, 'orders.log'),
});
