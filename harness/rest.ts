import { soon } from './settle.ts';
import type { Testbed } from './testbed.ts';

/**
 * Waits until every process of the mall has forgotten the load before: its shedder's CPU reading, which follows load by about 12 s, has fallen. Whether
 * it did so in time. A target that does not tell its CPU is taken at its word.
 */
export async function untilAtRest({
  testbed: { scraper, replicas },
  timeoutMs,
  signal,
}: {
  testbed: Pick<Testbed, 'scraper' | 'replicas'>;
  timeoutMs: number;
  signal: AbortSignal;
}): Promise<boolean> {
  if (replicas.length === 0) return true;
  return soon(timeoutMs, signal, async () => {
    await scraper.scrapeNow();
    const readings = scraper.newest('mall_cpu_usage_milli');
    return readings.length > 0 && readings.every(({ value }) => value < restingCpuMilli);
  });
}

/** The shedders start at 900 of 1000. */
const restingCpuMilli = 700;
