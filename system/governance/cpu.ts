import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { millisecondNs, monotonicNs } from './clock.ts';

/** How busy the CPU is, in thousandths of what may be used: 0..1000. */
export type CpuMeter = {
  /** Now, smoothed: a sudden full load takes about 12 s to show as 900 (governance.md 2.2). */
  milli(): number;
  readonly source: CpuSource['name'];
  stop(): void;
};

/** Where the figures come from. Both readings only ever grow; `systemNs` is the time of all CPUs of the machine together. */
export type CpuSource = {
  readonly name: 'container' | 'machine';
  /** CPUs this process may run on, and how many of them it may fill. */
  readonly cores: number;
  readonly limit: number;
  read(): { usedNs: number; systemNs: number };
};

/** Samples every 250 ms until stopped. It does not keep the process alive. */
export function startCpuMeter({ source = cpuSource(), everyMs = 250 }: { source?: CpuSource; everyMs?: number } = {}): CpuMeter {
  let last = source.read();
  let milli = 0;
  const timer = setInterval(() => {
    const now = source.read();
    const sample = cpuSample({ ...source, usedNs: now.usedNs - last.usedNs, systemNs: now.systemNs - last.systemNs });
    milli = smoothed(milli, sample);
    last = now;
  }, everyMs).unref();
  return { milli: () => milli, source: source.name, stop: () => clearInterval(timer) };
}

/** One sample from what was used and what passed between two readings. */
export function cpuSample({ usedNs, systemNs, cores, limit }: { usedNs: number; systemNs: number; cores: number; limit: number }): number {
  // Also false for what could not be read (NaN).
  if (!(usedNs > 0 && systemNs > 0)) return 0;
  return Math.min(1000, Math.trunc((usedNs * cores * 1000) / (systemNs * limit)));
}

/** Truncated like the original's, so a steady 1000 reads 981. 0.05 is written out: 1 - 0.95 is another number. */
export function smoothed(milli: number, sample: number): number {
  return Math.trunc(milli * 0.95 + sample * 0.05);
}

/**
 * The container's CPU when this process lives in a cgroup with a quota, else the whole machine's, as go-zero has it: services that
 * share a machine then shed together.
 */
export function cpuSource(readText: ReadText = readIfThere): CpuSource {
  return containerSource(readText) ?? machineSource();
}

type ReadText = (path: string) => string | undefined;

/** cgroup v2 has one file of each kind; v1 keeps quota and usage under two controllers. */
function containerSource(readText: ReadText): CpuSource | undefined {
  const groups = new Map(
    [...(readText('/proc/self/cgroup') ?? '').matchAll(/^\d+:([^:]*):(.*)$/gm)].flatMap(([, controllers = '', path = '']) =>
      controllers.split(',').map((controller) => [controller, path] as const),
    ),
  );
  /** Inside a container the group's own path may not be visible: there its files are at the root. */
  const readOf = (controller: string, folder: string, file: string) =>
    readText(`${folder}${groups.get(controller) ?? ''}/${file}`) ?? readText(`${folder}/${file}`);

  const readV2 = (file: string) => readOf('', '/sys/fs/cgroup', file);
  const readV1 = (controller: string, file: string) => readOf(controller, `/sys/fs/cgroup/${controller}`, file);

  const isV2 = readText('/sys/fs/cgroup/cgroup.controllers') !== undefined;
  const quotaCores = isV2
    ? coresOf(readV2('cpu.max')?.split(' '))
    : coresOf([readV1('cpu', 'cpu.cfs_quota_us'), readV1('cpu', 'cpu.cfs_period_us')]);
  if (quotaCores === undefined) return undefined;

  const usedNs = isV2
    ? () => 1000 * Number(/usage_usec (\d+)/.exec(readV2('cpu.stat') ?? '')?.[1])
    : () => Number(readV1('cpuacct', 'cpuacct.usage'));
  const cores = countList(/Cpus_allowed_list:\s*(\S+)/.exec(readText('/proc/self/status') ?? '')?.[1]) ?? cpus().length;
  return { name: 'container', cores, limit: Math.min(cores, quotaCores), read: () => ({ usedNs: usedNs(), systemNs: machineTimeNs() }) };
}

function machineSource(): CpuSource {
  const cores = cpus().length;
  return { name: 'machine', cores, limit: cores, read: () => ({ usedNs: busyTimeNs(), systemNs: machineTimeNs() }) };
}

/** What all CPUs did, whether work or idling: the same as the sum of `/proc/stat`, and to be had everywhere. */
const machineTimeNs = () => monotonicNs() * cpus().length;

function busyTimeNs(): number {
  const busyMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return busyMs * millisecondNs;
}

/** `max` or a negative quota mean that there is none. */
function coresOf([quota, period]: readonly (string | undefined)[] = []): number | undefined {
  const cores = Number(quota) / Number(period);
  return cores > 0 ? cores : undefined;
}

/** `0-3,8` is 5. */
function countList(list: string | undefined): number | undefined {
  return list?.split(',').reduce((count, range) => {
    const [first, last = first] = range.split('-').map(Number);
    return count + Number(last) - Number(first) + 1;
  }, 0);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // Another kind of cgroup, or another operating system: the caller asks elsewhere.
    return undefined;
  }
}
