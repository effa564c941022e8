import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { millisecondNs, monotonicNs } from './clock.ts';

/**
 * Where CPU figures come from. Both readings only ever grow, and NaN is what could not be read: `usedNs` is what is measured, `passedNs` the time
 * in which it was used, of as many CPUs as it may be spread over.
 */
export type CpuSource = {
  readonly name: CpuSourceName;
  /** CPUs this process may run on, and how many of them it may fill. 1 and 1 where one thread or one queue is judged. */
  readonly cores: number;
  readonly limit: number;
  read(): { usedNs: number; passedNs: number };
};

export type CpuSourceName = 'container' | 'machine' | 'process' | 'saturation' | 'pressure';

/** The text of a file, trimmed, or undefined where there is none. */
export type ReadText = (path: string) => string | undefined;

/** Makes a source, or undefined where the operating system does not tell what it needs. What each is good for: `docs/shedding.md`. */
export const cpuSources: Readonly<Record<CpuSourceName, (readText: ReadText) => CpuSource | undefined>> = {
  container,
  machine,
  process: ownProcess,
  saturation,
  pressure,
};

/** go-zero's: what the control group of this process used of its quota, or of its CPUs where it has none. Outside a container, the whole machine. */
function container(readText: ReadText): CpuSource | undefined {
  const { usedNs } = controlGroup(readText);
  if (Number.isNaN(usedNs())) return undefined;
  return { name: 'container', ...allowance(readText), read: () => ({ usedNs: usedNs(), passedNs: machineTimeNs() }) };
}

/** What everybody used of all CPUs of the machine. */
function machine(): CpuSource {
  const cores = cpus().length;
  return { name: 'machine', cores, limit: cores, read: () => ({ usedNs: busyTimeNs(), passedNs: machineTimeNs() }) };
}

/** What this process used, of one CPU: its event loop cannot fill more. */
function ownProcess(readText: ReadText): CpuSource {
  return {
    name: 'process',
    cores: 1,
    limit: Math.min(1, allowance(readText).limit),
    read: () => ({ usedNs: processTimeNs(), passedNs: monotonicNs() }),
  };
}

/**
 * How much of the time the thread of the event loop ran or waited for a CPU to run on, whoever had it instead: neighbours, or a quota that was
 * used up. As it sleeps when nothing is to be done, this is the utilisation of a queue with one server: at 1 the queue grows.
 */
function saturation(readText: ReadText): CpuSource | undefined {
  // The first thread has the number of the process.
  const path = `/proc/self/task/${process.pid}/schedstat`;
  const wantedNs = () => {
    const [ranNs, waitedNs] = (readText(path) ?? '').split(' ').map(Number);
    return (ranNs ?? Number.NaN) + (waitedNs ?? Number.NaN);
  };
  // A kernel that keeps no such statistics may still show the file.
  if (!(wantedNs() > 0)) return undefined;
  return { name: 'saturation', cores: 1, limit: 1, read: () => ({ usedNs: wantedNs(), passedNs: monotonicNs() }) };
}

/** How much of the time anybody had to wait for a CPU (PSI): in this control group where that is told apart, else on the machine. */
function pressure(readText: ReadText): CpuSource | undefined {
  const paths = [join('/sys/fs/cgroup', ownPaths(readText)(''), 'cpu.pressure'), '/sys/fs/cgroup/cpu.pressure', '/proc/pressure/cpu'];
  const path = paths.find((candidate) => !Number.isNaN(stalledNs(readText(candidate))));
  if (path === undefined) return undefined;
  return { name: 'pressure', cores: 1, limit: 1, read: () => ({ usedNs: stalledNs(readText(path)), passedNs: monotonicNs() }) };
}

/** Of the line `some avg10=0.00 avg60=0.00 avg300=0.00 total=4321`, in microseconds. */
const stalledNs = (text = ''): number => 1000 * Number(/^some .*total=(\d+)/m.exec(text)?.[1]);

/** The CPUs this process may run on, and how many of them it may fill. */
function allowance(readText: ReadText): { cores: number; limit: number } {
  const cores = countList(/Cpus_allowed_list:\s*(\S+)/.exec(readText('/proc/self/status') ?? '')?.[1]) ?? cpus().length;
  return { cores, limit: Math.min(cores, controlGroup(readText).quotaCpus ?? cores) };
}

type ControlGroup = { quotaCpus: number | undefined; usedNs: () => number };

/**
 * The group that limits this process: its own where that has a quota, else the one at the root, which in a container is the container's. (There a
 * group's own path may not be visible.)
 */
function controlGroup(readText: ReadText): ControlGroup {
  const groupAt = readText('/sys/fs/cgroup/cgroup.controllers') === undefined ? groupV1 : groupV2;
  const own = groupAt(readText, ownPaths(readText));
  return own.quotaCpus === undefined ? groupAt(readText, () => '/') : own;
}

type PathOf = (controller: string) => string;

function groupV2(readText: ReadText, pathOf: PathOf): ControlGroup {
  const read = (file: string) => readText(join('/sys/fs/cgroup', pathOf(''), file));
  return {
    quotaCpus: cpusOf(read('cpu.max')?.split(' ')),
    usedNs: () => 1000 * Number(/usage_usec (\d+)/.exec(read('cpu.stat') ?? '')?.[1]),
  };
}

/** v1 keeps quota and usage under two controllers. */
function groupV1(readText: ReadText, pathOf: PathOf): ControlGroup {
  const read = (controller: string, file: string) => readText(join('/sys/fs/cgroup', controller, pathOf(controller), file));
  return {
    quotaCpus: cpusOf([read('cpu', 'cpu.cfs_quota_us'), read('cpu', 'cpu.cfs_period_us')]),
    usedNs: () => Number(read('cpuacct', 'cpuacct.usage') ?? Number.NaN),
  };
}

/** Where this process is among the groups of a controller; v2 has one tree for all, whose name is empty. */
function ownPaths(readText: ReadText): PathOf {
  const groups = [...(readText('/proc/self/cgroup') ?? '').matchAll(/^\d+:([^:]*):(.*)$/gm)];
  return (controller) => groups.find(([, controllers = '']) => controllers.split(',').includes(controller))?.[2] ?? '/';
}

/** What all CPUs did, whether work or idling: the same as the sum of `/proc/stat`, and to be had everywhere. */
const machineTimeNs = () => monotonicNs() * cpus().length;

function busyTimeNs(): number {
  const busyMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return busyMs * millisecondNs;
}

function processTimeNs(): number {
  const { user, system } = process.cpuUsage();
  return 1000 * (user + system);
}

/** `max` or a negative quota mean that there is none. */
function cpusOf([quota, period]: readonly (string | undefined)[] = []): number | undefined {
  const count = Number(quota) / Number(period);
  return count > 0 ? count : undefined;
}

/** `0-3,8` is 5. */
function countList(list: string | undefined): number | undefined {
  return list?.split(',').reduce((count, range) => {
    const [first, last = first] = range.split('-').map(Number);
    return count + Number(last) - Number(first) + 1;
  }, 0);
}

/** Reads by the operating system. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // Another kind of cgroup, or another operating system: the caller asks elsewhere.
    return undefined;
  }
}
