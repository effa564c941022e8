import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { millisecondNs } from '../../../../system/governance/clock.ts';
import { chooseCpuSource, cpuSample, smoothing, startCpuMeter } from '../../../../system/governance/cpu.ts';

const readings = (from: number, sample: number, count: number, memory = 0.95) => {
  const smoothed = smoothing(memory);
  const seen: number[] = [];
  for (let milli = from; seen.length < count; ) {
    milli = smoothed(milli, sample);
    seen.push(milli);
  }
  return seen;
};

test('a sample relates the CPU time used to the quota', () => {
  const used = { usedNs: 180 * millisecondNs, passedNs: 1_000 * millisecondNs, limit: 2 };
  expect(cpuSample({ ...used, cores: 4 })).toBe(360);
  expect(cpuSample({ ...used, cores: 2 })).toBe(180);
});

test('a sample is at most 1000, and 0 when nothing was used, passed or could be read', () => {
  const full = { usedNs: 900, passedNs: 1_000, cores: 4, limit: 2 };
  expect(cpuSample(full)).toBe(1000);
  expect(cpuSample({ ...full, usedNs: 0 })).toBe(0);
  expect(cpuSample({ ...full, passedNs: 0 })).toBe(0);
  expect(cpuSample({ ...full, usedNs: Number.NaN })).toBe(0);
});

test.each([
  [0, 1000, [50, 97, 142, 184, 224, 262, 298, 333]],
  [0, 950, [47, 92, 134, 174]],
  [981, 0, [931, 884, 839, 797, 757]],
  [981, 500, [956, 933, 911]],
])('the reading goes from %d under a steady %d as the original does', (from, sample, expected) => {
  expect(readings(from, sample, expected.length)).toEqual(expected);
});

test.each([
  [0, 1000, 981],
  [0, 950, 931],
  [0, 919, 900],
  [0, 918, 898],
  [981, 500, 500],
])('the reading from %d under a steady %d settles at %d', (from, sample, plateau) => {
  expect(readings(from, sample, 400).at(-1)).toBe(plateau);
});

test.each([
  [1000, 900, 47],
  [1000, 950, 63],
  [950, 900, 62],
  [919, 900, 86],
])('a steady %d reads %d at sample %d', (sample, milli, expected) => {
  expect(readings(0, sample, 400).findIndex((reading) => reading >= milli) + 1).toBe(expected);
});

test('with a shorter memory the reading follows sooner', () => {
  expect(readings(0, 1000, 3, 0.5)).toEqual([500, 750, 875]);
  expect(readings(500, 873, 1, 0)).toEqual([873]);
});

test('a reading lies between the one before and the sample, and never leaves 0..1000', () => {
  const milli = fc.integer({ min: 0, max: 1000 });
  fc.assert(
    fc.property(milli, milli, fc.double({ min: 0, max: 0.999, noNaN: true }), (before, sample, memory) => {
      const after = smoothing(memory)(before, sample);
      // Truncated, so it may be one less.
      expect(after).toBeGreaterThanOrEqual(Math.max(0, Math.min(before, sample) - 1));
      expect(after).toBeLessThanOrEqual(Math.max(before, sample));
    }),
  );
});

test('the meter reads every 250 ms until it is stopped', () => {
  vi.useFakeTimers();
  let ns = 0;
  const read = () => {
    ns += 250 * millisecondNs;
    return { usedNs: ns, passedNs: ns };
  };
  const meter = startCpuMeter({ source: { name: 'machine', cores: 1, limit: 1, read } });
  expect(meter.milli()).toBe(0);
  vi.advanceTimersByTime(750);
  expect(meter.milli()).toBe(142);
  meter.stop();
  vi.advanceTimersByTime(750);
  expect(meter.milli()).toBe(142);
  vi.useRealTimers();
});

test('by itself the best source is chosen that the machine has', () => {
  const schedstat = { [`/proc/self/task/${process.pid}/schedstat`]: '1 2 3' };
  expect(chooseCpuSource('auto', (path) => (schedstat as Record<string, string>)[path]).name).toBe('saturation');
  expect(chooseCpuSource('auto', () => undefined).name).toBe('process');
});

test('a source that was asked for is used, also where another would be better', () => {
  expect(chooseCpuSource('machine').name).toBe('machine');
  expect(chooseCpuSource('process').name).toBe('process');
});

test.each([
  ['pressure', '/proc/pressure/cpu'],
  ['saturation', '/proc/self/task/…/schedstat'],
  ['container', '/sys/fs/cgroup'],
] as const)('asking for %s on a machine without it is a mistake that says where it was looked for', (name, place) => {
  expect(() => chooseCpuSource(name, () => undefined)).toThrow(
    new TypeError(`Expected 'shedding.cpu' to be a source that this machine has, got '${name}' and nothing to read in ${place}`),
  );
});
