import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDurations } from '../../../../harness/observe/durations.ts';

const milliseconds = fc.array(fc.double({ min: 0.06, max: 50_000, noNaN: true }), { minLength: 1, maxLength: 200 });
const of = (values: readonly number[]) => {
  const durations = createDurations();
  for (const value of values) durations.add(value);
  return durations;
};

test('a quantile is at most a bucket above the true one, and never below it', () => {
  fc.assert(
    fc.property(milliseconds, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, share) => {
      const exact = values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(share * values.length)) - 1] ?? 0;
      const found = of(values).quantileMs(share) ?? 0;
      expect(found).toBeGreaterThanOrEqual(exact * 0.999_999);
      expect(found).toBeLessThanOrEqual(exact * 1.0501);
    }),
  );
});

test('merging is as good as counting together', () => {
  fc.assert(
    fc.property(milliseconds, milliseconds, (some, others) => {
      const merged = of(some);
      merged.merge(of(others));
      const together = of([...some, ...others]);
      expect([...merged.counts]).toEqual([...together.counts]);
      expect(merged.count()).toBe(together.count());
    }),
    { numRuns: 50 },
  );
});

test('counts what is longer, to within a bucket', () => {
  const durations = of([1, 2, 3, 100, 200]);
  expect([durations.longerThan(0.5), durations.longerThan(50), durations.longerThan(150), durations.longerThan(1_000)]).toEqual([
    5, 2, 1, 0,
  ]);
});

test('there is nothing to say of nothing, and no value is out of bounds', () => {
  expect(createDurations().quantileMs(0.95)).toBeUndefined();
  const extremes = of([0, -1, 0.001, 1e9]);
  expect(extremes.count()).toBe(4);
  expect([...extremes.counts].reduce((sum, count) => sum + count, 0)).toBe(4);
});
