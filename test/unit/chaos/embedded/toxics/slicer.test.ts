import fc from 'fast-check';
import { expect, test } from 'vitest';
import { slicer } from '../../../../../chaos/embedded/toxics/slicer.ts';
import { seededRandom } from '../../../../../core/random.ts';
import { actOf } from './stand-in.ts';

test('halves until pieces are at most the average, and waits after each', () => {
  const { read, advance, passed } = actOf(slicer, { average_size: 100, size_variation: 0, delay: 10_000 });
  read(300);
  read(1);
  advance(1000);
  expect(passed).toEqual([0, 10, 20, 30].map((ms) => `${ms}: 75 B stamped 0`).concat('40: 1 B stamped 0'));
});

test('C59 pieces of 32 KiB keep to the average and its variation', () => {
  const { read, passed } = actOf(slicer, { average_size: 1024, size_variation: 512, delay: 0 }, seededRandom(1));
  for (let chunk = 0; chunk < 15; chunk += 1) read(32_000);
  const sizes = sizesIn(passed);
  expect(sizes.length).toBeGreaterThanOrEqual(240);
  expect(sizes.length).toBeLessThanOrEqual(720);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1536);
});

test('whatever its attributes, no byte is lost and no piece is empty', () => {
  const anyNumber = fc.integer({ min: -50, max: 500 });
  fc.assert(
    fc.property(anyNumber, anyNumber, fc.integer({ min: 1, max: 3000 }), fc.integer(), (average_size, size_variation, bytes, seed) => {
      const { read, passed } = actOf(slicer, { average_size, size_variation, delay: 0 }, seededRandom(seed));
      read(bytes);
      const sizes = sizesIn(passed);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(bytes);
      expect(Math.min(...sizes)).toBeGreaterThan(0);
    }),
  );
});

test('gives back what is left of the chunk in one piece', () => {
  const { read, act } = actOf(slicer, { average_size: 100, size_variation: 0, delay: 10_000 });
  read(300);
  expect(act.interrupt?.('restart')?.bytes).toHaveLength(225);
});

const sizesIn = (passed: readonly string[]) => passed.map((line) => Number(/: (\d+) B/.exec(line)?.[1]));
