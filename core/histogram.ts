/**
 * Log-linear buckets for whole microseconds: every microsecond has its own up to 255, and each octave above is cut into 128. This is exactly how
 * HdrHistogram counts at two significant digits (https://github.com/HdrHistogram/HdrHistogram), so that both can be added up without loss: bucket n
 * here is index n there. A bucket is at most 1/128 (0.78 %) of its values wide; who takes the middle is wrong by at most half of that.
 */

/** The longest time that is told apart, in µs. What took longer counts as this long. */
export const longestUs = 60_000_000;

/** The bucket of a time in µs; a fraction is cut off, and what is below zero, or no number, counts as zero. */
export function bucketOf(us: number): number {
  const whole = us > 0 ? (us < longestUs ? us | 0 : longestUs) : 0;
  const octave = 24 - Math.clz32(whole | 255);
  return (octave << 7) + (whole >> octave);
}

export const bucketCount = bucketOf(longestUs) + 1;

/** The shortest time in a bucket, in µs. */
export function lowestUs(bucket: number): number {
  const octave = Math.max(0, (bucket >> 7) - 1);
  return (bucket - (octave << 7)) << octave;
}

/** The longest time in a bucket, in µs. */
export const highestUs = (bucket: number): number => lowestUs(bucket + 1) - 1;

/** What is told of a bucket: half a microsecond is possible. */
export const middleUs = (bucket: number): number => (lowestUs(bucket) + highestUs(bucket)) / 2;

/**
 * The time in µs that a share (0 to 1) of what was counted did not exceed; undefined where nothing was. `counts` are by bucket, and may end early.
 */
export function valueAt(counts: ArrayLike<number>, share: number): number | undefined {
  const total = totalOf(counts);
  if (total === 0) return undefined;
  // 7 % of 100 are 7, also in floating point, where they are a little more.
  const rank = Math.max(1, Math.ceil(Math.min(1, share) * total * (1 - Number.EPSILON)));
  let passed = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    passed += counts[bucket] ?? 0;
    if (passed >= rank) return middleUs(bucket);
  }
  return undefined;
}

/** How many times were counted. */
export function totalOf(counts: ArrayLike<number>): number {
  let total = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) total += counts[bucket] ?? 0;
  return total;
}
