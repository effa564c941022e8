import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../core/random.ts';
import { type Arrivals, arrivalTimes, expectedArrivals, lengthOf, type Schedule, type Stage } from '../../../harness/schedule.ts';

const rates = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 }), fc.double({ min: 0, max: 3_000, noNaN: true }));
const lengths = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000 }), fc.double({ min: 0.001, max: 100, noNaN: true }));
const shapes = fc.array(fc.record<Stage>({ lastsMs: lengths, fromPerSecond: rates, toPerSecond: rates }), { maxLength: 6 });
const schedules = fc.record<Schedule>({
  stages: shapes,
  arrivals: fc.constantFrom<Arrivals>('uniform', 'poisson'),
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
});

const uniform = (...stages: Stage[]) => [...arrivalTimes({ stages, arrivals: 'uniform', seed: 0 })];
const poisson = (seed: number, ...stages: Stage[]) => [...arrivalTimes({ stages, arrivals: 'poisson', seed })];
const stage = (lastsMs: number, fromPerSecond: number, toPerSecond = fromPerSecond): Stage => ({ lastsMs, fromPerSecond, toPerSecond });

test.each<[Stage[], number]>([
  [[stage(10_000, 100)], 1_000],
  [[stage(10_000, 1, 3_000)], 15_005],
  [[stage(10_000, 3_000, 1)], 15_005],
  [[stage(1_000, 0, 100)], 50],
  [[stage(1_000, 100, 0)], 50],
  [[stage(1_000, 0)], 0],
  [[stage(0, 10)], 0],
  [[], 0],
  [[stage(1_000, 100), stage(0, 100, 300), stage(1_000, 300)], 400],
  [[stage(1_000, 0, 100), stage(5_000, 0), stage(1_000, 100, 0)], 100],
  [Array.from({ length: 9 }, () => stage(100, 2.5)), 2],
])('%j have %i uniform arrivals', (stages, count) => {
  expect(uniform(...stages)).toHaveLength(count);
});

test('a constant rate is evenly spaced', () => {
  expect(uniform(stage(100, 100)).map(rounded)).toEqual([5, 15, 25, 35, 45, 55, 65, 75, 85, 95]);
});

test('a ramp from nothing follows the square root, and one to nothing its mirror image', () => {
  const rising = [0.5, 1.5, 2.5, 3.5].map((area) => Math.sqrt(area / 4) * 80);
  expect(uniform(stage(80, 0, 100)).map(rounded)).toEqual(rising.map(rounded));
  expect(uniform(stage(80, 100, 0)).map(rounded)).toEqual(rising.map((time) => rounded(80 - time)).reverse());
});

test('a spike jumps up and down at once', () => {
  const times = uniform(stage(100, 10), stage(10, 1_000), stage(100, 10));
  expect(times.map((time) => rounded(time))).toEqual([50, 100.5, 101.5, 102.5, 103.5, 104.5, 105.5, 106.5, 107.5, 108.5, 109.5, 160]);
});

test('nobody comes while the rate is zero', () => {
  const stages = [stage(500, 0), stage(500, 200), stage(500, 0), stage(500, 200), stage(500, 0)];
  const isQuiet = (time: number) => time < 500 || (time > 1_000 && time < 1_500) || time > 2_000;
  expect(uniform(...stages).filter(isQuiet)).toEqual([]);
  expect(poisson(1, ...stages).filter(isQuiet)).toEqual([]);
});

test('arrivals are in order and inside their schedule', () => {
  fc.assert(
    fc.property(schedules, (schedule) => {
      let previous = 0;
      for (const time of arrivalTimes(schedule)) {
        if (!(time >= previous && time < lengthOf(schedule))) return false;
        previous = time;
      }
      return true;
    }),
    { numRuns: 200 },
  );
});

test('a fall to nothing has its last arrival even where rounding puts it beyond the end', () => {
  const exactlyHalf = fc.record({ lastsMs: fc.double({ min: 1, max: 3_000, noNaN: true }), whole: fc.integer({ min: 1, max: 1_000 }) });
  fc.assert(
    fc.property(exactlyHalf, ({ lastsMs, whole }) => {
      const times = uniform(stage(lastsMs, ((whole + 0.5) * 2_000) / lastsMs, 0));
      expect(times.every((time) => time < lastsMs)).toBe(true);
      expect([whole, whole + 1]).toContain(times.length);
    }),
    { numRuns: 500 },
  );
});

