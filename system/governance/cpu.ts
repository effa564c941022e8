import { type CpuSource, type CpuSourceName, cpuSources, type ReadText, readIfThere } from './cpu-sources.ts';

/** How busy the CPU is, in thousandths of what may be used: 0..1000. */
export type CpuMeter = {
  /** Now, smoothed: with a memory of 0.95 a sudden full load takes about 12 s to show as 900 (governance.md 2.2). */
  milli(): number;
  readonly source: CpuSourceName;
  stop(): void;
};

/** Samples every 250 ms until stopped. It does not keep the process alive. `memory` is how much of a reading is the one before. */
export function startCpuMeter({
  source,
  memory = 0.95,
  everyMs = 250,
}: {
  source: CpuSource;
  memory?: number;
  everyMs?: number;
}): CpuMeter {
  const smooth = smoothing(memory);
  let last = source.read();
  let milli = 0;
  const timer = setInterval(() => {
    const now = source.read();
    milli = smooth(milli, cpuSample({ ...source, usedNs: now.usedNs - last.usedNs, passedNs: now.passedNs - last.passedNs }));
    last = now;
  }, everyMs).unref();
  return { milli: () => milli, source: source.name, stop: () => clearInterval(timer) };
}

/** One sample from what was used and what passed between two readings. */
export function cpuSample({ usedNs, passedNs, cores, limit }: { usedNs: number; passedNs: number; cores: number; limit: number }): number {
  // Also false for what could not be read (NaN).
  if (!(usedNs > 0 && passedNs > 0)) return 0;
  return Math.min(1000, Math.trunc((usedNs * cores * 1000) / (passedNs * limit)));
}

/** Truncated like the original's, so a steady 1000 reads 981. */
export function smoothing(memory: number): (milli: number, sample: number) => number {
  // 1 - 0.95 is another number than 0.05, and truncating shows it (governance.md 0).
  const share = Number((1 - memory).toPrecision(12));
  return (milli, sample) => Math.trunc(milli * memory + sample * share);
}

/**
 * The source that `wanted` names, or for `auto` the first of `automatic` that this machine has. Throws a `TypeError` where a source was named
 * that cannot be read here.
 */
export function chooseCpuSource(wanted: 'auto' | CpuSourceName, readText: ReadText = readIfThere): CpuSource {
  const candidates = wanted === 'auto' ? automatic : [wanted];
  for (const name of candidates) {
    const source = cpuSources[name](readText);
    if (source !== undefined) return source;
  }
  const files = candidates.map((name) => foundIn[name]).join(', ');
  throw new TypeError(`Expected 'shedding.cpu' to be a source that this machine has, got '${wanted}' and nothing to read in ${files}`);
}

/** Why these, and in this order: `docs/shedding.md`. The last can be read everywhere. */
export const automatic: readonly [best: CpuSourceName, ...CpuSourceName[]] = ['saturation', 'process'];

const foundIn: Readonly<Record<CpuSourceName, string>> = {
  container: '/sys/fs/cgroup',
  machine: '/proc/stat',
  process: '/proc/self',
  saturation: '/proc/self/task/…/schedstat',
  pressure: '/proc/pressure/cpu',
};
