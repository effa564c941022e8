import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What the machine was up to since the last look. Shares are 0 to 1; undefined is what this system does not tell. */
export type MachineSecond = {
  /** Of the time of all CPUs: work and waiting for disks left out, this was idle. */
  busyShare: number | undefined;
  /** Of the time of all CPUs: what the host gave to other machines although this one had work. */
  stealShare: number | undefined;
  /** Of the time that passed: how long the control group of this process, or one around it, was kept off the CPUs because its quota was used up. */
  throttledShare: number | undefined;
};

export type MachineWatch = {
  /** To be called once a second: what happened since the last call, or since the watch was made. */
  take: () => MachineSecond;
};

/** `now` are milliseconds of a clock that does not jump. `read` answers the text of a file, or undefined where there is none. */
export function createMachineWatch({
  now,
  read = readIfThere,
}: {
  now: () => number;
  read?: (path: string) => string | undefined;
}): MachineWatch {
  const look = () => ({ atMs: now(), cpu: cpuTimes(read('/proc/stat')), throttledMs: throttledMs(read) });
  let last = look();

  return {
    take: () => {
      const next = look();
      const share = (part: 'busy' | 'steal') =>
        last.cpu && next.cpu && shareOf(next.cpu[part] - last.cpu[part], next.cpu.all - last.cpu.all);
      const second = {
        busyShare: share('busy'),
        stealShare: share('steal'),
        throttledShare:
          last.throttledMs === undefined || next.throttledMs === undefined
            ? undefined
            : shareOf(next.throttledMs - last.throttledMs, next.atMs - last.atMs),
      };
      last = next;
      return second;
    },
  };
}

/** Counters are read one after the other and some of them go back a little (iowait); throttling counts every CPU, and may exceed the time passed. */
function shareOf(part: number, whole: number): number | undefined {
  return whole > 0 && Number.isFinite(part) ? Math.min(1, Math.max(0, part / whole)) : undefined;
}

/** Of the line `cpu user nice system idle iowait irq softirq steal guest guest_nice`, in ticks; what guests used is part of user and nice. */
function cpuTimes(stat: string | undefined): { all: number; busy: number; steal: number } | undefined {
  const fields = /^cpu +(.*)$/m
    .exec(stat ?? '')?.[1]
    ?.split(' ')
    .map(Number);
  const [user, nice, system, idle, iowait, irq, softirq, steal] = fields ?? [];
  if (steal === undefined) return undefined;
  const busy = [user, nice, system, irq, softirq].reduce<number>((sum, ticks = 0) => sum + ticks, 0);
  return { all: busy + (idle ?? 0) + (iowait ?? 0) + steal, busy, steal };
}

/** Any group around our own may have a quota. Those that have none count nothing, or have no such file. */
function throttledMs(read: (path: string) => string | undefined): number | undefined {
  const isV2 = read('/sys/fs/cgroup/cgroup.controllers') !== undefined;
  const root = isV2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/cpu';
  const times = groupsAround(ownGroup(read('/proc/self/cgroup'), isV2 ? '' : 'cpu')).flatMap((group) => {
    const stat = read(join(root, group, 'cpu.stat')) ?? '';
    const [, us] = /^throttled_usec (\d+)$/m.exec(stat) ?? [];
    const [, ns] = /^throttled_time (\d+)$/m.exec(stat) ?? [];
    return us === undefined ? (ns === undefined ? [] : [Number(ns) / 1e6]) : [Number(us) / 1e3];
  });
  return times.length === 0 ? undefined : times.reduce((sum, ms) => sum + ms, 0);
}

/** Where this process is among the groups of a controller (lines such as `2:cpu,cpuacct:/a/b`); v2 has one tree for all, whose name is empty. */
function ownGroup(cgroups: string | undefined, controller: string): string {
  const lines = [...(cgroups ?? '').matchAll(/^\d+:([^:]*):(.*)$/gm)];
  return lines.find(([, controllers = '']) => controllers.split(',').includes(controller))?.[2] ?? '/';
}

/** A container may not see its own path, only the root. */
function groupsAround(group: string): string[] {
  return group === '/' ? ['/'] : [group, ...groupsAround(dirname(group))];
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Another kind of cgroup, or another operating system.
    return undefined;
  }
}
