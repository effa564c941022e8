import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../core/errors.ts';

/** What a child process can be asked: names and the functions that answer them. Arguments and results are copied, Maps and bigints too. */
type Calls = Record<string, (...args: never[]) => unknown>;
type Answered<C extends Calls, K extends keyof C> = Promise<Awaited<ReturnType<C[K]>>>;

export type Child<C extends Calls> = {
  pid: number;
  /** Rejects with what the child's function threw, when the child ends first, and when the signal fires. */
  call: <K extends keyof C & string>(name: K, ...args: Parameters<C[K]>) => Answered<C, K>;
  /** Ends the child; harmless when it has ended already. */
  close: () => Promise<void>;
};

/** Starts a program that calls `answerCalls`. `name` is what error messages call it; `onEvent` gets what it `tell`s unasked. */
export function startChild<C extends Calls>(
  { name, file, signal }: { name: string; file: URL; signal: AbortSignal },
  onEvent: (event: unknown) => void = () => {},
): Child<C> {
  signal.throwIfAborted();
  const child = fork(fileURLToPath(file), {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const exited = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (reason: unknown) => void }>();
  let lastWords = '';
  let asked = 0;
  let ended: Error | undefined;

  const end = (why: Error) => {
    ended ??= why;
    for (const { reject } of open.values()) reject(ended);
    open.clear();
  };
  const abort = () => {
    end(signal.reason);
    child.kill('SIGKILL');
  };

  signal.addEventListener('abort', abort, { once: true });
  child.stderr?.on('data', (chunk) => {
    lastWords = (lastWords + chunk).slice(-4_000);
  });
  child.on('error', (cause) => end(new Error(`The ${name} did not start: ${messageOf(cause)}`, { cause })));
  child.on('exit', (code, killedBy) => {
    signal.removeEventListener('abort', abort);
    end(new Error(`The ${name} ended with ${killedBy ?? `code ${code}`} before its work was done\n${lastWords}`.trimEnd()));
  });
  child.on('message', (message: FromChild) => {
    if ('event' in message) return onEvent(message.event);
    const call = open.get(message.id);
    open.delete(message.id);
    if ('failed' in message) call?.reject(message.failed);
    else call?.resolve(message.answer);
  });

  return {
    pid: child.pid ?? 0,
    call: <K extends keyof C & string>(call: K, ...args: Parameters<C[K]>) =>
      new Promise<unknown>((resolve, reject) => {
        if (ended !== undefined) return reject(ended);
        const id = asked++;
        open.set(id, { resolve, reject });
        child.send({ id, call, args } satisfies ToChild, (failed) => {
          if (failed) reject(ended ?? failed);
        });
      }) as Answered<C, K>,
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      ended ??= new Error(`The ${name} has been closed`);
      if (child.connected) child.disconnect();
      // A child that answers calls leaves when it is disconnected; one that hangs is not waited for.
      const killer = setTimeout(() => child.kill('SIGKILL'), 2_000);
      await exited;
      clearTimeout(killer);
    },
  };
}

/**
 * The child's side: answers calls until the parent closes the channel or dies, and leaves with it. Answers with a function that tells
 * the parent something unasked.
 */
export function answerCalls<C extends Calls>(answers: C): (event: unknown) => void {
  const send = (message: FromChild) => {
    if (process.connected) process.send?.(message);
  };
  process.on('disconnect', () => process.exit());
  // Ctrl-C reaches every process of a terminal; it is the parent who decides what becomes of a run, and of this process.
  process.on('SIGINT', () => {});
  process.on('message', async ({ id, call, args }: ToChild) => {
    try {
      send({ id, answer: await (answers[call] as (...args: unknown[]) => unknown)(...args) });
    } catch (failed) {
      send({ id, failed });
    }
  });
  return (event) => send({ event });
}

type ToChild = { id: number; call: string; args: unknown[] };
type FromChild = { id: number; answer: unknown } | { id: number; failed: unknown } | { event: unknown };
