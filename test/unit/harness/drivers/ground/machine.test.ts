import { expect, test } from 'vitest';
import { createMachineWatch } from '../../../../../harness/drivers/ground/machine.ts';

type Files = Record<string, string>;

/** What a watch tells about `passedMs` in which the files changed. */
function watched({ before, after, passedMs = 1_000 }: { before: Files; after: Files; passedMs?: number }) {
  let files = before;
  let nowMs = 5_000;
  const watch = createMachineWatch({ now: () => nowMs, read: (path) => files[path] });
  files = after;
  nowMs += passedMs;
  return watch.take();
}

const stat = (cpu: string) => ({ '/proc/stat': `cpu  ${cpu}\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 99 0 0\nctxt 428450755\n` });

test.each([
  // user nice system idle iowait irq softirq steal guest guest_nice
  ['idle', '100 0 100 1000 0 0 0 0 0 0', '100 0 100 1200 0 0 0 0 0 0', { busyShare: 0, stealShare: 0 }],
  ['half busy', '100 0 100 1000 0 0 0 0 0 0', '150 20 120 1090 10 5 5 0 0 0', { busyShare: 0.5, stealShare: 0 }],
  ['robbed of a twentieth', '100 0 100 1000 0 0 0 50 0 0', '190 0 100 1090 0 0 0 60 0 0', { busyShare: 90 / 190, stealShare: 10 / 190 }],
  ['a host, whose guests are users', '0 0 0 0 0 0 0 0 0 0', '100 0 0 100 0 0 0 0 100 0', { busyShare: 0.5, stealShare: 0 }],
  ['one whose iowait went back', '0 0 0 0 50 0 0 0 0 0', '60 0 0 100 40 0 0 0 0 0', { busyShare: 0.4, stealShare: 0 }],
  ['looked at twice within a tick', '1 2 3 4 5 6 7 8 0 0', '1 2 3 4 5 6 7 8 0 0', { busyShare: undefined, stealShare: undefined }],
  ['of a kernel that knows no steal', '1 2 3 4 5 6 7', '2 2 3 4 5 6 7', { busyShare: undefined, stealShare: undefined }],
])('a machine that is %s', (_name, before, after, shares) => {
  const seen = watched({ before: stat(before), after: stat(after) });
  for (const [name, share] of Object.entries(shares)) {
    expect(seen).toHaveProperty(name, share === undefined ? undefined : expect.closeTo(share, 6));
  }
});

const v1 = (ns: number) => `nr_periods 10\nnr_throttled 1\nthrottled_time ${ns}\n`;
const v2 = (us: number) => `usage_usec 99\nuser_usec 99\nnr_periods 10\nnr_throttled 1\nthrottled_usec ${us}\n`;

test.each<[string, Files, Files, Files, number | undefined]>([
  [
    'of its own, v2',
    { '/sys/fs/cgroup/cgroup.controllers': 'cpu memory', '/proc/self/cgroup': '0::/pod/own\n' },
    { '/sys/fs/cgroup/pod/own/cpu.stat': v2(7_000_000) },
    { '/sys/fs/cgroup/pod/own/cpu.stat': v2(7_030_000) },
    0.03,
  ],
  [
    'around its own, v2',
    {
      '/sys/fs/cgroup/cgroup.controllers': 'cpu memory',
      '/proc/self/cgroup': '0::/pod/own\n',
      '/sys/fs/cgroup/cpu.stat': 'usage_usec 99\n',
      '/sys/fs/cgroup/pod/own/cpu.stat': v2(0),
    },
    { '/sys/fs/cgroup/pod/cpu.stat': v2(1_000) },
    { '/sys/fs/cgroup/pod/cpu.stat': v2(101_000) },
    0.1,
  ],
  [
    'that a container sees as the root, v2',
    { '/sys/fs/cgroup/cgroup.controllers': 'cpu', '/proc/self/cgroup': '0::/\n' },
    { '/sys/fs/cgroup/cpu.stat': v2(0) },
    { '/sys/fs/cgroup/cpu.stat': v2(20_000) },
    0.02,
  ],
  [
    'of its own, v1',
    { '/proc/self/cgroup': '3:cpuset:/\n2:cpu,cpuacct:/docker/x\n0::/\n' },
    { '/sys/fs/cgroup/cpu/docker/x/cpu.stat': v1(5e9) },
    { '/sys/fs/cgroup/cpu/docker/x/cpu.stat': v1(5.25e9) },
    0.25,
  ],
  [
    'that a container sees as the root, v1',
    { '/proc/self/cgroup': '2:cpu,cpuacct:/docker/x\n' },
    { '/sys/fs/cgroup/cpu/cpu.stat': v1(5e9) },
    { '/sys/fs/cgroup/cpu/cpu.stat': v1(5.25e9) },
    0.25,
  ],
  [
    'that was throttled on four CPUs at once',
    { '/proc/self/cgroup': '1:cpu:/\n' },
    { '/sys/fs/cgroup/cpu/cpu.stat': v1(0) },
    { '/sys/fs/cgroup/cpu/cpu.stat': v1(3.6e9) },
    1,
  ],
  [
    'without a quota of its own, on the bare machine',
    { '/sys/fs/cgroup/cgroup.controllers': 'cpu', '/proc/self/cgroup': '0::/\n' },
    { '/sys/fs/cgroup/cpu.stat': 'usage_usec 1\n' },
    { '/sys/fs/cgroup/cpu.stat': 'usage_usec 2\n' },
    undefined,
  ],
])('throttling is read from a control group %s', (_name, always, before, after, share) => {
  const seen = watched({ before: { ...always, ...before }, after: { ...always, ...after } });
  expect(seen.throttledShare).toEqual(share === undefined ? undefined : expect.closeTo(share, 6));
});

test('throttling is a share of the time that really passed', () => {
  const seen = watched({
    before: { '/sys/fs/cgroup/cpu/cpu.stat': v1(0) },
    after: { '/sys/fs/cgroup/cpu/cpu.stat': v1(1e9) },
    passedMs: 4_000,
  });
  expect(seen.throttledShare).toBeCloseTo(0.25, 6);
});

test('every second is told by itself', () => {
  let files = stat('0 0 0 0 0 0 0 0');
  const watch = createMachineWatch({ now: () => 0, read: (path) => (path === '/proc/stat' ? files['/proc/stat'] : undefined) });
  files = stat('50 0 0 50 0 0 0 0');
  expect(watch.take().busyShare).toBe(0.5);
  files = stat('50 0 0 150 0 0 0 0');
  expect(watch.take().busyShare).toBe(0);
});

test('a system that tells nothing is watched in silence', () => {
  expect(watched({ before: {}, after: {} })).toEqual({ busyShare: undefined, stealShare: undefined, throttledShare: undefined });
});

test.runIf(process.platform === 'linux')('Linux tells what its CPUs did', () => {
  let nowMs = 0;
  const watch = createMachineWatch({ now: () => nowMs });
  nowMs += 1;
  const { busyShare, stealShare } = watch.take();
  for (const share of [busyShare, stealShare]) if (share !== undefined) expect(share).toBeGreaterThanOrEqual(0);
});
