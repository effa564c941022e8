import { JsHistogram } from 'hdr-histogram-js';
import { highestUs } from '../../core/histogram.ts';
import type { Times } from '../observe/observations.ts';

/**
 * The times of several seconds, made ready to be put together in ever new ways: of every bucket that any of them occupies, how many times of each
 * second lie in it or below. A percentile of what was drawn is then found with a few hundred additions, where adding up histograms takes tens of
 * thousands.
 */
export type Cumulated = {
  /** In ascending order. */
  buckets: readonly number[];
  /** Bucket by bucket, and in each of them second by second. */
  upTo: Uint32Array;
};

export function cumulated(seconds: readonly Times[]): Cumulated {
  const counts = seconds.map(bucketCountsOf);
  const buckets = [...new Set(counts.flatMap((second) => [...second.keys()]))].sort((one, other) => one - other);
  const upTo = new Uint32Array(buckets.length * seconds.length);
  for (const [second, own] of counts.entries()) {
    let sum = 0;
    for (const [index, bucket] of buckets.entries()) {
      sum += own.get(bucket) ?? 0;
      upTo[index * seconds.length + second] = sum;
    }
  }
  return { buckets, upTo };
}

/** The times of these seconds together, each as `often` as it says. They answer like the histogram that one gets by adding all of them up. */
export function timesDrawn({ buckets, upTo }: Cumulated, often: ArrayLike<number>): Times {
  const countUpTo = (index: number): number => {
    const at = index * often.length;
    let count = 0;
    for (let second = 0; second < often.length; second += 1) count += (often[second] ?? 0) * (upTo[at + second] ?? 0);
    return count;
  };
  const totalCount = buckets.length === 0 ? 0 : countUpTo(buckets.length - 1);
  return {
    totalCount,
    getValueAtPercentile: (percentile) => {
      if (totalCount === 0) return 0;
      // 7 % of 100 are 7, also in floating point, where they are a little more.
      const rank = Math.max(1, Math.ceil((Math.min(100, percentile) / 100) * totalCount * (1 - Number.EPSILON)));
      let [low, high] = [0, buckets.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (countUpTo(middle) < rank) low = middle + 1;
        else high = middle;
      }
      return highestUs(buckets[low] ?? 0);
    },
  };
}

/** How many times lie in each bucket; empty ones are absent. */
export function bucketCountsOf(times: Times): Map<number, number> {
  // All that were recorded are such histograms, but typed as what they have in common with those of WebAssembly, which cannot be looked into.
  if (!(times instanceof JsHistogram)) throw new TypeError('Expected a histogram that is kept in JavaScript');
  const counts = new Map<number, number>();
  for (let bucket = 0; bucket < times.countsArrayLength; bucket += 1) {
    const count = times.getCountAtIndex(bucket);
    if (count > 0) counts.set(bucket, count);
  }
  return counts;
}
