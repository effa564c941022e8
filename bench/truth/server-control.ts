import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { startWatchdog } from '../../compose/watchdog.ts';
import type { Behaviour } from './behaviour.ts';
import { nowUs } from './clock.ts';
import type { Logged, Order, Told } from './messages.ts';

export type TruthServer = {
  pid: number;
  url: string;
  /** Forgets what was, closes all connections, and behaves like this from now on. */
  begin: (behaviour: Behaviour) => Promise<void>;
  /** Resolves with the stamp of the first request since `begin`. */
  firstArrival: (signal: AbortSignal) => Promise<number>;
  logged: () => Promise<Logged>;
  /** Brings its whole process to a standstill, and back. The stamp was taken when the system had been told. */
  stop: () => number;
  resume: () => number;
  close: () => Promise<void>;
};

/** Starts the server in a process of its own. It is never left behind, nor left stopped: it goes with this process, even when that is killed. */
export async function startTruthServer(): Promise<TruthServer> {
  const watchdog = await startWatchdog();
  // With a group of its own, a terminal's Ctrl-C is for whoever started it.
  const child = fork(new URL('./server.ts', import.meta.url), { serialization: 'advanced', detached: true });
  const { pid } = child;
  if (pid === undefined) throw new Error('Expected the truth server to start');
  watchdog.guardProcess(pid);
  // Also ends a process that is stopped.
  const killNow = () => void child.kill('SIGKILL');
  process.once('exit', killNow);
  const { port } = await hear(child, (told) => ('port' in told ? told : undefined)).promise;
  let first = listenForFirst();

  return {
    pid,
    url: `http://127.0.0.1:${port}/`,
    begin: async (behaviour) => {
      first.leave();
      first = listenForFirst();
      await ask({ kind: 'begin', behaviour }, (told) => ('begun' in told ? told : undefined));
    },
    firstArrival: async (signal) => {
      signal.throwIfAborted();
      const aborted = Promise.withResolvers<never>();
      const onAbort = () => aborted.reject(signal.reason);
      signal.addEventListener('abort', onAbort);
      try {
        return (await Promise.race([first.promise, aborted.promise])).firstUs;
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    },
    logged: async () => (await ask({ kind: 'report' }, (told) => ('logged' in told ? told : undefined))).logged,
    stop: () => send('SIGSTOP'),
    resume: () => send('SIGCONT'),
    close: async () => {
      first.leave();
      process.off('exit', killNow);
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        killNow();
        await exited;
      }
      await watchdog.close();
    },
  };

  function listenForFirst() {
    const heard = hear(child, (told) => ('firstUs' in told ? told : undefined));
    // Not everyone waits for it.
    heard.promise.catch(() => undefined);
    return heard;
  }

  function ask<T>(order: Order, pick: (told: Told) => T | undefined): Promise<T> {
    const { promise } = hear(child, pick);
    child.send(order);
    return promise;
  }

  function send(signal: 'SIGSTOP' | 'SIGCONT'): number {
    if (!child.kill(signal)) throw new Error(`Expected the truth server to take ${signal}, it has gone`);
    return nowUs();
  }
}

/** Asks `count` times in turn on one connection: how long a request takes on this machine when nobody waits. Answers in ms, in order. */
export async function ping(url: string, count: number): Promise<number[]> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  const { promise, resolve, reject } = Promise.withResolvers<number[]>();
  const tookMs: number[] = [];
  let sentUs = 0;
  const send = () => {
    sentUs = nowUs();
    socket.write(`GET / HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  };
  socket.on('data', () => {
    tookMs.push((nowUs() - sentUs) / 1_000);
    if (tookMs.length === count) resolve(tookMs);
    else send();
  });
  socket.once('error', reject);
  socket.once('close', () => reject(new Error('Expected the truth server to keep its connection')));
  send();
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

/** The next thing of a kind that the server tells; rejects when it ends before. `leave` waits no more. */
function hear<T>(child: ChildProcess, pick: (told: Told) => T | undefined): { promise: Promise<T>; leave: () => void } {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onMessage = (told: Told) => {
    const picked = pick(told);
    if (picked === undefined) return;
    leave();
    resolve(picked);
  };
  const onExit = (code: number | null, signal: string | null) => {
    leave();
    reject(new Error(`The truth server ended with ${signal ?? code} before its work was done`));
  };
  const leave = () => {
    child.off('message', onMessage);
    child.off('exit', onExit);
  };
  child.on('message', onMessage);
  child.on('exit', onExit);
  return { promise, leave };
}
