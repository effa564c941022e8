import { expect, test, vi } from 'vitest';
import { millisecondNs } from '../../../../system/governance/clock.ts';
import { cpuSample, cpuSource, smoothed, startCpuMeter } from '../../../../system/governance/cpu.ts';

const readings = (from: number, sample: number, count: number) => {
  const seen: number[] = [];
  for (let milli = from; seen.length < count; ) {
    milli = smoothed(milli, sample);
    seen.push(milli);
  }
  return seen;
};

test('a sample relates the CPU time used to the quota', () => {
  const used = { usedNs: 180 * millisecondNs, systemNs: 1_000 * millisecondNs, limit: 2 };
  expect(cpuSample({ ...used, cores: 4 })).toBe(360);
  expect(cpuSample({ ...used, cores: 2 })).toBe(180);
});

test('a sample is at most 1000, and 0 when nothing was used, passed or could be read', () => {
  const full = { usedNs: 900, systemNs: 1_000, cores: 4, limit: 2 };
  expect(cpuSample(full)).toBe(1000);
  expect(cpuSample({ ...full, usedNs: 0 })).toBe(0);
  expect(cpuSample({ ...full, systemNs: 0 })).toBe(0);
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

test('the meter reads every 250 ms until it is stopped', () => {
  vi.useFakeTimers();
  let ns = 0;
  const read = () => {
    ns += 250 * millisecondNs;
    return { usedNs: ns, systemNs: ns };
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

const status = { '/proc/self/status': 'Name:\tnode\nCpus_allowed_list:\t0-2,5\n' };
const sourceOf = (files: Record<string, string>) => cpuSource((path) => files[path]);

test('reads a container of cgroup v2', () => {
  const source = sourceOf({
    ...status,
    '/proc/self/cgroup': '0::/',
    '/sys/fs/cgroup/cgroup.controllers': 'cpu memory',
    '/sys/fs/cgroup//cpu.max': '150000 100000',
    '/sys/fs/cgroup//cpu.stat': 'usage_usec 4321\nuser_usec 4000',
  });
  expect(source).toMatchObject({ name: 'container', cores: 4, limit: 1.5 });
  expect(source.read().usedNs).toBe(4_321_000);
});

test('reads a container of cgroup v1 whose own path is not visible', () => {
  const source = sourceOf({
    ...status,
    '/proc/self/cgroup': '3:cpuset:/docker/x\n2:cpu,cpuacct:/docker/x\n0::/',
    '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '800000',
    '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
    '/sys/fs/cgroup/cpuacct/cpuacct.usage': '77',
  });
  expect(source).toMatchObject({ name: 'container', cores: 4, limit: 4 });
  expect(source.read().usedNs).toBe(77);
});

test.each<[string, Record<string, string>]>([
  ['without cgroups', {}],
  ['in a cgroup v2 without a quota', { '/sys/fs/cgroup/cgroup.controllers': 'cpu', '/sys/fs/cgroup/cpu.max': 'max 100000' }],
  ['in a cgroup v1 without a quota', { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000' }],
])('reads the whole machine %s', (_name, files) => {
  const source = sourceOf(files);
  expect(source.name).toBe('machine');
  expect(source.limit).toBe(source.cores);
  expect(source.read().usedNs).toBeGreaterThan(0);
});
