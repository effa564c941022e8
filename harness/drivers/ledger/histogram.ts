import { type Histogram, JsHistogram } from 'hdr-histogram-js';
import { bucketCount, bucketOf, lowestUs } from '../../../core/histogram.ts';
import { newHistogram } from '../../recording.ts';
import type { LedgerRow } from './reader.ts';

/** The same counts as an HdrHistogram of two significant digits, in µs: nothing is lost, as both have the same buckets. */
export function histogramOfRow({ counts: { buckets, times }, max }: Pick<LedgerRow, 'counts' | 'max'>): Histogram {
  const histogram = newHistogram();
  // From the longest to the shortest, so that it grows once.
  for (let place = buckets.length - 1; place >= 0; place--) add(histogram, buckets[place] ?? 0, times[place] ?? 0, max);
  return histogram;
}

/** Counts by bucket as a histogram; `max` is known to the microsecond if it is given. */
export function toHistogram(counts: ArrayLike<number>, max = 0): Histogram {
  const histogram = newHistogram();
  for (let bucket = counts.length - 1; bucket >= 0; bucket--) add(histogram, bucket, counts[bucket] ?? 0, max);
  return histogram;
}

/** Counts by bucket of a histogram that has our buckets. What is longer than the longest of them is counted there. */
export function fromHistogram(histogram: Histogram): Float64Array {
  const isAlike = histogram instanceof JsHistogram && histogram.numberOfSignificantValueDigits === 2 && histogram.unitMagnitude === 0;
  if (!isAlike) throw new TypeError('Expected a histogram of two significant digits in whole µs, such as newHistogram() makes');
  const counts = new Float64Array(bucketCount);
  for (let bucket = 0; bucket < histogram.countsArrayLength; bucket++) {
    const place = Math.min(bucket, bucketCount - 1);
    counts[place] = (counts[place] ?? 0) + histogram.getCountAtIndex(bucket);
  }
  return counts;
}

function add(histogram: Histogram, bucket: number, times: number, max: number) {
  if (times > 0) histogram.recordValueWithCount(bucketOf(max) === bucket ? max : lowestUs(bucket), times);
}
