import { messageOf } from '../../core/errors.ts';

/** What the other side of a channel can be asked: names and the functions that answer them. Arguments and results are copied, Maps and bigints too. */
export type Calls = Record<string, (...args: never[]) => unknown>;
export type Answered<C extends Calls, K extends keyof C> = Promise<Awaited<ReturnType<C[K]>>>;
export type Call<C extends Calls> = <K extends keyof C & string>(name: K, ...args: Parameters<C[K]>) => Answered<C, K>;

/** Messages to the side that answers, and back. */
export type Question = { id: number; call: string; args: unknown[] };
export type Reply = { id: number; answer: unknown } | { id: number; failed: Error } | { event: unknown };

/** The side that asks: `end` fails every call that is open, and those to come. */
export function createCaller<C extends Calls>(send: (question: Question, onFailed: (cause: unknown) => void) => void) {
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (reason: unknown) => void }>();
  let asked = 0;
  let ended: { why: unknown } | undefined;

  return {
    call: ((name: string, ...args: unknown[]) =>
      new Promise<unknown>((resolve, reject) => {
        if (ended !== undefined) return reject(ended.why);
        const id = asked++;
        open.set(id, { resolve, reject });
        send({ id, call: name, args }, reject);
      })) as unknown as Call<C>,
    /** The first reason stands. */
    end: (why: unknown) => {
      ended ??= { why };
      for (const { reject } of open.values()) reject(ended.why);
      open.clear();
    },
    take: (reply: Exclude<Reply, { event: unknown }>) => {
      const call = open.get(reply.id);
      open.delete(reply.id);
      if ('failed' in reply) call?.reject(reply.failed);
      else call?.resolve(reply.answer);
    },
  };
}

/** The side that answers. */
export async function answer(calls: Calls, { id, call, args }: Question): Promise<Reply> {
  try {
    return { id, answer: await (calls[call] as (...args: unknown[]) => unknown)(...args) };
  } catch (failed) {
    return { id, failed: copyOf(failed) };
  }
}

/** An error that can be copied whatever caused it, which may be a function; what comes from a thread looks like an error and copies as `{}`. */
function copyOf(thrown: unknown): Error {
  const copy = new Error(messageOf(thrown));
  if (thrown instanceof Error && thrown.stack !== undefined) copy.stack = thrown.stack;
  return copy;
}
