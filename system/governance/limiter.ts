import { type ClockNs, millisecondNs, secondNs } from './clock.ts';

/*
 * What limiters decide, as go-zero does (governance.md 4). Those that a whole mall shares keep their counts in Redis (`stores/token-limiter.ts`,
 * `stores/period-limiter.ts`); here is what needs no Redis.
 */

/** What a limiter says to one request. */
export type Decision = {
  readonly isGranted: boolean;
  /** How many more it would grant at this moment. */
  readonly remaining: number;
  /** After how long to ask again; 0 when granted, Infinity when there never will be enough. */
  readonly retryAfterMs: number;
};

/** A bucket that holds `burst` tokens and is given `ratePerSecond`; each request takes one. */
export type TokenLimit = { readonly ratePerSecond: number; readonly burst: number };

export type TokenBuckets = {
  /** Takes tokens out of the bucket of `key` if there are as many. */
  take(key: string, tokens?: number): Decision;
};

/**
 * Token buckets in this process, one for each key, full at first and refilled continuously: a token every `tokenIntervalNs`. Over any interval
 * of t seconds a bucket grants no more than burst + t / interval tokens.
 *
 * There are `mostKeys` at most. Further keys share one bucket until the one that was used longest ago is full again: to forget that changes nothing.
 */
export function createTokenBuckets({
  clockNs,
  ratePerSecond,
  burst,
  mostKeys = 10_000,
}: TokenLimit & { clockNs: ClockNs; mostKeys?: number }): TokenBuckets {
  const intervalNs = tokenIntervalNs(ratePerSecond);
  const capacityNs = burst * intervalNs;
  /** When each bucket will be full again, the one used longest ago first. A bucket that is full need not be known. */
  const fullAtNs = new Map<string, number>();
  let sharedFullAtNs = Number.NEGATIVE_INFINITY;

  function hasRoom(nowNs: number): boolean {
    if (fullAtNs.size < mostKeys) return true;
    for (const [oldest, atNs] of fullAtNs) return atNs <= nowNs && fullAtNs.delete(oldest);
    return false;
  }

  return {
    take(key, tokens = 1) {
      const nowNs = clockNs();
      const ownFullAtNs = fullAtNs.get(key);
      // What is missing from a bucket is a time: the one it takes to fill up. To a new one as much is missing as to the one that its key may
      // have shared until now.
      const missingNs = Math.max(0, (ownFullAtNs ?? sharedFullAtNs) - nowNs);
      const afterNs = missingNs + tokens * intervalNs;
      const isGranted = afterNs <= capacityNs;
      if (isGranted) {
        fullAtNs.delete(key);
        if (ownFullAtNs !== undefined || hasRoom(nowNs)) fullAtNs.set(key, nowNs + afterNs);
        else sharedFullAtNs = nowNs + afterNs;
      }
      return {
        isGranted,
        remaining: Math.floor((capacityNs - (isGranted ? afterNs : missingNs)) / intervalNs),
        retryAfterMs: isGranted ? 0 : tokens > burst ? Number.POSITIVE_INFINITY : (afterNs - capacityNs) / millisecondNs,
      };
    },
  };
}

/** Whole nanoseconds, as Go counts them: a rate of 3 per second gives 3.000000003. */
export const tokenIntervalNs = (ratePerSecond: number): number => Math.trunc(secondNs / ratePerSecond);

/**
 * For how many seconds Redis keeps a bucket: at least as long as it takes to fill up, so that one it has forgotten is full.
 * 0 for a burst below half the rate, for which there can be no bucket.
 */
export const tokenTtlSeconds = ({ ratePerSecond, burst }: TokenLimit): number => Math.floor((burst / ratePerSecond) * 2);

/** Throws a `RangeError` for a limit that a bucket in Redis cannot keep. */
export function checkTokenLimit(limit: TokenLimit): void {
  const { ratePerSecond, burst } = limit;
  if (!(ratePerSecond > 0)) throw new RangeError(`Expected the rate of a token limit to be above 0 per second, got ${ratePerSecond}`);
  if (!(burst >= 1)) throw new RangeError(`Expected the burst of a token limit to be at least 1, got ${burst}`);
  if (tokenTtlSeconds(limit) < 1)
    throw new RangeError(
      `Expected the burst of a token limit to be at least half its rate per second (with less the bucket would expire at once), got ${burst} for a rate of ${ratePerSecond}`,
    );
}

/** How long until `missing` tokens have been added by a bucket that is refilled at the beginning of each whole second. */
export const refillWaitMs = ({ missing, ratePerSecond, nowMs }: { missing: number; ratePerSecond: number; nowMs: number }): number =>
  Math.ceil(missing / ratePerSecond) * 1_000 - (nowMs % 1_000);

/** How long the period lasts that holds `unixSeconds`, when periods begin on the clock: 86,400 at each midnight of the zone. */
export const alignedSeconds = ({
  seconds,
  unixSeconds,
  zoneOffsetSeconds,
}: {
  seconds: number;
  unixSeconds: number;
  zoneOffsetSeconds: number;
}): number => seconds - ((unixSeconds + zoneOffsetSeconds) % seconds);

/** `hitQuota` is the last that a period permits. */
export type QuotaState = 'allowed' | 'hitQuota' | 'overQuota';

/** What the `count`th request of a period, counted from 1, is to its quota. */
export function quotaState(count: number, quota: number): QuotaState {
  if (count < quota) return 'allowed';
  return count === quota ? 'hitQuota' : 'overQuota';
}
