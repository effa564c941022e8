import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStretches } from '../../../../harness/observe/stretches.ts';

const widthMs = 100;
const counting = (times: readonly number[], most = 1_000) => {
  const stretches = createStretches<{ count: number }>({ widthMs, most });
  for (const ms of times) {
    const kept = stretches.at(ms, () => ({ count: 0 }));
    if (kept !== undefined) kept.count++;
  }
  return stretches;
};

test('a window gives the stretches whose middle lies in it, in order, whatever the order in which they came', () => {
  const time = fc.integer({ min: -5_000, max: 5_000 });
  fc.assert(
    fc.property(fc.array(time, { maxLength: 60 }), time, time, (times, fromMs, untilMs) => {
      const starts = [...new Set(times.map((ms) => Math.floor(ms / widthMs) * widthMs))].sort((a, b) => a - b);
      const inside = starts.filter((start) => start + widthMs / 2 >= fromMs && start + widthMs / 2 < untilMs);
      expect(counting(times).within({ fromMs, untilMs })).toEqual(
        inside.map((start) => ({
          fromMs: start,
          untilMs: start + widthMs,
          kept: { count: times.filter((ms) => ms >= start && ms < start + widthMs).length },
        })),
      );
    }),
  );
});

test('what comes after a window was asked for is in the next answer', () => {
  const stretches = counting([500]);
  const all = { fromMs: 0, untilMs: 1_000 };
  expect(stretches.within(all)).toHaveLength(1);
  stretches.at(250, () => ({ count: 7 }));
  expect(stretches.within(all).map(({ fromMs }) => fromMs)).toEqual([200, 500]);
});

test('when there is no room for more, those that are there still take in what is theirs', () => {
  const stretches = counting([0, 100, 200, 300, 50, 150], 2);
  expect(stretches.at(900, () => ({ count: 0 }))).toBeUndefined();
  expect(stretches.within({ fromMs: 0, untilMs: 1_000 }).map(({ kept }) => kept.count)).toEqual([2, 2]);
});
