import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { everyoneLeaves } from '../../../harness/patience.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('visitors who leave in time are not broken off', async () => {
  const { left, told, waiting } = waited();
  await vi.advanceTimersByTimeAsync(599_999);
  left.resolve();
  await waiting;
  expect(told).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('visitors who do not leave for ten minutes are broken off, and then their answers are waited for', async () => {
  const { left, told, waiting } = waited();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(told).toEqual(['some visitors had not left 10 minutes after the last arrival']);
  await vi.advanceTimersByTimeAsync(60_000);
  left.resolve();
  await waiting;
  expect(vi.getTimerCount()).toBe(0);
});

test('a thread that does not even hear that the load was broken off is not waited for', async () => {
  const { waiting } = waited();
  const ended = expect(waiting).rejects.toThrow('after 90 s a journey still keeps its thread busy');
  await vi.advanceTimersByTimeAsync(690_000);
  await ended;
});

test('a generator that ends is not waited for', async () => {
  const { left, told, waiting } = waited();
  left.reject(new Error('interrupted'));
  await expect(waiting).rejects.toThrow('interrupted');
  expect([told, vi.getTimerCount()]).toEqual([[], 0]);
});

function waited() {
  const left = Promise.withResolvers<void>();
  const told: string[] = [];
  const waiting = everyoneLeaves({ driver: { drained: () => left.promise }, breakOff: (why) => void told.push(why) });
  return { left, told, waiting };
}
