import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linear, logarithmic, timeline, within } from '../../../../reports/html/scale.ts';

const format = String;
const valuesOf = (scale: { ticks: { value: number }[] }) => scale.ticks.map(({ value }) => value);

test.each([
  [612, [0, 200, 400, 600, 800]],
  [100, [0, 25, 50, 75, 100]],
  [7, [0, 2, 4, 6, 8]],
  [0, [0, 0.25, 0.5, 0.75, 1]],
])('a linear scale to %d has round ticks', (max, ticks) => expect(valuesOf(linear({ max, format }))).toEqual(ticks));

test.each([
  [{ min: 3, max: 820 }, [1, 10, 100, 1_000]],
  [{ min: 12, max: 40 }, [10, 20, 50]],
  [{ min: 5, max: 5 }, [5, 10]],
  [{ min: 0.4, max: 3 }, [0.2, 0.5, 1, 2, 5]],
])('a logarithmic scale over %o has ticks at its ends', (bounds, ticks) => {
  expect(valuesOf(logarithmic({ ...bounds, format })).map((value) => Number(value.toPrecision(6)))).toEqual(ticks);
});

test('a timeline has at most eight ticks, at round moments', () => {
  expect(timeline({ fromMs: -3_000, untilMs: 90_000 }).ticks.map(({ label }) => label)).toEqual([
    '0:00',
    '0:15',
    '0:30',
    '0:45',
    '1:00',
    '1:15',
    '1:30',
  ]);
  for (const seconds of [1, 9, 59, 61, 600, 3_601, 90_000]) {
    const { length } = timeline({ fromMs: 0, untilMs: seconds * 1_000 }).ticks;
    expect(length).toBeLessThanOrEqual(8);
    expect(length).toBeGreaterThanOrEqual(2);
  }
});

test('ticks within a trace do not lie beyond its end', () => expect(valuesOf(within({ max: 1_079, format }))).toEqual([0, 500, 1_000]));

test('every scale keeps what it is given between 0 and 1, and in order', () => {
  const positive = fc.double({ min: 1e-3, max: 1e7, noNaN: true });
  fc.assert(
    fc.property(positive, positive, positive, positive, (a, b, c, d) => {
      const [min, max] = [Math.min(a, b), Math.max(a, b)];
      const [low, high] = [Math.min(c, d), Math.max(c, d)];
      for (const scale of [linear({ max, format }), logarithmic({ min, max, format }), within({ max, format })]) {
        expect(scale.at(low)).toBeGreaterThanOrEqual(0);
        expect(scale.at(high)).toBeLessThanOrEqual(1);
        expect(scale.at(low)).toBeLessThanOrEqual(scale.at(high));
        expect(scale.ticks.length).toBeGreaterThan(0);
      }
    }),
  );
});
