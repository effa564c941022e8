import { expect, test, vi } from 'vitest';
import { singleFlight } from '../../../../system/stores/flight.ts';

test('those who ask for one key at one time share one answer', async () => {
  const { share } = singleFlight();
  const gate = Promise.withResolvers<number>();
  const fetch = vi.fn(() => gate.promise);
  const answers = [share('a', fetch), share('a', fetch), share('b', async () => 2)];
  gate.resolve(1);
  expect(await Promise.all(answers)).toEqual([1, 1, 2]);
  expect(fetch).toHaveBeenCalledTimes(1);
});

test('an error is shared and not remembered', async () => {
  const { share } = singleFlight();
  const failing = () => Promise.reject(new Error('gone'));
  const outcomes = await Promise.allSettled([share('a', failing), share('a', failing)]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await expect(share('a', async () => 3)).resolves.toBe(3);
});

test('who asks after a drop does not share what was being fetched, which learns that it is no longer current', async () => {
  const { share, drop } = singleFlight();
  const gate = Promise.withResolvers<void>();
  const slow = (value: string) => async (isCurrent: () => boolean) => {
    const before = isCurrent();
    await gate.promise;
    return [value, before, isCurrent()];
  };
  const old = share('a', slow('old'));
  await Promise.resolve();
  drop('a');
  const fresh = share('a', slow('new'));
  gate.resolve();
  expect(await Promise.all([old, fresh, share('a', slow('shared'))])).toEqual([
    ['old', true, false],
    ['new', true, true],
    ['new', true, true],
  ]);
});
