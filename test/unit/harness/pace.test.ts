import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../core/random.ts';
import { arrivalTimes, expectedArrivals, type Pace, poissonTimes, uniformTimes } from '../../../harness/pace.ts';

const rates = fc.double({ min: 0, max: 3_000, noNaN: true });
const paces: fc.Arbitrary<Pace> = fc.record({ lastsMs: fc.integer({ min: 1, max: 2_000 }), fromPerSecond: rates, toPerSecond: rates });

test.each([
  [{ lastsMs: 10_000, fromPerSecond: 100, toPerSecond: 100 }, 1_000],
  [{ lastsMs: 10_000, fromPerSecond: 1, toPerSecond: 3_000 }, 15_005],
  [{ lastsMs: 10_000, fromPerSecond: 3_000, toPerSecond: 1 }, 15_005],
  [{ lastsMs: 1_000, fromPerSecond: 0, toPerSecond: 100 }, 50],
  [{ lastsMs: 1_000, fromPerSecond: 100, toPerSecond: 0 }, 50],
  [{ lastsMs: 1_000, fromPerSecond: 0, toPerSecond: 0 }, 0],
  [{ lastsMs: 0, fromPerSecond: 10, toPerSecond: 10 }, 0],
])('%o has %i uniform arrivals', (pace, count) => {
  expect([...uniformTimes(pace)]).toHaveLength(count);
});

test('a constant rate is evenly spaced', () => {
  const times = [...uniformTimes({ lastsMs: 100, fromPerSecond: 100, toPerSecond: 100 })];
  expect(times.map((time) => Number(time.toFixed(6)))).toEqual([5, 15, 25, 35, 45, 55, 65, 75, 85, 95]);
});

test('arrivals are in order and inside their phase', () => {
  fc.assert(
    fc.property(paces, fc.constantFrom('uniform' as const, 'poisson' as const), fc.integer(), (pace, arrivals, seed) => {
      let previous = 0;
      for (const time of arrivalTimes(pace, { arrivals, random: seededRandom(seed) })) {
        if (!(time >= previous && time <= pace.lastsMs)) return false;
        previous = time;
      }
      return true;
    }),
    { numRuns: 50 },
  );
});

test('uniform arrivals follow the area under the rate at every moment', () => {
  fc.assert(
    fc.property(paces, (pace) => {
      const times = [...uniformTimes(pace)];
      expect(times).toHaveLength(Math.round(expectedArrivals(pace)));
      times.forEach((time, index) => {
        expect(expectedArrivals(pace, time)).toBeCloseTo(index + 0.5, 4);
      });
    }),
    { numRuns: 20 },
  );
});

describe('poisson arrivals', () => {
  const ramp = { lastsMs: 100_000, fromPerSecond: 50, toPerSecond: 350 };

  test('are the same for the same seed and others for another', () => {
    const times = (seed: number) => [...poissonTimes(ramp, seededRandom(seed))];
    expect(times(1)).toEqual(times(1));
    expect(times(1)).not.toEqual(times(2));
  });

  test('come as often as the rate says, within five standard deviations', () => {
    const expected = expectedArrivals(ramp);
    expect(Math.abs([...poissonTimes(ramp, seededRandom(7))].length - expected)).toBeLessThan(5 * Math.sqrt(expected));
  });

  test('scatter as chance does: the variance of counts equals their mean', () => {
    const steady = { lastsMs: 200_000, fromPerSecond: 100, toPerSecond: 100 };
    const bins = new Array<number>(2_000).fill(0);
    for (const time of poissonTimes(steady, seededRandom(3))) {
      const bin = Math.floor(time / 100);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    const mean = bins.reduce((sum, count) => sum + count, 0) / bins.length;
    const variance = bins.reduce((sum, count) => sum + (count - mean) ** 2, 0) / bins.length;
    expect(variance / mean).toBeGreaterThan(0.85);
    expect(variance / mean).toBeLessThan(1.15);
  });
});