test('the last half arrival lies before the end, not on it, also on a clock that counts from 1970', () => {
  const [time = Number.NaN] = uniform(stage(1_000, 0.5));
  const startMs = 1_795_269_953_113.25;
  expect(startMs + time).toBeLessThan(startMs + 1_000);
  expect(time).toBeCloseTo(1_000, 2);
});

test('there are as many uniform arrivals as the area, and the area up to each is its number', () => {
  fc.assert(
    fc.property(shapes, (stages) => {
      const times = uniform(...stages);
      expect(times).toHaveLength(Math.round(expectedArrivals(stages)));
      times.forEach((time, number) => {
        // A microsecond before the end is the last moment.
        const isLast = time >= lengthOf({ stages }) - 0.002;
        const [least, most] = [expectedArrivals(stages, time), isLast ? expectedArrivals(stages) : expectedArrivals(stages, time)];
        expect(number + 0.5).toBeGreaterThan(least - 1e-4);
        expect(number + 0.5).toBeLessThan(most + 1e-4);
      });
    }),
    { numRuns: 100 },
  );
});

test('the shares of any number of workers are together the whole', () => {
  fc.assert(
    fc.property(schedules, fc.integer({ min: 1, max: 9 }), (schedule, of) => {
      const whole = [...arrivalTimes(schedule)];
      const shares = Array.from({ length: of }, (_, index) => [...arrivalTimes(schedule, { index, of })]);
      shares.forEach((share, index) => {
        expect(share).toEqual(whole.filter((_, number) => number % of === index));
      });
      expect(shares.flat().sort((a, b) => a - b)).toEqual(whole);
    }),
    { numRuns: 100 },
  );
});

test('a load in two half stages is the same load', () => {
  const oneStage = fc.record({ lastsMs: fc.integer({ min: 1, max: 2_000 }), fromPerSecond: rates, toPerSecond: rates });
  fc.assert(
    fc.property(oneStage, fc.constantFrom<Arrivals>('uniform', 'poisson'), fc.integer(), (one, arrivals, seed) => {
      const middle = (one.fromPerSecond + one.toPerSecond) / 2;
      const halves = [stage(one.lastsMs / 2, one.fromPerSecond, middle), stage(one.lastsMs / 2, middle, one.toPerSecond)];
      expect(expectedArrivals(halves)).toBeCloseTo(expectedArrivals([one]), 9);
      const times = [...arrivalTimes({ stages: [one], arrivals, seed })];
      const inHalves = [...arrivalTimes({ stages: halves, arrivals, seed })];
      // An arrival on the very end may fall on either side of it.
      expect(Math.abs(inHalves.length - times.length)).toBeLessThanOrEqual(1);
      const both = Math.min(times.length, inHalves.length);
      const areas = (all: number[]) => all.slice(0, both).map((time) => expectedArrivals([one], time));
      const found = areas(inHalves);
      areas(times).forEach((area, number) => {
        expect(found[number]).toBeCloseTo(area, 6);
      });
    }),
    { numRuns: 100 },
  );
});

test.each<Arrivals>(['uniform', 'poisson'])('a hundred thousand stages do not shift the last of the %s arrivals', (arrivals) => {
  // 0.7 ms and 0.1 ms have no exact sum, and each stage holds a fraction of an arrival.
  const stages = Array.from({ length: 100_000 }, (_, index) => stage(index % 2 === 0 ? 0.7 : 0.1, 333.3));
  const times = [...arrivalTimes({ stages, arrivals, seed: 1 })];
  const plain = [...arrivalTimes({ stages: [stage(40_000, 333.3)], arrivals, seed: 1 })];
  expect(times).toHaveLength(plain.length);
  expect(times.at(-1)).toBeCloseTo(plain.at(-1) ?? Number.NaN, 5);
});

