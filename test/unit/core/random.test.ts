import { expect, test } from 'vitest';
import { seededRandom } from '../../../core/random.ts';

const draw = (seed: number, count: number) => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, random);
};

test('the same seed draws the same numbers, another seed draws others', () => {
  expect(draw(7, 20)).toEqual(draw(7, 20));
  expect(draw(7, 20)).not.toEqual(draw(8, 20));
});

test('draws are uniform in [0, 1)', () => {
  const numbers = draw(42, 100_000);
  const tenths = Array.from({ length: 10 }, (_, tenth) => numbers.filter((number) => Math.floor(number * 10) === tenth).length);
  expect(Math.min(...tenths)).toBeGreaterThan(9_600);
  expect(Math.max(...tenths)).toBeLessThan(10_400);
});
