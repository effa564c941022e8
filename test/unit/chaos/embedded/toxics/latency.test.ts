import { expect, test } from 'vitest';
import { latency } from '../../../../../chaos/embedded/toxics/latency.ts';
import { actOf } from './stand-in.ts';

test('counts from the arrival, so that chunks overlap in flight', () => {
  const { read, advance, passed } = actOf(latency, { latency: 100, jitter: 0 });
  read(1);
  advance(20);
  read(2);
  advance(500);
  // The second was taken at 100 and had 20 ms left: like the original, the next stage counts from its arrival plus that.
  expect(passed).toEqual(['100: 1 B stamped 100', '120: 2 B stamped 40']);
});

test.each([
  [0, 50],
  [0.5, 100],
  [0.999, 149],
])('with a draw of %d a jitter of 50 makes 100 ms into %i', (draw, tookMs) => {
  const { read, advance, passed } = actOf(latency, { latency: 100, jitter: 50 }, () => draw);
  read(1);
  advance(500);
  expect(passed).toEqual([`${tookMs}: 1 B stamped ${tookMs}`]);
});

test('a chunk with a shorter delay does not overtake', () => {
  const draws = [0.99, 0];
  const { read, advance, passed } = actOf(latency, { latency: 100, jitter: 50 }, () => draws.shift() ?? 0);
  read(1);
  read(2);
  advance(500);
  expect(passed).toEqual(['149: 1 B stamped 149', '149: 2 B stamped -99']);
});

test('gives back the chunk it holds', () => {
  const { read, act } = actOf(latency, { latency: 100, jitter: 0 });
  expect(act.interrupt?.('removal')).toBeUndefined();
  read(3);
  expect(act.interrupt?.('removal')?.bytes).toHaveLength(3);
});
