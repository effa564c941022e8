import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, UsageError } from '../core/errors.ts';
import { monotonic, waitUntil } from '../core/time.ts';
import { signalGroup } from './group.ts';

export type ProcessOptions = {
  /** How people know it: `MariaDB`, `orders.1`. */
  name: string;
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Both its outputs are appended here; its folder is made. */
  logFile: string;
};

export type RunningProcess = {
  name: string;
  pid: number;
  /** Resolves once `probe` answers true. Rejects with one sentence when the process ends first or `timeoutMs` pass, and when `signal` fires. */
  ready: (options: { timeoutMs: number; signal: AbortSignal; probe: () => Promise<boolean> }) => Promise<void>;
  /** Resolves with its exit when it ends by itself successfully; rejects with one sentence when it fails. */
  succeeded: (options: { timeoutMs: number; signal: AbortSignal }) => Promise<void>;
  /**
   * SIGTERM to it and all it has started, and SIGKILL after `graceMs`; resolves when it is gone. What it has started is killed as soon as
   * it is gone itself, whatever ended it. Calling it again, or for a dead process, is fine.
   */
  stop: (graceMs?: number) => Promise<void>;
  /** SIGKILL to it and all it has started; resolves when it is gone. For a dead process: nothing. */
  kill: () => Promise<void>;
  /** SIGSTOP to it and all it has started; resolves when the system has stopped it. */
  pause: () => Promise<void>;
  /** SIGCONT. */
  resume: () => void;
  hasEnded: () => boolean;
  /** How it ended (`exit 1`, `SIGKILL`) and when, in nanoseconds of `process.hrtime`, if that was after it had been ready and nobody had told it to. */
  death: () => { how: string; atNs: bigint } | undefined;
};

/**
 * Starts a process in a group of its own, so that Ctrl-C in the terminal reaches only the harness, which then stops everything in order.
 * Throws a `UsageError` when the program cannot be started at all.
 */
export async function startProcess({ name, command, args, env, logFile }: ProcessOptions): Promise<RunningProcess> {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  // What stands there already was said by those that had its place before.
  const firstByte = fstatSync(log).size;
  const child = spawn(command, args, { env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  await spawned(child).catch((cause) => {
    throw new UsageError(`${name} could not be started: ${messageOf(cause)}`, { cause });
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${name} started without a process id`);
  let end: { how: string; atNs: bigint } | undefined;
  let wasReady = false;
  let isToldToStop = false;
  child.once('exit', (code, signal) => {
    end = { how: signal ?? `exit ${code}`, atNs: process.hrtime.bigint() };
    signalGroup(pid, 'SIGKILL');
  });
  const ended = exitOf(child);
  const failed = (what: string) => new UsageError(`${name} ${what}${lastWordsOf(logFile, firstByte)}`);

  return {
    name,
    pid,
    async ready({ timeoutMs, signal, probe }) {
      const deadline = monotonic() + timeoutMs;
      for (;;) {
        signal.throwIfAborted();
        if (hasEnded(child)) throw failed(`${describeExit(await ended)} before it was ready`);
        if (await probe()) {
          wasReady = true;
          return;
        }
        if (monotonic() > deadline) throw failed(`was not ready after ${timeoutMs / 1_000} s`);
        await Promise.race([ended, sleep(probeEveryMs, undefined, { signal })]);
      }
    },
    async succeeded({ timeoutMs, signal }) {
      const exit = await Promise.race([ended, sleep(timeoutMs, undefined, { signal, ref: false })]);
      if (exit === undefined) throw failed(`was not done after ${timeoutMs / 1_000} s`);
      if (exit.code !== 0) throw failed(describeExit(exit));
    },
    async stop(graceMs = 3_000) {
      if (hasEnded(child)) return;
      isToldToStop = true;
      signalGroup(pid, 'SIGTERM');
      // A paused process hears SIGTERM only once it runs again.
      signalGroup(pid, 'SIGCONT');
      const isGone = await Promise.race([ended, sleep(graceMs, undefined, { ref: false })]);
      if (isGone === undefined) signalGroup(pid, 'SIGKILL');
      await ended;
    },
    async kill() {
      if (hasEnded(child)) return;
      isToldToStop = true;
      signalGroup(pid, 'SIGKILL');
      await ended;
    },
    async pause() {
      if (hasEnded(child)) return;
      signalGroup(pid, 'SIGSTOP');
      await waitUntil(
        { timeoutMs: 1_000, everyMs: 1, describe: () => `${name} did not stop on SIGSTOP` },
        () => hasEnded(child) || isStopped(pid),
      );
    },
    resume() {
      if (!hasEnded(child)) signalGroup(pid, 'SIGCONT');
    },
    hasEnded: () => hasEnded(child),
    death: () => (wasReady && !isToldToStop ? end : undefined),
  };
}

const probeEveryMs = 20;

type Exit = { code: number | null; signal: NodeJS.Signals | null };

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
}

/** Systems without /proc are taken at their word. */
function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.startsWith('T', stat.lastIndexOf(')') + 2);
  } catch {
    return true;
  }
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

const describeExit = ({ code, signal }: Exit) => (signal === null ? `ended with code ${code}` : `was ended by ${signal}`);

/** What a process said last, as the tail of a sentence: `; the end of orders.1.log: "Error: …"`. */
function lastWordsOf(logFile: string, firstByte: number): string {
  const words = lastWords(readFileSync(logFile).subarray(firstByte).subarray(-16_384).toString('utf8'));
  return words === '' ? ` and left nothing in ${logFile}` : `; the end of ${basename(logFile)}: "${words}" (all of it: ${logFile})`;
}

/** The one or two lines at the end of a log that say most: those that speak of an error, else the very last. Stack frames are passed over. */
export function lastWords(log: string): string {
  const lines = log
    .split('\n')
    .map((line) => messageIn(line.trim()))
    .filter((line) => line !== '' && !/^(at |Node\.js v|\^|[{}]+$)/.test(line));
  const telling = lines.filter((line) => /error|fatal|fail|refused|denied|cannot|in use/i.test(line));
  return (telling.length > 0 ? telling : lines)
    .slice(-2)
    .map((line) => (line.length > 240 ? `${line.slice(0, 240)}…` : line))
    .join(' | ');
}

/** The message of a JSON log line; any other line as it is. */
function messageIn(line: string): string {
  if (!line.startsWith('{"')) return line;
  try {
    const fields = JSON.parse(line) as { msg?: unknown; err?: { message?: unknown } };
    return [fields.msg, fields.err?.message].filter((part) => typeof part === 'string').join(': ') || line;
  } catch {
    return line;
  }
}
