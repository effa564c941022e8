import fc from 'fast-check';
import { build, type JsHistogram } from 'hdr-histogram-js';
import { expect, test } from 'vitest';
import { bucketCount, bucketOf, highestUs, longestUs, lowestUs, middleUs, totalOf, valueAt } from '../../../core/histogram.ts';

/** Times of every size, with the edges of octaves among them. */
const times = fc.oneof(
  fc.integer({ min: 0, max: longestUs }),
  fc.integer({ min: 0, max: 2_000 }),
  fc.tuple(fc.integer({ min: 0, max: 25 }), fc.integer({ min: -1, max: 1 })).map(([octave, beside]) => Math.max(0, 2 ** octave + beside)),
);

test.each([
  [0, 0],
  [1, 1],
  [255, 255],
  [256, 256],
  [257, 256],
  [258, 257],
  [511, 383],
  [512, 384],
  [60_000_000, 2_532],
])('%i µs are in bucket %i', (us, bucket) => {
  expect(bucketOf(us)).toBe(bucket);
});

test('what is too long counts as the longest, and what is below zero or no number as zero', () => {
  expect([longestUs + 1, 1e9, 2 ** 40, Infinity].map(bucketOf)).toEqual(Array(4).fill(bucketCount - 1));
  expect([-1, -Infinity, Number.NaN, 0.9].map(bucketOf)).toEqual([0, 0, 0, 0]);
  expect(bucketOf(257.9)).toBe(bucketOf(257));
});

test('buckets follow each other without a gap, and each knows its ends and its middle', () => {
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    if (bucket > 0) expect(lowestUs(bucket)).toBe(highestUs(bucket - 1) + 1);
    expect(bucketOf(lowestUs(bucket))).toBe(bucket);
    expect(bucketOf(Math.min(longestUs, highestUs(bucket)))).toBe(bucket);
    expect(middleUs(bucket)).toBe((lowestUs(bucket) + highestUs(bucket)) / 2);
  }
  expect(lowestUs(0)).toBe(0);
  expect(highestUs(bucketCount - 1)).toBeGreaterThanOrEqual(longestUs);
});

test('a bucket is at most 0.79 % wide, and its middle at most 0.4 % from what it holds', () => {
  fc.assert(
    fc.property(times, (us) => {
      const bucket = bucketOf(us);
      expect(highestUs(bucket) - lowestUs(bucket)).toBeLessThanOrEqual(lowestUs(bucket) / 128);
      expect(Math.abs(middleUs(bucket) - us)).toBeLessThanOrEqual(0.004 * us);
    }),
  );
});

test('counts are those of HdrHistogram at two significant digits, bucket for bucket and percentile for percentile', () => {
  const shares = fc.oneof(
    fc.constantFrom(0, 0.5, 0.9, 0.95, 0.99, 0.999, 1),
    fc.integer({ min: 0, max: 1_000 }).map((share) => share / 1_000),
  );
  fc.assert(
    fc.property(fc.array(times, { minLength: 1, maxLength: 300 }), fc.array(shares, { maxLength: 10 }), (values, asked) => {
      const theirs = build({ numberOfSignificantValueDigits: 2, autoResize: true }) as JsHistogram;
      const ours = new Uint32Array(bucketCount);
      for (const us of values) {
        theirs.recordValue(us);
        ours[bucketOf(us)] = (ours[bucketOf(us)] ?? 0) + 1;
      }
      for (const us of values) {
        expect(theirs.countsArrayIndex(us)).toBe(bucketOf(us));
        expect(theirs.lowestEquivalentValue(us)).toBe(lowestUs(bucketOf(us)));
        expect(theirs.highestEquivalentValue(us)).toBe(highestUs(bucketOf(us)));
        expect(theirs.getCountAtIndex(bucketOf(us))).toBe(ours[bucketOf(us)]);
      }
      expect(totalOf(ours)).toBe(theirs.totalCount);
      for (const share of asked) expect(valueAt(ours, share)).toBe(middleUs(bucketOf(theirs.getValueAtPercentile(share * 100))));
    }),
  );
});

test('a share of what was counted is exact, also where floating point is a little above it', () => {
  // 0.07 × 100 is 7.000000000000001.
  expect(valueAt([7, 93], 0.07)).toBe(0);
  expect(valueAt([7, 93], 0.0701)).toBe(1);
  expect(valueAt([0, 5, 0, 5], 0)).toBe(1);
  expect(valueAt([0, 5, 0, 5], 1)).toBe(3);
});

test('where nothing was counted there is no value', () => {
  expect(valueAt(new Uint32Array(bucketCount), 0.5)).toBeUndefined();
  expect(valueAt([], 0.5)).toBeUndefined();
});
