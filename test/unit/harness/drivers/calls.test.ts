import { expect, test } from 'vitest';
import { answer, createCaller, type Question } from '../../../../harness/drivers/calls.ts';

type Sums = { add: (one: number, other: number) => Promise<number>; fail: (why: string) => void; wait: () => Promise<never> };
const sums: Sums = {
  add: async (one, other) => one + other,
  fail: (why) => {
    throw new RangeError(why);
  },
  wait: () => new Promise(() => {}),
};

test('answers find their questions, in whatever order they come', async () => {
  const asked: Question[] = [];
  const { call, take } = createCaller<Sums>((question) => asked.push(question));
  const both = [call('add', 1, 2), call('add', 30, 40)];
  for (const question of asked.toReversed()) take((await answer(sums, question)) as { id: number; answer: unknown });
  expect(await Promise.all(both)).toEqual([3, 70]);
});

test.each<[string, (call: ReturnType<typeof connected>['call']) => Promise<unknown>, string]>([
  ['what the other side throws', (call) => call('fail', 'too much'), 'too much'],
  ['a question that the other side does not know', (call) => call('subtract' as 'add', 1, 2), 'not a function'],
])('%s is thrown on this side', async (_, ask, message) => {
  await expect(ask(connected().call)).rejects.toThrow(message);
});

test('an error travels with its stack, but without what caused it: that may be nothing that can be copied', async () => {
  const thrown = new Error('too much', { cause: { of: () => 1 } });
  const reply = await answer({ fail: () => Promise.reject(thrown) }, { id: 1, call: 'fail', args: [] });
  const failed = structuredClone('failed' in reply ? reply.failed : undefined);
  expect(failed).toBeInstanceOf(Error);
  expect([failed?.message, failed?.stack, failed?.cause]).toEqual(['too much', thrown.stack, undefined]);
});

test('what is thrown and no error arrives as one', async () => {
  const reply = await answer({ fail: () => Promise.reject('a word') }, { id: 1, call: 'fail', args: [] });
  expect(reply).toMatchObject({ failed: { message: 'a word' } });
});

test('a question that cannot be sent fails, and no other', async () => {
  const { call } = createCaller<Sums>(({ args }, onFailed) => {
    if (args[0] === 1) onFailed(new Error('no way through'));
    if (args[0] === 2) throw new TypeError('cannot be copied');
  });
  await expect(call('add', 1, 0)).rejects.toThrow('no way through');
  await expect(call('add', 2, 0)).rejects.toThrow('cannot be copied');
});

test('when a side has ended, who waits for it and who asks it later hears the first reason', async () => {
  const { call, end } = connected();
  const waiting = [call('wait'), call('wait')];
  end(new Error('it died'));
  end(new Error('it was closed'));
  for (const each of [...waiting, call('add', 1, 2)]) await expect(each).rejects.toThrow('it died');
});

test('a question that cannot be sent because a side has ended fails with why it ended', async () => {
  const failures: ((cause: unknown) => void)[] = [];
  const { call, end } = createCaller<Sums>((_, onFailed) => failures.push(onFailed));
  const asked = call('wait');
  end(new Error('it died'));
  for (const fail of failures) fail(new Error('the channel is closed'));
  await expect(asked).rejects.toThrow('it died');
});

test('an answer to a question that nobody asked any more is passed over', () => {
  const { take, end } = connected();
  end(new Error('it died'));
  expect(() => take({ id: 7, answer: 3 })).not.toThrow();
  expect(() => take({ id: 8, failed: new Error('late') })).not.toThrow();
});

/** Both sides, with nothing between them. */
function connected() {
  const caller = createCaller<Sums>(async (question) => {
    const reply = await answer(sums, question);
    if (!('event' in reply)) caller.take(reply);
  });
  return caller;
}
