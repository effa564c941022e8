import { expect, test } from 'vitest';
import { longestUnexplainedMs, orderOf } from '../../../../bench/truth/play.ts';

test('contestants take turns: A B, B A, A B', () => {
  expect([0, 1, 2].map((repeat) => orderOf(['A', 'B'], repeat).join(''))).toEqual(['AB', 'BA', 'AB']);
});

test('a pause that was our own stop is explained', () => {
  const stop = { fromUs: 1_000_000, toUs: 2_000_000 };
  expect(longestUnexplainedMs([{ fromUs: 999_200, toUs: 2_000_300 }], stop)).toBeCloseTo(1.1, 6);
});

test('what a pause lasts beyond our own stop is not explained', () => {
  const stop = { fromUs: 1_000_000, toUs: 2_000_000 };
  expect(longestUnexplainedMs([{ fromUs: 1_999_000, toUs: 2_040_000 }], stop)).toBe(40);
});

test('a pause elsewhere counts whole, and without pauses there is nothing', () => {
  expect(longestUnexplainedMs([{ fromUs: 0, toUs: 25_000 }], { fromUs: 50_000, toUs: 60_000 })).toBe(25);
  expect(longestUnexplainedMs([], undefined)).toBe(0);
});
