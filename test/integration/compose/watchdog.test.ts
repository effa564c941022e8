import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import type { WatchdogMessage } from '../../../compose/watchdog/messages.ts';
import { startWatchdog } from '../../../compose/watchdog.ts';
import { startedAt } from '../../../core/started.ts';
import { waitUntil } from '../../../core/time.ts';

let owned: { pids: number[]; folder: string } | undefined;

afterEach(() => {
  for (const pid of owned?.pids ?? []) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  if (owned !== undefined && owned.folder !== '') rmSync(owned.folder, { recursive: true, force: true });
  owned = undefined;
});

test('within 5 s after its owner was killed, polite, deaf and paused processes are gone, and so is the folder', async () => {
  const owner = startOwner();
  const { pids, folder } = await saidBy(owner);
  expect(pids.map(isAlive)).toEqual([true, true, true]);
  owner.kill('SIGKILL');
  await waitUntil(
    { timeoutMs: 5_000, describe: () => `still there: ${pids.filter(isAlive)} ${folder}` },
    () => !pids.some(isAlive) && !existsSync(folder),
  );
});

test('after a goodbye everything is left alone', async () => {
  const owner = startOwner('goodbye');
  const ended = once(owner, 'exit');
  const { pids, folder } = await saidBy(owner);
  await ended;
  expect(pids.map(isAlive)).toEqual([true, true, true]);
  expect(existsSync(folder)).toBe(true);
});

test('a process that was released, or whose id now belongs to a stranger, is not touched', async () => {
  const [released, stranger, guarded] = [sleeper(), sleeper(), sleeper()];
  owned = { pids: [released, stranger, guarded], folder: '' };
  const watchdog = spawn(process.execPath, [join(import.meta.dirname, '../../../compose/watchdog/main.ts')], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const messages: WatchdogMessage[] = [
    { kind: 'guardProcess', pid: released, startedAt: startedAt(released) ?? '' },
    { kind: 'release', pid: released },
    { kind: 'guardProcess', pid: stranger, startedAt: '1' },
    { kind: 'guardProcess', pid: guarded, startedAt: startedAt(guarded) ?? '' },
  ];
  watchdog.stdin.end(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
  await once(watchdog, 'exit');
  expect(owned.pids.map(isAlive)).toEqual([true, true, false]);
});

test('what a guarded process has started goes with it, even if it does not listen', async () => {
  const shell = spawn('sh', ['-c', `sh -c 'trap "" TERM; echo $$; exec sleep 600'; true`], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const leader = shell.pid ?? 0;
  const [line] = await once(createInterface({ input: shell.stdout }), 'line');
  owned = { pids: [leader, Number(line)], folder: '' };
  const watchdog = spawn(process.execPath, [join(import.meta.dirname, '../../../compose/watchdog/main.ts')], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const message: WatchdogMessage = { kind: 'guardProcess', pid: leader, startedAt: startedAt(leader) ?? '' };
  watchdog.stdin.end(`${JSON.stringify(message)}\n`);
  await waitUntil({ timeoutMs: 5_000, describe: () => `still there: ${owned?.pids.filter(isAlive)}` }, () => !owned?.pids.some(isAlive));
});

test('a watchdog that is dismissed ends', async () => {
  const watchdog = await startWatchdog();
  await expect(watchdog.close()).resolves.toBeUndefined();
});

function startOwner(...args: string[]) {
  const program = join(import.meta.dirname, '../../support/processes/waits-with-guarded-things.ts');
  return spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function saidBy(owner: ReturnType<typeof startOwner>): Promise<{ pids: number[]; folder: string }> {
  const [line] = await once(createInterface({ input: owner.stdout }), 'line');
  owned = JSON.parse(line as string) as { pids: number[]; folder: string };
  return owned;
}

const sleeper = () => spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).pid ?? 0;

const isAlive = (pid: number) => startedAt(pid) !== undefined;
