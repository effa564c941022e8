import { expect, test } from 'vitest';
import { createBreaker } from '../../../../system/governance/breaker.ts';
import { guardedBy } from '../../../../system/governance/guarded.ts';

const hasFailed = (thrown: unknown) => thrown instanceof RangeError;
const refuse = () => Promise.reject(new Error('refused'));
/** Refuses as soon as it may. */
const strictBreaker = () => createBreaker({ clockNs: () => 0, random: () => 0 });

test('an answer is a success', async () => {
  const breaker = strictBreaker();
  expect(await guardedBy(breaker, { hasFailed })(async () => 'answer', refuse)).toBe('answer');
  expect(breaker.totals).toEqual({ success: 1, failure: 0, drop: 0 });
});

test('a rejection is passed on, never to the fallback, and is a failure only if it is of that kind', async () => {
  const breaker = strictBreaker();
  const guarded = guardedBy(breaker, { hasFailed });
  const rejectWith = (error: Error) =>
    guarded<string>(
      () => Promise.reject(error),
      async () => 'fallback',
    );
  await expect(rejectWith(new RangeError('broken'))).rejects.toThrow('broken');
  await expect(rejectWith(new TypeError('no such order'))).rejects.toThrow('no such order');
  expect(breaker.totals).toEqual({ success: 1, failure: 1, drop: 0 });
  expect(breaker.reasons().map(({ text }) => text)).toEqual(['broken']);
});

test('what is refused is not begun, and rejects or is answered otherwise', async () => {
  const breaker = strictBreaker();
  for (let n = 0; n < 6; n += 1) breaker.failure();
  const guarded = guardedBy(breaker, { hasFailed });
  let begun = 0;
  const work = async () => `${++begun}`;
  await expect(guarded(work, refuse)).rejects.toThrow('refused');
  expect(await guarded(work, async () => 'fallback')).toBe('fallback');
  expect([begun, breaker.totals.drop]).toEqual([0, 2]);
});