describe('poisson arrivals', () => {
  const ramp = stage(100_000, 50, 350);

  test('are the same for the same seed and others for another', () => {
    expect(poisson(1, ramp)).toEqual(poisson(1, ramp));
    expect(poisson(1, ramp)).not.toEqual(poisson(2, ramp));
  });

  test.each([1, 7, 99])('come as often as the rate says, within four standard deviations (seed %i)', (seed) => {
    const expected = expectedArrivals([ramp]);
    expect(Math.abs(poisson(seed, ramp).length - expected)).toBeLessThan(4 * Math.sqrt(expected));
  });

  test.each([3, 8, 2026])('scatter as chance does: the variance of their counts is their mean (seed %i)', (seed) => {
    expect(dispersion(poisson(seed, stage(60_000, 2_000)), { binMs: 10, lastsMs: 60_000 })).toBeGreaterThan(0.95);
    expect(dispersion(poisson(seed, stage(60_000, 2_000)), { binMs: 10, lastsMs: 60_000 })).toBeLessThan(1.05);
  });

  test('begin with a gap like any other', () => {
    const firsts = Array.from({ length: 2_000 }, (_, seed) => poisson(seed, stage(20, 1_000))[0] ?? 20).sort((a, b) => a - b);
    expect(distanceFromExponential(firsts)).toBeLessThan(1.63 / Math.sqrt(firsts.length));
  });

  test('may begin with no gap at all, and even then nobody comes while the rate is zero', () => {
    const rollsZeroFirst = 2_463_401_483;
    expect(seededRandom(rollsZeroFirst)()).toBe(0);
    expect(poisson(rollsZeroFirst, stage(500, 0), stage(500, 0, 100))[0]).toBe(500);
  });

  test.each([3, 8, 2026])('have exponential gaps along the area, also across stages (seed %i)', (seed) => {
    const stages = [stage(20_000, 0, 400), stage(10_000, 0), stage(20_000, 1_000), stage(20_000, 50, 0)];
    const areas = poisson(seed, ...stages).map((time) => expectedArrivals(stages, time));
    const gaps = areas.map((area, number) => area - (areas[number - 1] ?? 0)).sort((a, b) => a - b);
    expect(distanceFromExponential(gaps)).toBeLessThan(1.63 / Math.sqrt(gaps.length));
  });
});

test('uniform arrivals do not scatter', () => {
  expect(dispersion(uniform(stage(10_000, 2_000)), { binMs: 10, lastsMs: 10_000 })).toBeLessThan(0.01);
});

test('the area grows from nothing to the whole and no further', () => {
  const stages = [stage(1_000, 0, 100), stage(1_000, 0), stage(1_000, 100)];
  expect([-5, 0, 500, 1_000, 1_500, 2_500, 3_000, 9_000].map((time) => expectedArrivals(stages, time))).toEqual([
    0, 0, 12.5, 50, 50, 100, 150, 150,
  ]);
});

test('a long phase is walked without keeping it', () => {
  let count = 0;
  for (const time of arrivalTimes({ stages: [stage(3_600_000_000, 1_000_000)], arrivals: 'poisson', seed: 1 })) {
    count += 1;
    if (count === 100_000) {
      expect(Math.abs(time - 100)).toBeLessThan(2);
      break;
    }
  }
  expect(count).toBe(100_000);
});

test.each([
  [{ index: 2, of: 2 }, 'got 2 of 2'],
  [{ index: -1, of: 2 }, 'got -1 of 2'],
  [{ index: 0, of: 0 }, 'got 0 of 0'],
])('the share %j is refused', (share, sentence) => {
  expect(() => arrivalTimes({ stages: [], arrivals: 'uniform', seed: 0 }, share)).toThrow(sentence);
});

test.each([
  [stage(-1, 5), "'lastsMs' of a stage"],
  [stage(1, Number.POSITIVE_INFINITY), "'fromPerSecond' of a stage"],
  [stage(1, 5, Number.NaN), "'toPerSecond' of a stage"],
])('the stage %o is refused', (wrong, sentence) => {
  expect(() => uniform(wrong)).toThrow(sentence);
});

/** Variance of the counts in bins, by their mean. */
function dispersion(times: number[], { binMs, lastsMs }: { binMs: number; lastsMs: number }): number {
  const bins = new Array<number>(lastsMs / binMs).fill(0);
  for (const time of times) {
    const bin = Math.floor(time / binMs);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  const mean = times.length / bins.length;
  return bins.reduce((sum, count) => sum + (count - mean) ** 2, 0) / bins.length / mean;
}

/** Kolmogorov and Smirnov's largest distance from 1 - e^-x, of values in order; it is below 1.63/√n in 99 of 100 samples. */
const distanceFromExponential = (values: number[]) =>
  Math.max(...values.map((value, number) => Math.abs(1 - Math.exp(-value) - (number + 0.5) / values.length)));

const rounded = (ms: number) => Number(ms.toFixed(6));
