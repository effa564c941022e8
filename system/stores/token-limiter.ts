import { MallError } from '../errors.ts';
import { checkTokenLimit, createTokenBuckets, type Decision, refillWaitMs, type TokenLimit } from '../governance/limiter.ts';
import type { Runtime } from '../runtime.ts';
import { luaScript } from './script.ts';
import { isOutOfTime, type WatchedRedis } from './watched-redis.ts';

export type TokenLimiter = {
  /** Takes tokens out of the bucket that belongs to `who`. Never rejects: without Redis this process decides for itself. */
  take(who: string, tokens?: number): Promise<Decision>;
};

/**
 * Token buckets in Redis, shared by all processes, as go-zero's (governance.md 4.1): one for each `who`. They are refilled at the beginning of
 * each whole second of the caller's clock, so between two moments a bucket grants no more than burst + rate × (seconds that began between them).
 *
 * When Redis does not answer, the limiter is in rescue: buckets in this process decide, so that each process grants another burst + rate × t.
 * `name` is what keys and metrics call it: `rate:POST /api/v1/orders`. Throws a `RangeError` for a limit that Redis cannot keep.
 */
export function openTokenLimiter(
  { config, clock, clockNs, metrics }: Runtime,
  redis: WatchedRedis,
  { name, ratePerSecond, burst }: TokenLimit & { name: string },
): TokenLimiter {
  checkTokenLimit({ ratePerSecond, burst });
  const rescue = createTokenBuckets({ clockNs, ratePerSecond, burst });
  const counter = (result: string, source: string) => metrics.limiterRequests.labels(name, result, source);
  const counters = {
    redis: { granted: counter('granted', 'redis'), refused: counter('refused', 'redis') },
    rescue: { granted: counter('granted', 'rescue'), refused: counter('refused', 'rescue') },
  };

  async function askRedis(who: string, tokens: number): Promise<Decision | undefined> {
    const bucket = `${config.namespace}:limit:{${name}:${who}}`;
    const nowMs = clock.nowMs();
    const given = { keys: [`${bucket}.tokens`, `${bucket}.ts`], args: [ratePerSecond, burst, Math.floor(nowMs / 1_000), tokens] };
    try {
      const { isGranted, left } = parsed(await redis.command('EVALSHA', (client) => takeTokens(client, given)));
      const waitMs = tokens > burst ? Number.POSITIVE_INFINITY : refillWaitMs({ missing: tokens - left, ratePerSecond, nowMs });
      return { isGranted, remaining: Math.floor(left), retryAfterMs: isGranted ? 0 : waitMs };
    } catch (error) {
      if (isOutOfTime(error)) return tooLate;
      redis.onFailure(error);
      return undefined;
    }
  }

  return {
    async take(who, tokens = 1) {
      const shared = redis.isAlive ? await askRedis(who, tokens) : undefined;
      const decision = shared ?? rescue.take(who, tokens);
      counters[shared === undefined ? 'rescue' : 'redis'][decision.isGranted ? 'granted' : 'refused'].inc();
      return decision;
    },
  };
}

/** Whoever asked waits no longer for an answer, whoever gives it. */
const tooLate: Decision = { isGranted: false, remaining: 0, retryAfterMs: 1_000 };

/** What the script answers: 1 for granted, else 0, and how many tokens are left. */
function parsed(reply: unknown): { isGranted: boolean; left: number } {
  const [granted, left] = Array.isArray(reply) ? reply : [];
  if (granted !== 0 && granted !== 1) throw new MallError('cache', `Expected a limiter's script to answer 0 or 1, got ${String(reply)}`);
  return { isGranted: granted === 1, left: Number(left) };
}

/** go-zero's, which says also what is left. Its arguments: rate, burst, now in whole seconds, the tokens wanted. */
const takeTokens = luaScript(`
local rate = tonumber(ARGV[1])
local burst = tonumber(ARGV[2])
local now = tonumber(ARGV[3])
local wanted = tonumber(ARGV[4])
local ttl = math.floor(burst / rate * 2)
local tokens = tonumber(redis.call('GET', KEYS[1])) or burst
local ts = tonumber(redis.call('GET', KEYS[2])) or 0
local left = math.min(burst, tokens + math.max(0, now - ts) * rate)
local granted = left >= wanted
if granted then left = left - wanted end
redis.call('SETEX', KEYS[1], ttl, left)
redis.call('SETEX', KEYS[2], ttl, now)
return { granted and 1 or 0, tostring(left) }`);
