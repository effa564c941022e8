import { build, decodeFromCompressedBase64 } from 'hdr-histogram-js';
import type { RequestRow } from '../../harness/record.ts';

/** The response times of requests that were served (`ok` or `degraded`), as their whole distribution. */
export type Distribution = { count: number; maxMs: number; atShare: (share: number) => number };

/** `undefined` where nothing was served. */
export function servedDistribution(rows: readonly RequestRow[]): Distribution | undefined {
  // Grows as needed: the histograms of a record need not have one range.
  const merged = build({ numberOfSignificantValueDigits: 3, autoResize: true });
  for (const row of rows) {
    if (isServed(row) && row.histogram !== '') merged.add(decodeFromCompressedBase64(row.histogram));
  }
  if (merged.totalCount === 0) return undefined;
  return {
    count: merged.totalCount,
    maxMs: merged.maxValue / 1_000,
    atShare: (share) => Math.min(merged.getValueAtPercentile(share * 100), merged.maxValue) / 1_000,
  };
}

export const isServed = ({ outcome }: Pick<RequestRow, 'outcome'>) => outcome === 'ok' || outcome === 'degraded';
