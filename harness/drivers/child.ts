import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../core/errors.ts';
import { answer, type Call, type Calls, createCaller, type Question, type Reply } from './calls.ts';

export type Child<C extends Calls> = {
  pid: number;
  /** Rejects with what the child's function threw, when the child ends first, and when the signal fires. */
  call: Call<C>;
  /** Ends the child; harmless when it has ended already. */
  close: () => Promise<void>;
};

/**
 * Starts a program that calls `answerCalls`. `name` is what error messages call it; `onEvent` gets what it `tell`s unasked, `onPrinted` what it
 * writes to stdout and stderr, cut anywhere. All of that has come when `close` resolves.
 */
export function startChild<C extends Calls>(
  {
    name,
    file,
    signal,
    onPrinted = () => {},
  }: { name: string; file: URL; signal: AbortSignal; onPrinted?: ((text: string) => void) | undefined },
  onEvent: (event: unknown) => void = () => {},
): Child<C> {
  signal.throwIfAborted();
  const child = fork(fileURLToPath(file), {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const exited = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  // Not the child's own 'close': that does not come when it is us who disconnect.
  const silent = Promise.all([child.stdout, child.stderr].map((stream) => new Promise((resolve) => stream?.once('close', resolve))));
  const { call, end, take } = createCaller<C>((question, onFailed) => child.send(question, (cause) => cause && onFailed(cause)));
  let lastWords = '';

  const abort = () => {
    end(signal.reason);
    child.kill('SIGKILL');
  };
  signal.addEventListener('abort', abort, { once: true });
  // Always read, whoever wants it: a child keeps all that nobody takes.
  child.stdout?.setEncoding('utf8').on('data', onPrinted);
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-4_000);
    onPrinted(text);
  });
  child.on('error', (cause) => end(new Error(`The ${name} did not start: ${messageOf(cause)}`, { cause })));
  child.on('exit', (code, killedBy) => {
    signal.removeEventListener('abort', abort);
    end(new Error(`The ${name} ended with ${killedBy ?? `code ${code}`} before its work was done\n${lastWords}`.trimEnd()));
  });
  child.on('message', (reply: Reply) => {
    if ('event' in reply) onEvent(reply.event);
    else take(reply);
  });

  return {
    pid: child.pid ?? 0,
    call,
    close: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        end(new Error(`The ${name} has been closed`));
        if (child.connected) child.disconnect();
        // A child that answers calls leaves when it is disconnected; one that hangs is not waited for.
        const killer = setTimeout(() => child.kill('SIGKILL'), 2_000);
        await exited;
        clearTimeout(killer);
      }
      // What it has started itself may go on and hold its output open.
      await noLongerThan(500, silent);
    },
  };
}

async function noLongerThan(ms: number, awaited: Promise<unknown>): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, ms);
  await Promise.race([awaited, over.promise]);
  clearTimeout(timer);
}

/**
 * The child's side: answers calls until the parent closes the channel or dies, and leaves with it. Answers with a function that tells
 * the parent something unasked.
 */
export function answerCalls<C extends Calls>(calls: C): (event: unknown) => void {
  const send = (reply: Reply) => {
    if (process.connected) process.send?.(reply);
  };
  // What is still on its way out would be lost; a parent that has died breaks the pipe, which ends this process, too.
  process.on('disconnect', () => process.stdout.write('', () => process.stderr.write('', () => process.exit())));
  // Ctrl-C reaches every process of a terminal; it is the parent who decides what becomes of a run, and of this process.
  process.on('SIGINT', () => {});
  process.on('message', async (question: Question) => send(await answer(calls, question)));
  return (event) => send({ event });
}
