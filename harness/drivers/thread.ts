import { isMainThread, type MessagePort, parentPort, Worker } from 'node:worker_threads';
import { answer, type Call, type Calls, createCaller, type Question, type Reply } from './calls.ts';

export type Thread<C extends Calls> = {
  /** Rejects with what the thread's function threw, and when the thread ends first. */
  call: Call<C>;
  /** Tells it something that needs no answer. */
  tell: (event: unknown, transferred?: MessagePort[]) => void;
  /** Busy share of its event loop since the last time it was asked. */
  loopUtilization: () => number;
  close: () => Promise<void>;
};

/** Starts a file that calls `answerThread`; `onEvent` gets what it tells unasked. Why it ended before it was closed goes to `onDefect`, once. */
export function startThread<C extends Calls>(
  file: URL,
  { onEvent, onDefect }: { onEvent: (event: unknown) => void; onDefect: (defect: unknown) => void },
): Thread<C> {
  const worker = new Worker(file, { resourceLimits: { maxYoungGenerationSizeMb: 48 } });
  const { call, end, take } = createCaller<C>((question) => worker.postMessage(question));
  worker.on('message', (reply: Reply) => {
    if ('event' in reply) onEvent(reply.event);
    else take(reply);
  });
  let hasEnded = false;
  const endWith = (defect: unknown) => {
    if (hasEnded) return;
    hasEnded = true;
    end(defect);
    onDefect(defect);
  };
  worker.on('error', endWith);
  worker.on('exit', (code) => endWith(new Error(`A thread ended with code ${code} before its work was done`)));
  let lastUtilization = worker.performance.eventLoopUtilization();

  return {
    call,
    tell: (event, transferred = []) => worker.postMessage({ event } satisfies Told, transferred),
    loopUtilization: () => {
      const now = worker.performance.eventLoopUtilization();
      const { utilization } = worker.performance.eventLoopUtilization(now, lastUtilization);
      lastUtilization = now;
      return utilization;
    },
    close: async () => {
      hasEnded = true;
      end(new Error('The thread has been closed'));
      await worker.terminate();
    },
  };
}

/** The thread's side. */
export function answerThread<C extends Calls>(calls: C, onTold: (event: unknown) => void = () => {}): (event: unknown) => void {
  if (isMainThread || parentPort === null) throw new Error('Expected to be a thread that somebody started');
  const port = parentPort;
  port.on('message', async (message: Question | Told) => {
    if ('event' in message) onTold(message.event);
    else port.postMessage(await answer(calls, message));
  });
  return (event) => port.postMessage({ event } satisfies Reply);
}

type Told = { event: unknown };
