import { expect, test, vi } from 'vitest';
import { singleFlight } from '../../../../system/stores/flight.ts';

test('those who ask for one key at one time share one answer', async () => {
  const flight = singleFlight();
  const gate = Promise.withResolvers<number>();
  const fetch = vi.fn(() => gate.promise);
  const answers = [flight('a', fetch), flight('a', fetch), flight('b', async () => 2)];
  gate.resolve(1);
  expect(await Promise.all(answers)).toEqual([1, 1, 2]);
  expect(fetch).toHaveBeenCalledTimes(1);
});

test('an error is shared and not remembered', async () => {
  const flight = singleFlight();
  const failing = () => Promise.reject(new Error('gone'));
  const outcomes = await Promise.allSettled([flight('a', failing), flight('a', failing)]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await expect(flight('a', async () => 3)).resolves.toBe(3);
});
