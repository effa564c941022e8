import { MallError } from '../errors.ts';
import { alignedSeconds, type Decision, type QuotaState, quotaState } from '../governance/limiter.ts';
import type { Runtime } from '../runtime.ts';
import { luaScript } from './script.ts';
import { isOutOfTime, type WatchedRedis } from './watched-redis.ts';

/** What a period's quota is to one request; `unknown` where Redis did not say, with why not if it was asked. */
export type QuotaDecision = (Decision & { readonly state: QuotaState }) | { readonly state: 'unknown'; readonly error?: unknown };

export type PeriodLimiter = {
  /** Counts a request of `who`. Never rejects. */
  take(who: string): Promise<QuotaDecision>;
};

/**
 * So many requests in each period, counted in Redis for all processes together, as go-zero does (governance.md 4.2); one count for each `who`.
 * A period begins with its first request, or on the clock of the local zone when `aligned`. Around its end twice the quota may pass within any
 * time as long as a period. Without Redis nobody counts: the answer is `unknown`, and whoever asked decides what that means. `name` is what keys
 * and metrics call the limiter: `quota:POST /api/v1/orders`.
 */
export function openPeriodLimiter(
  { config, clock, metrics }: Runtime,
  redis: WatchedRedis,
  {
    name,
    seconds,
    quota,
    aligned = false,
    zoneOffsetSeconds = localOffsetSeconds,
  }: { name: string; seconds: number; quota: number; aligned?: boolean; zoneOffsetSeconds?: (nowMs: number) => number },
): PeriodLimiter {
  const counter = (result: string) => metrics.limiterRequests.labels(name, result, 'redis');
  const counters = { granted: counter('granted'), refused: counter('refused'), unknown: counter('unknown') };

  function lastingSeconds(): number {
    const nowMs = clock.nowMs();
    if (!aligned) return seconds;
    return alignedSeconds({ seconds, unixSeconds: Math.floor(nowMs / 1_000), zoneOffsetSeconds: zoneOffsetSeconds(nowMs) });
  }

  async function askRedis(who: string): Promise<QuotaDecision> {
    const given = { keys: [`${config.namespace}:limit:${name}:${who}`], args: [lastingSeconds()] };
    try {
      const { count, leftMs } = parsed(await redis.command('EVALSHA', (client) => countOne(client, given)));
      const state = quotaState(count, quota);
      const isGranted = state !== 'overQuota';
      return { state, isGranted, remaining: Math.max(0, quota - count), retryAfterMs: isGranted ? 0 : leftMs };
    } catch (error) {
      if (!isOutOfTime(error)) redis.onFailure(error);
      return { state: 'unknown', error };
    }
  }

  return {
    async take(who) {
      const decision = redis.isAlive ? await askRedis(who) : uncounted;
      counters[decision.state === 'unknown' ? 'unknown' : decision.isGranted ? 'granted' : 'refused'].inc();
      return decision;
    },
  };
}

const uncounted: QuotaDecision = { state: 'unknown' };

const localOffsetSeconds = (nowMs: number): number => -new Date(nowMs).getTimezoneOffset() * 60;

function parsed(reply: unknown): { count: number; leftMs: number } {
  const [count, leftMs] = Array.isArray(reply) ? reply : [];
  if (typeof count !== 'number' || typeof leftMs !== 'number')
    throw new MallError('cache', `Expected a limiter's script to answer a count and a time, got ${String(reply)}`);
  return { count, leftMs };
}

/** How many there were in this period with this one, and how many milliseconds of it are left. Its argument: how long a new one lasts, in seconds. */
const countOne = luaScript(`
local count = redis.call('INCRBY', KEYS[1], 1)
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return { count, redis.call('PTTL', KEYS[1]) }`);
