import { cpus } from 'node:os';
import { expect, test } from 'vitest';
import { type CpuSourceName, cpuSources, readIfThere } from '../../../../system/governance/cpu-sources.ts';

const status = { '/proc/self/status': 'Name:\tnode\nCpus_allowed_list:\t0-2,5\n' };
const v2 = { '/sys/fs/cgroup/cgroup.controllers': 'cpu memory', '/sys/fs/cgroup/cpu.stat': 'usage_usec 4321\nuser_usec 4000' };
const v1 = { '/sys/fs/cgroup/cpuacct/cpuacct.usage': '77' };

function sourceIn(files: Record<string, string>, name: CpuSourceName) {
  const source = cpuSources[name]((path) => files[path]);
  if (source === undefined) throw new Error(`Expected '${name}' to be there`);
  return source;
}

test.each<[string, Record<string, string>, { cores: number; limit: number; usedNs: number }]>([
  ['v2', { ...v2, '/proc/self/cgroup': '0::/', '/sys/fs/cgroup/cpu.max': '150000 100000' }, { cores: 4, limit: 1.5, usedNs: 4_321_000 }],
  [
    'v2 in a group of its own',
    { ...v2, '/proc/self/cgroup': '0::/own', '/sys/fs/cgroup/own/cpu.max': '50000 100000', '/sys/fs/cgroup/own/cpu.stat': 'usage_usec 5' },
    { cores: 4, limit: 0.5, usedNs: 5_000 },
  ],
  [
    'v2 at its root where a group of its own has no quota',
    {
      ...v2,
      '/proc/self/cgroup': '0::/user.slice',
      '/sys/fs/cgroup/user.slice/cpu.max': 'max 100000',
      '/sys/fs/cgroup/user.slice/cpu.stat': 'usage_usec 5',
    },
    { cores: 4, limit: 4, usedNs: 4_321_000 },
  ],
  ['v2 without a quota', { ...v2, '/sys/fs/cgroup/cpu.max': 'max 100000' }, { cores: 4, limit: 4, usedNs: 4_321_000 }],
  [
    'v1 whose own path is not visible',
    {
      ...v1,
      '/proc/self/cgroup': '3:cpuset:/docker/x\n2:cpu,cpuacct:/docker/x\n0::/',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '200000',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
    },
    { cores: 4, limit: 2, usedNs: 77 },
  ],
  [
    'v1 with a quota of more CPUs than it may run on',
    { ...v1, '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '800000', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000' },
    { cores: 4, limit: 4, usedNs: 77 },
  ],
  [
    'v1 without a quota',
    { ...v1, '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000' },
    { cores: 4, limit: 4, usedNs: 77 },
  ],
])('a container is read from cgroup %s', (_name, files, { usedNs, ...allowance }) => {
  const source = sourceIn({ ...status, ...files }, 'container');
  expect(source).toMatchObject(allowance);
  expect(source.read().usedNs).toBe(usedNs);
});

test.each([
  [{}, 1],
  [{ '/sys/fs/cgroup/cgroup.controllers': 'cpu', '/sys/fs/cgroup/cpu.max': '400000 100000' }, 1],
  [{ '/sys/fs/cgroup/cgroup.controllers': 'cpu', '/sys/fs/cgroup/cpu.max': '50000 100000' }, 0.5],
])('a process may fill one CPU, or less where its quota is less: %j', (files, limit) => {
  expect(sourceIn({ ...status, ...files }, 'process')).toMatchObject({ cores: 1, limit });
});

test('saturation is the time that the thread of the event loop ran or waited to run', () => {
  const source = sourceIn({ [`/proc/self/task/${process.pid}/schedstat`]: '700 250 12' }, 'saturation');
  expect(source).toMatchObject({ cores: 1, limit: 1 });
  expect(source.read().usedNs).toBe(950);
});

test('a kernel that shows the file and keeps no statistics has no saturation', () => {
  expect(cpuSources.saturation(() => '0 0 0')).toBeUndefined();
});

const psi = (us: number) => `some avg10=9.20 avg60=7.23 avg300=4.15 total=${us}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0`;
test.each([
  ['of the machine', { '/proc/pressure/cpu': psi(3) }, 3_000],
  [
    'of the control group where it is told apart',
    { '/proc/pressure/cpu': psi(3), '/proc/self/cgroup': '0::/own', '/sys/fs/cgroup/own/cpu.pressure': psi(2) },
    2_000,
  ],
])('pressure is that %s', (_name, files: Record<string, string>, usedNs) => {
  expect(sourceIn(files, 'pressure').read().usedNs).toBe(usedNs);
});

test.each(['container', 'saturation', 'pressure'] as const)('what %s needs is not there on another operating system', (name) => {
  expect(cpuSources[name](() => undefined)).toBeUndefined();
});

test('the machine has all its CPUs, and both readings of every source grow', () => {
  const sources = Object.values(cpuSources).flatMap((make) => make(readIfThere) ?? []);
  expect(sources.map(({ name }) => name)).toEqual(expect.arrayContaining(['machine', 'process']));
  expect(sources.find(({ name }) => name === 'machine')).toMatchObject({ cores: cpus().length, limit: cpus().length });
  for (const { name, read } of sources) {
    const before = read();
    const after = read();
    expect(after.usedNs, name).toBeGreaterThanOrEqual(before.usedNs);
    expect(after.passedNs, name).toBeGreaterThan(before.passedNs);
  }
});

test('what can be read no longer is not a number, which the meter takes for rest', () => {
  const files: Record<string, string> = { [`/proc/self/task/${process.pid}/schedstat`]: '700 250 12' };
  const source = sourceIn(files, 'saturation');
  delete files[`/proc/self/task/${process.pid}/schedstat`];
  expect(source.read().usedNs).toBeNaN();
});
