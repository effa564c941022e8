import { build, decodeFromCompressedBase64, type Histogram } from 'hdr-histogram-js';
import { bucketOf, middleUs } from '../../core/histogram.ts';
import type { RequestRow } from '../../harness/record.ts';
import { formatMs } from '../format.ts';

/**
 * The response times of requests that were served (`ok` or `degraded`) and of those whose shopper gave up waiting, as one distribution: without the
 * latter it would be that of the lucky, and look the better the more of them there are.
 */
export type Distribution = { count: number; served: number; timedOut: number; max: Measured; atShare: (share: number) => Measured };

/** A time that is censored took longer than `ms`, nobody knows by how much. */
export type Measured = { ms: number; isCensored: boolean };

/** `timeoutMs` is how long a shopper waits; older records do not tell. `undefined` where nobody was served or waited in vain. */
export function awaitedDistribution(rows: readonly RequestRow[], timeoutMs?: number): Distribution | undefined {
  const served = merged(rows.filter(isServed));
  const timedOut = merged(rows.filter(({ outcome }) => outcome === 'timeout'));
  const count = served.totalCount + timedOut.totalCount;
  if (count === 0) return undefined;
  const all = merged(rows.filter(isAwaited));
  const atShare = (share: number): Measured => {
    const isCensored = isBeyond({ share, served: served.totalCount, timedOut: timedOut.totalCount });
    const ms = msOf(all.getValueAtPercentile(share * 100));
    return { ms: isCensored ? (timeoutMs ?? ms) : ms, isCensored };
  };
  return { count, served: served.totalCount, timedOut: timedOut.totalCount, max: atShare(1), atShare };
}

/** `12.3 ms`; where it lies among those who gave up waiting `≥ 5 s`. */
export const formatMeasured = ({ ms, isCensored }: Measured) => `${isCensored ? '≥ ' : ''}${formatMs(ms)}`;

/** Whether a share of so many lies beyond the `served`, among those who gave up. */
export const isBeyond = ({ share, served, timedOut }: { share: number; served: number; timedOut: number }) =>
  served < rankOf(share, served + timedOut);

export const isServed = ({ outcome }: Pick<RequestRow, 'outcome'>) => outcome === 'ok' || outcome === 'degraded';
export const isAwaited = ({ outcome }: Pick<RequestRow, 'outcome'>) => isServed({ outcome }) || outcome === 'timeout';

/** Grows as needed: the histograms of a record need not have one range. Two digits are what the load driver counts with. */
function merged(rows: readonly RequestRow[]): Histogram {
  const sum = build({ numberOfSignificantValueDigits: 2, autoResize: true });
  for (const { histogram } of rows) {
    const part = histogram === '' ? undefined : decodeFromCompressedBase64(histogram);
    if (part !== undefined && part.totalCount > 0) sum.add(part);
  }
  return sum;
}

/** The place in the order of `count` that a share of them reaches; 99% of 100 are 99, also in floating point. */
const rankOf = (share: number, count: number) => Math.max(1, Math.ceil(Math.min(share, 1) * count - 1e-6));

/** The middle of its bucket, as verdicts tell it. */
const msOf = (us: number) => middleUs(bucketOf(us)) / 1_000;
