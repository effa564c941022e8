import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { messageOf } from '../../../core/errors.ts';
import { type Cost, watchCost } from './cpu.ts';

/** A program, as a path or as a name that is looked for on PATH, and what it is given. */
export type Command = { program: string; args: readonly string[]; input?: string; env?: Readonly<Record<string, string>> };
export type Pause = { atMs: number; lastsMs: number };
export type Ended = Cost & { code: number | null; killedBy: NodeJS.Signals | null; stdout: string; stderr: string };

/**
 * Runs a program in a process group of its own until it ends, and takes along what it may have left running. The signal ends the whole group
 * and rejects. A `pause` stops all of it from outside, `atMs` after its start.
 */
export async function runCommand(
  { program, args, input, env = {} }: Command,
  { signal, pause }: { signal: AbortSignal; pause?: Pause | undefined },
): Promise<Ended> {
  signal.throwIfAborted();
  const child = spawn(program, args, { detached: true, stdio: 'pipe', env: { ...withoutProxies(process.env), ...env } });
  const started = new Promise<number>((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid ?? 0));
    child.once('error', (cause) => reject(new Error(`${program} could not be started: ${messageOf(cause)}`, { cause })));
  });
  const outputs = { stdout: collected(child.stdout), stderr: collected(child.stderr) };
  const closed = new Promise<Pick<Ended, 'code' | 'killedBy'>>((resolve) => {
    child.once('close', (code, killedBy) => resolve({ code, killedBy }));
  });
  // A program that does not read what it is given closes the pipe; how it ends tells more than that.
  child.stdin.on('error', () => {});
  child.stdin.end(input);

  const pid = await started;
  const cost = watchCost(pid);
  const endGroup = () => signalGroup(pid, 'SIGKILL');
  const timers = pause === undefined ? [] : pauseAfter(pid, pause);
  signal.addEventListener('abort', endGroup, { once: true });
  child.once('exit', endGroup);
  if (signal.aborted) endGroup();
  try {
    const how = await closed;
    signal.throwIfAborted();
    return { ...how, stdout: outputs.stdout(), stderr: outputs.stderr(), ...cost.stop() };
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener('abort', endGroup);
    cost.stop();
  }
}

/** The path of a program; undefined where PATH has none of this name. */
export async function onPath(name: string, path = process.env.PATH ?? ''): Promise<string | undefined> {
  for (const folder of path.split(delimiter).filter(Boolean)) {
    const file = join(folder, name);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return undefined;
}

/** No proxy stands between a load generator and this machine's own ports. */
function withoutProxies(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(https?|all)_proxy$/i.test(name)));
}

/** The end of what it says, so that a program that never stops talking fills no memory. */
function collected(stream: NonNullable<ChildProcess['stdout']>): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-mostCharacters);
  });
  return () => text;
}

const mostCharacters = 4_000_000;

function pauseAfter(pid: number, { atMs, lastsMs }: Pause): NodeJS.Timeout[] {
  return [setTimeout(() => signalGroup(pid, 'SIGSTOP'), atMs), setTimeout(() => signalGroup(pid, 'SIGCONT'), atMs + lastsMs)];
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody is left in it.
  }
}
