import fc from 'fast-check';
import { expect, test } from 'vitest';
import { millisecondNs, secondNs } from '../../../../system/governance/clock.ts';
import {
  alignedSeconds,
  checkTokenLimit,
  createTokenBuckets,
  quotaState,
  refillWaitMs,
  tokenIntervalNs,
  tokenTtlSeconds,
} from '../../../../system/governance/limiter.ts';

test.each([
  [10, 4, 0],
  [10, 5, 1],
  [10, 9, 1],
  [100, 100, 2],
  [100, 50, 1],
  [100, 49, 0],
  [3, 1, 0],
  [1, 1, 2],
  [5, 10, 4],
])('Redis keeps a bucket of rate %i and burst %i for %i s', (ratePerSecond, burst, ttl) => {
  expect(tokenTtlSeconds({ ratePerSecond, burst })).toBe(ttl);
});

test.each([
  [3, 333_333_333],
  [7, 142_857_142],
  [3_000, 333_333],
])('in rescue a rate of %i per second is a token every %i ns', (rate, intervalNs) => {
  expect(tokenIntervalNs(rate)).toBe(intervalNs);
});

test.each([
  [86_400, 28_800, 64_000],
  [86_400, 0, 6_400],
  [60, 0, 40],
  [3_600, 19_800, 1_000],
])('a period of %i s in a zone %i s ahead, aligned, lasts another %i s at 1700000000', (seconds, zoneOffsetSeconds, left) => {
  expect(alignedSeconds({ seconds, unixSeconds: 1_700_000_000, zoneOffsetSeconds })).toBe(left);
});

test('of a quota of 3 the third request is the last', () => {
  expect([1, 2, 3, 4, 5].map((count) => quotaState(count, 3))).toEqual(['allowed', 'allowed', 'hitQuota', 'overQuota', 'overQuota']);
  expect(quotaState(1, 1)).toBe('hitQuota');
});

test.each([
  [{ ratePerSecond: 10, burst: 4 }, 'at least half its rate per second'],
  [{ ratePerSecond: 3, burst: 1 }, 'at least half its rate per second'],
  [{ ratePerSecond: 0, burst: 1 }, 'the rate of a token limit to be above 0 per second, got 0'],
  [{ ratePerSecond: -1, burst: 1 }, 'the rate of a token limit to be above 0 per second, got -1'],
  [{ ratePerSecond: Number.NaN, burst: 1 }, 'the rate of a token limit to be above 0 per second, got NaN'],
  [{ ratePerSecond: 0.1, burst: 0 }, 'the burst of a token limit to be at least 1, got 0'],
])('%o is no limit', (limit, complaint) => {
  expect(() => checkTokenLimit(limit)).toThrow(complaint);
});

test.each([
  [1, 5, 100_000, 1_000],
  [1, 5, 100_250, 750],
  [6, 5, 100_250, 1_750],
  [0.5, 0.1, 100_000, 5_000],
])('%d tokens at %d per second, from %i ms on, are there after %i ms', (missing, ratePerSecond, nowMs, waitMs) => {
  expect(refillWaitMs({ missing, ratePerSecond, nowMs })).toBe(waitMs);
});

test('a bucket is full at first, then gives a token whenever one has been added, and says what is left and how long it takes', () => {
  let nowNs = 0;
  const buckets = createTokenBuckets({ clockNs: () => nowNs, ratePerSecond: 4, burst: 2 });
  expect([1, 2, 3].map(() => buckets.take('a'))).toEqual([
    { isGranted: true, remaining: 1, retryAfterMs: 0 },
    { isGranted: true, remaining: 0, retryAfterMs: 0 },
    { isGranted: false, remaining: 0, retryAfterMs: 250 },
  ]);
  nowNs = 249_999_999;
  expect(buckets.take('a')).toEqual({ isGranted: false, remaining: 0, retryAfterMs: 0.000001 });
  nowNs += 1;
  expect(buckets.take('a').isGranted).toBe(true);
  expect(buckets.take('a').isGranted).toBe(false);
});

