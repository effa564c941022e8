import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimPorts, type Ports } from '../../../compose/ports.ts';
import { answersOk } from '../../../compose/probes.ts';
import { type RunningProcess, startProcess } from '../../../compose/process.ts';
import { UsageError } from '../../../core/errors.ts';
import { startedAt } from '../../../core/started.ts';
import { waitUntil } from '../../../core/time.ts';

const signal = new AbortController().signal;
let folder: string;
let ports: Ports;
const started: RunningProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stampede-test-'));
  ports = await claimPorts({ random: Math.random });
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop(100)));
  await ports.close();
  rmSync(folder, { recursive: true });
});

test('a process is ready when its probe says so', async () => {
  const url = `http://127.0.0.1:${await ports.next()}`;
  const one = await start('answers-health', new URL(url).port, '100');
  await one.ready({ timeoutMs: 10_000, signal, probe: () => answersOk(url) });
  expect(await answersOk(url)).toBe(true);
  await one.stop();
  expect(await answersOk(url)).toBe(false);
  expect(startedAt(one.pid)).toBeUndefined();
});

test('a process that dies at its start is told in one sentence with its exit and its last words', async () => {
  const one = await start('dies-at-start');
  const dying = one.ready({ timeoutMs: 10_000, signal, probe: async () => false });
  await expect(dying).rejects.toThrow(UsageError);
  await expect(dying).rejects.toThrow(
    'dies-at-start ended with code 7 before it was ready; the end of dies-at-start.log: "Error: the moon is in the wrong house"',
  );
});

test('the last words are those of this process, not of one that wrote to the same log before', async () => {
  writeFileSync(join(folder, 'dies-at-start.log'), 'Error: all is lost\n');
  const one = await start('dies-at-start');
  await expect(one.succeeded({ timeoutMs: 10_000, signal })).rejects.toThrow(
    'the end of dies-at-start.log: "Error: the moon is in the wrong house"',
  );
});

test('a process whose port is in use says so', async () => {
  const url = `http://127.0.0.1:${await ports.next()}`;
  const probe = () => answersOk(url);
  await (await start('answers-health', new URL(url).port)).ready({ timeoutMs: 10_000, signal, probe });
  const second = await start('answers-health', new URL(url).port);
  await expect(second.ready({ timeoutMs: 10_000, signal, probe: async () => false })).rejects.toThrow(
    /address already in use 127\.0\.0\.1/,
  );
});

test('a process that is not ready in time is told in one sentence', async () => {
  const one = await start('answers-health', `${await ports.next()}`, '60000');
  await expect(one.ready({ timeoutMs: 50, signal, probe: async () => false })).rejects.toThrow(
    /^answers-health was not ready after 0.05 s/,
  );
});

test('a program that is not there is told in one sentence', async () => {
  const starting = startProcess({ name: 'Redis', command: '/no/redis-server', args: [], env: {}, logFile: join(folder, 'redis.log') });
  await expect(starting).rejects.toThrow('Redis could not be started: spawn /no/redis-server ENOENT');
});

test('waiting ends when the run is aborted', async () => {
  const abort = new AbortController();
  const one = await start('answers-health', `${await ports.next()}`, '60000');
  const waiting = one.ready({ timeoutMs: 60_000, signal: abort.signal, probe: async () => false });
  abort.abort(new Error('stopped by Ctrl-C'));
  await expect(waiting).rejects.toThrow();
});

test('a one-shot process succeeds with 0 and fails with its sentence', async () => {
  const fine = await startProcess({ name: 'true', command: 'true', args: [], env: process.env, logFile: join(folder, 'true.log') });
  await fine.succeeded({ timeoutMs: 10_000, signal });
  const failing = await start('dies-at-start');
  await expect(failing.succeeded({ timeoutMs: 10_000, signal })).rejects.toThrow(/^dies-at-start ended with code 7; the end of/);
});

test('stopping ends a paused process, and kills one that will not listen', async () => {
  const deafened = join(folder, 'deaf');
  const [paused, deaf] = [await start('answers-health', `${await ports.next()}`), await start('ignores-sigterm', deafened)];
  await waitUntil({ timeoutMs: 10_000, describe: () => 'never deaf' }, () => existsSync(deafened));
  process.kill(paused.pid, 'SIGSTOP');
  await Promise.all([paused.stop(), deaf.stop(100)]);
  expect([startedAt(paused.pid), startedAt(deaf.pid)]).toEqual([undefined, undefined]);
});

test.skipIf(process.platform !== 'linux')('pausing is over when the system has stopped the process', async () => {
  const one = await start('answers-health', `${await ports.next()}`);
  for (let turn = 0; turn < 50; turn++) {
    await one.pause();
    expect(readFileSync(`/proc/${one.pid}/status`, 'utf8')).toMatch(/^State:\tT/m);
    one.resume();
  }
});

test.each([
  ['that listens to SIGTERM', 'echo $$; exec sleep 600'],
  ['that does not', 'trap "" TERM; echo $$; exec sleep 600'],
])('what a process has started goes with it when it is stopped: one %s', async (_, work) => {
  const one = await startShell(work);
  const pid = await pidSaid();
  await one.stop();
  await gone(pid);
});

test('what a process has started goes with it when it dies', async () => {
  const one = await startShell('echo $$; exec sleep 600');
  const pid = await pidSaid();
  process.kill(one.pid, 'SIGKILL');
  await gone(pid);
  await one.stop();
});

/** A shell that waits for another one, which says its process id once it is at work. */
async function startShell(work: string) {
  const one = await startProcess({
    name: 'sh',
    command: 'sh',
    args: ['-c', `sh -c '${work}'; true`],
    env: process.env,
    logFile: join(folder, 'sh.log'),
  });
  started.push(one);
  return one;
}

function pidSaid(): Promise<number> {
  const said = () => Number(/^(\d+)\n/.exec(readFileSync(join(folder, 'sh.log'), 'utf8'))?.[1]);
  return waitUntil({ timeoutMs: 5_000, describe: () => 'no process id was said' }, said);
}

const gone = (pid: number) => waitUntil({ timeoutMs: 5_000, describe: () => `${pid} is still there` }, () => startedAt(pid) === undefined);

async function start(program: string, ...args: string[]) {
  const one = await startProcess({
    name: program,
    command: process.execPath,
    args: [join(import.meta.dirname, `../../support/processes/${program}.ts`), ...args],
    env: process.env,
    logFile: join(folder, `${program}.log`),
  });
  started.push(one);
  return one;
}
