import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createTurnClock, monotonicNs } from '../../../../system/governance/clock.ts';

test('time goes forward, in whole nanoseconds', () => {
  const [first, second] = [monotonicNs(), monotonicNs()];
  expect(second).toBeGreaterThanOrEqual(first);
  expect([Number.isInteger(first), Number.isInteger(second)]).toEqual([true, true]);
});

test('within a turn of the event loop the clock is read once, also behind promises, and anew in the next', async () => {
  let readings = 0;
  const turnNs = createTurnClock(() => ++readings);
  expect([turnNs(), turnNs()]).toEqual([1, 1]);
  await undefined;
  expect(turnNs()).toBe(1);
  // A turn ends after its input and output.
  await setImmediate();
  expect([turnNs(), turnNs()]).toEqual([2, 2]);
});