test('who wants more than the bucket holds never gets it, and leaves it as it was', () => {
  const buckets = createTokenBuckets({ clockNs: () => 0, ratePerSecond: 5, burst: 10 });
  expect(buckets.take('a', 11)).toEqual({ isGranted: false, remaining: 10, retryAfterMs: Number.POSITIVE_INFINITY });
  expect(buckets.take('a', 10)).toMatchObject({ isGranted: true, remaining: 0 });
});

test('keys have buckets of their own; those beyond the bound share one until another is full', () => {
  let nowNs = 0;
  const buckets = createTokenBuckets({ clockNs: () => nowNs, ratePerSecond: 1, burst: 1, mostKeys: 2 });
  expect(['a', 'b', 'c', 'd', 'a'].map((key) => buckets.take(key).isGranted)).toEqual([true, true, true, false, false]);
  nowNs = secondNs;
  expect(['c', 'd', 'e', 'f', 'c'].map((key) => buckets.take(key).isGranted)).toEqual([true, true, true, false, false]);
});

test('a key that gets a bucket of its own has in it what was left of the one it shared', () => {
  let nowNs = 0;
  const buckets = createTokenBuckets({ clockNs: () => nowNs, ratePerSecond: 1, burst: 1, mostKeys: 1 });
  expect(buckets.take('a').isGranted).toBe(true);
  nowNs = 0.9 * secondNs;
  expect(buckets.take('b').isGranted).toBe(true);
  nowNs = secondNs;
  expect(buckets.take('b')).toEqual({ isGranted: false, remaining: 0, retryAfterMs: 900 });
});

const limits = fc
  .record({
    ratePerSecond: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 5_000 })),
    burst: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 200 })),
  })
  .filter((limit) => tokenTtlSeconds(limit) >= 1);
const asks = fc.array(
  fc.record({
    // Often nothing, often a fraction of a token's time, sometimes longer than any bucket takes to fill.
    afterNs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 300 * millisecondNs }), fc.integer({ min: 0, max: 60 * secondNs })),
    tokens: fc.integer({ min: 1, max: 5 }),
    key: fc.constantFrom('a', 'b', 'c', 'd'),
  }),
  { maxLength: 120 },
);

test('between any two moments a bucket grants no more than its burst and what was added', () => {
  fc.assert(
    fc.property(limits, asks, fc.integer({ min: 1, max: 4 }), (limit, history, mostKeys) => {
      let nowNs = 0;
      const buckets = createTokenBuckets({ clockNs: () => nowNs, ...limit, mostKeys });
      const granted = new Map<string, { atNs: number; tokens: number }[]>();
      for (const { afterNs, tokens, key } of history) {
        nowNs += afterNs;
        const { isGranted, remaining, retryAfterMs } = buckets.take(key, tokens);
        expect(remaining).toBeGreaterThanOrEqual(0);
        expect(remaining).toBeLessThanOrEqual(limit.burst);
        expect(retryAfterMs > 0).toBe(!isGranted);
        if (isGranted) granted.set(key, [...(granted.get(key) ?? []), { atNs: nowNs, tokens }]);
      }
      for (const grants of granted.values()) {
        for (const [first, { atNs: fromNs }] of grants.entries()) {
          let sum = 0;
          for (const { atNs, tokens } of grants.slice(first)) {
            sum += tokens;
            // In whole nanoseconds, so that nothing is lost to rounding.
            const intervalNs = tokenIntervalNs(limit.ratePerSecond);
            expect(sum * intervalNs).toBeLessThanOrEqual(limit.burst * intervalNs + atNs - fromNs);
          }
        }
      }
    }),
  );
});

test('who waits as long as he is told is granted, and not a nanosecond earlier', () => {
  fc.assert(
    fc.property(limits, asks, (limit, history) => {
      let nowNs = 0;
      const buckets = createTokenBuckets({ clockNs: () => nowNs, ...limit });
      for (const { afterNs, tokens } of history) {
        nowNs += afterNs;
        const { isGranted, retryAfterMs } = buckets.take('a', tokens);
        if (isGranted || tokens > limit.burst) continue;
        nowNs += Math.round(retryAfterMs * millisecondNs) - 1;
        expect(buckets.take('a', tokens).isGranted).toBe(false);
        nowNs += 1;
        expect(buckets.take('a', tokens).isGranted).toBe(true);
      }
    }),
  );
});
