import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** A running server. */
export type EmbeddedServer = {
  controlUrl: string;
  pid: number;
  /** How it ended (`exit 1`, `SIGKILL`) and when, in nanoseconds of `process.hrtime`, if nobody had closed it. */
  death(): { how: string; atNs: bigint } | undefined;
  /** Ends it, by force if it must, and returns when it is gone. */
  close(): Promise<void>;
};

type Child = ChildProcessByStdio<Writable, Readable, null>;

const startsWithinMs = 10_000;
const endsWithinMs = 2_000;

/**
 * Starts the embedded server as its own process on a free loopback port. What it complains about goes to `logFile`, whose folder is made, or where this process complains.
 * `signal` gives up the start; a server that runs is ended with `close`, or by the end of this process. `runtimeMetrics` adds to its page of
 * metrics what its process holds: memory, sockets, timers.
 */
export async function startEmbedded({
  signal,
  logFile,
  runtimeMetrics = false,
}: {
  signal: AbortSignal;
  logFile?: string;
  runtimeMetrics?: boolean;
}): Promise<EmbeddedServer> {
  signal.throwIfAborted();
  const child = launch(runtimeMetrics ? ['-runtime-metrics'] : [], logFile);
  try {
    const controlUrl = await controlUrlOf(child, signal);
    let isClosed = false;
    let death: { how: string; atNs: bigint } | undefined;
    child.once('exit', (code, killedBy) => {
      if (!isClosed) death = { how: killedBy ?? `exit ${code}`, atNs: process.hrtime.bigint() };
    });
    return {
      controlUrl,
      pid: child.pid ?? 0,
      death: () => death,
      close() {
        isClosed = true;
        return end(child);
      },
    };
  } catch (error) {
    await end(child);
    throw error;
  }
}

function launch(flags: readonly string[], logFile: string | undefined): Child {
  const log = logFile === undefined ? undefined : openLog(logFile);
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  // Its own process group: Ctrl-C is for the owner, who still needs the proxies to undo what was done.
  const child = spawn(process.execPath, [main, '-host', '127.0.0.1', '-port', '0', ...flags], {
    stdio: ['pipe', 'pipe', log ?? 'inherit'],
    detached: true,
  }) as Child;
  // A server that is already gone needs no telling that its owner ends.
  child.stdin.on('error', () => {});
  if (log !== undefined) closeSync(log);
  return child;
}

function openLog(logFile: string): number {
  mkdirSync(dirname(logFile), { recursive: true });
  return openSync(logFile, 'a');
}

async function controlUrlOf(child: Child, signal: AbortSignal): Promise<string> {
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(startsWithinMs)]);
  const lines = createInterface({ input: child.stdout });
  const [first] = await Promise.race([
    once(lines, 'line', { signal: inTime }),
    once(child, 'exit', { signal: inTime }).then(([code]) => {
      throw new Error(`The embedded Toxiproxy ended with code ${code} before it listened`);
    }),
  ]).catch((cause: unknown) => {
    if (inTime.aborted && !signal.aborted) throw new Error(`The embedded Toxiproxy did not listen within ${startsWithinMs} ms`, { cause });
    throw cause;
  });
  return (JSON.parse(String(first)) as { controlUrl: string }).controlUrl;
}

async function end(child: Child): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.stdin.end();
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), endsWithinMs);
  await exited;
  clearTimeout(force);
}
