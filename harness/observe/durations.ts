/**
 * Counts durations in buckets that are 5 % wide, from 50 µs to a minute: 287 numbers, however many there are. What is shorter or longer counts as
 * the shortest or the longest.
 */
export type Durations = {
  /** So many of this length; one unless said otherwise. */
  add(ms: number, times?: number): void;
  count(): number;
  /** How many were longer, to within a bucket. */
  longerThan(ms: number): number;
  /** Adds those of another to these. */
  merge(other: Durations): void;
  /** The least duration that so large a share of them did not exceed; undefined where there are none. `share` is 0 to 1. */
  quantileMs(share: number): number | undefined;
  /** Bucket by bucket. */
  counts: Uint32Array;
};

export function createDurations(): Durations {
  const counts = new Uint32Array(bucketCount);
  let total = 0;

  return {
    counts,
    add(ms, times = 1) {
      const index = indexOf(ms);
      counts[index] = (counts[index] ?? 0) + times;
      total += times;
    },
    count: () => total,
    longerThan: (ms) => counts.subarray(indexOf(ms) + 1).reduce((sum, count) => sum + count, 0),
    merge(other) {
      for (const [index, count] of other.counts.entries()) counts[index] = (counts[index] ?? 0) + count;
      total += other.count();
    },
    quantileMs(share) {
      if (total === 0) return undefined;
      let left = Math.max(1, Math.ceil(share * total));
      const index = counts.findIndex((count) => {
        left -= count;
        return left <= 0;
      });
      return shortestMs * growth ** (index + 1);
    },
  };
}

const [shortestMs, longestMs, growth] = [0.05, 60_000, 1.05];
const bucketCount = Math.ceil(Math.log(longestMs / shortestMs) / Math.log(growth));
const indexOf = (ms: number) =>
  Math.min(bucketCount - 1, Math.max(0, Math.floor(Math.log(Math.max(ms, shortestMs) / shortestMs) / Math.log(growth))));
