import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLayer, type Layer } from '../../../compose/layer.ts';
import { startRedis } from '../../../compose/redis.ts';
import { startWatchdog } from '../../../compose/watchdog.ts';
import { startedAt } from '../../../core/started.ts';
import { waitUntil } from '../../../core/time.ts';

const { signal } = new AbortController();
const { env } = process;
let folder: string;
let layer: Layer;
let guarded: Set<number>;
let undo: AsyncDisposableStack;
let watchdogOnly: AsyncDisposableStack;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stampede-test-'));
  watchdogOnly = new AsyncDisposableStack();
  undo = new AsyncDisposableStack();
  const watchdog = await startWatchdog();
  watchdogOnly.defer(() => watchdog.close());
  guarded = new Set();
  layer = createLayer({
    undo,
    watchdog: {
      ...watchdog,
      guardProcess(pid) {
        guarded.add(pid);
        watchdog.guardProcess(pid);
      },
      release(pid) {
        guarded.delete(pid);
        watchdog.release(pid);
      },
    },
  });
});
afterEach(async () => {
  await undo.disposeAsync();
  await watchdogOnly.disposeAsync();
  rmSync(folder, { recursive: true });
});

test('once undone, nothing can be put up', async () => {
  await undo.disposeAsync();
  await expect(layer.start(toucher(signal))).rejects.toThrow('Nothing can be started any more');
  await expect(layer.run('touch', [join(folder, 'touched')], { env, signal })).rejects.toThrow('Nothing can be started any more');
  await expect(layer.temporaryFolder(folder)).rejects.toThrow('Nothing can be started any more');
  expect(readdirSync(folder)).toEqual([]);
});

test('undo ends what was just being started, and removes what was just being made', async () => {
  const starting = layer.start({ name: 'sleep', command: 'sleep', args: ['600'], env, logFile: join(folder, 'logs/sleep.log'), signal });
  const making = layer.temporaryFolder(folder);
  const running = layer.run('sleep', ['600'], { env, signal });
  const run = expect(running).rejects.toThrow('Nothing can be started any more');
  await undo.disposeAsync();
  expect(startedAt((await starting).pid)).toBeUndefined();
  expect(existsSync(await making)).toBe(false);
  await run;
});

test('a server whose sibling has failed meanwhile is not started', async () => {
  const abort = new AbortController();
  const program = { server: 'touch', version: '7', env, install: '' };
  const starting = startRedis({ program, port: 1, folder, logFile: join(folder, 'redis.log'), layer, signal: abort.signal });
  abort.abort(new Error('etcd ended with code 1'));
  await expect(starting).rejects.toThrow('etcd ended with code 1');
  // It would have come into being with the process.
  expect(existsSync(join(folder, 'redis.log'))).toBe(false);
});

test('a short program gives what it printed, or fails with its last words', async () => {
  expect(await layer.run('sh', ['-c', 'echo fine; pwd'], { env, cwd: '/', signal })).toBe('fine\n/\n');
  await expect(layer.run('sh', ['-c', 'echo E: no network >&2; exit 100'], { env, signal })).rejects.toThrow(/^E: no network$/);
  await expect(layer.run('sh', ['-c', 'exit 3'], { env, signal })).rejects.toThrow('sh ended with code 3');
  await expect(layer.run('/no/program', [], { env, signal })).rejects.toThrow('spawn /no/program ENOENT');
});

test('a short program that is given up takes what it runs with it', async () => {
  const abort = new AbortController();
  const file = join(folder, 'pid');
  const running = layer.run('sh', ['-c', `sleep 600 & echo $! > ${file}; wait; true`], { env, signal: abort.signal });
  const given = expect(running).rejects.toThrow('stopped by Ctrl-C');
  const pid = await pidIn(file);
  abort.abort(new Error('stopped by Ctrl-C'));
  await given;
  await gone(pid);
});

test('only a process that had been ready and was not told to end counts as a death', async () => {
  const start = (name: string, ...args: string[]) =>
    layer.start({ name, command: 'sleep', args, env, logFile: join(folder, `${name}.log`), signal });
  const [shot, , stopped, done] = await Promise.all([
    start('shot', '600'),
    start('well', '600'),
    start('stopped', '600'),
    start('done', '0'),
  ]);
  for (const one of [shot, stopped]) await one.ready({ timeoutMs: 1_000, signal, probe: async () => true });
  await done.succeeded({ timeoutMs: 10_000, signal });
  expect(layer.deaths()).toEqual([]);
  const before = process.hrtime.bigint();
  process.kill(shot.pid, 'SIGKILL');
  await waitUntil({ timeoutMs: 5_000, describe: () => 'no death was seen' }, () => layer.deaths().length > 0);
  await stopped.stop();
  await undo.disposeAsync();
  expect(layer.deaths()).toEqual([{ name: 'shot', how: 'SIGKILL', atNs: expect.any(BigInt) }]);
  expect(layer.deaths()[0]?.atNs).toBeGreaterThan(before);
});

test('of a process that is killed and started again and again only the newest is kept and guarded', async () => {
  const start = async () => {
    const one = await layer.start({ name: 'sleep', command: 'sleep', args: ['600'], env, logFile: join(folder, 'sleep.log'), signal });
    await one.ready({ timeoutMs: 1_000, signal, probe: async () => true });
    return one;
  };
  let last = await start();
  for (let life = 1; life < 30; life++) {
    await last.kill();
    last = await start();
    expect([...guarded]).toEqual([last.pid]);
  }
  expect(layer.deaths()).toEqual([]);
  await undo.disposeAsync();
  expect([guarded.size, startedAt(last.pid)]).toEqual([0, undefined]);
});

const toucher = (signal: AbortSignal) => ({
  name: 'touch',
  command: 'touch',
  args: [join(folder, 'touched')],
  env,
  logFile: join(folder, 'touch.log'),
  signal,
});

function pidIn(file: string): Promise<number> {
  return waitUntil({ timeoutMs: 5_000, describe: () => `nothing in ${file}` }, () =>
    existsSync(file) && readFileSync(file, 'utf8').endsWith('\n') ? Number(readFileSync(file, 'utf8')) : undefined,
  );
}

const gone = (pid: number) => waitUntil({ timeoutMs: 5_000, describe: () => `${pid} is still there` }, () => startedAt(pid) === undefined);
