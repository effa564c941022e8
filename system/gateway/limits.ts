import { trace } from '@opentelemetry/api';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { refused } from '../errors.ts';
import type { Decision } from '../governance/limiter.ts';
import type { Runtime } from '../runtime.ts';
import { openPeriodLimiter } from '../stores/period-limiter.ts';
import { openRedis } from '../stores/redis.ts';
import { openTokenLimiter } from '../stores/token-limiter.ts';
import { type WatchedRedis, watchRedis } from '../stores/watched-redis.ts';
import { attributes, headers } from '../telemetry/names.ts';
import type { Tuning } from '../tuning.ts';

type Limits = Tuning['limits'];

/** Asks the limits of a route whether they grant a request, and says in its answer what is left; throws a refusal (`limit`) if not. */
export type Limit = (request: FastifyRequest, reply: FastifyReply, userId?: number) => Promise<void>;

/** A route of the gateway: `POST /api/v1/orders`. Those with a user are for who is logged in. */
export type AddedRoute = { readonly name: string; readonly hasUser: boolean };

/**
 * The rates and quotas of the tuning, by route; undefined for a route without any. A request has to be granted by both. Where Redis does not
 * count a quota, the request passes and is counted as `unknown`: a limit must not be what takes the mall down.
 * Without a limit on any route nothing is opened.
 */
export function openLimits(runtime: Runtime): (route: string) => Limit | undefined {
  const { enabled, rates, quotas } = runtime.config.tuning.limits;
  const limited = new Set([...Object.keys(rates), ...Object.keys(quotas)]);
  if (!enabled || limited.size === 0) return () => undefined;
  const redis = watchRedis(runtime, openRedis(runtime, { isVital: false }));
  return function limitOf(route) {
    return limited.has(route) ? limitBy(rulesOf(runtime, { route, redis })) : undefined;
  };
}

/** The most bytes that fastify reads of a body. No limit is go-zero's for JSON: 8 MiB. */
export const bodyLimit = ({ enabled, bytes }: Limits): number => (enabled && bytes > 0 ? bytes : 8 * 1_048_576);

/** `most` is what a shopper is told as the limit; `ask` gives undefined where nobody knows. */
type Rule = { per: 'route' | 'user' | 'client'; most: number; ask: (who: string) => Promise<Decision | undefined> };

function rulesOf(runtime: Runtime, { route, redis }: { route: string; redis: WatchedRedis }): Rule[] {
  const { rates, quotas } = runtime.config.tuning.limits;
  const rules: Rule[] = [];
  const [rate, quota] = [rates[route], quotas[route]];
  if (rate !== undefined) {
    const limiter = openTokenLimiter(runtime, redis, { name: `rate:${route}`, ...rate });
    rules.push({ per: rate.per, most: rate.burst, ask: (who) => limiter.take(who) });
  }
  if (quota !== undefined) {
    const limiter = openPeriodLimiter(runtime, redis, { name: `quota:${route}`, ...quota });
    const ask = async (who: string) => {
      const decision = await limiter.take(who);
      return decision.state === 'unknown' ? undefined : decision;
    };
    rules.push({ per: quota.per, most: quota.quota, ask });
  }
  return rules;
}

function limitBy(rules: readonly Rule[]): Limit {
  return async function limit(request, reply, userId) {
    let least = Number.POSITIVE_INFINITY;
    for (const { per, most, ask } of rules) {
      const decision = await ask(whoseOf(per, request, userId));
      if (decision === undefined) continue;
      const { isGranted, remaining, retryAfterMs } = decision;
      // Of two limits the shopper is told the one that he will meet first.
      if (!isGranted || remaining < least) reply.header(headers.rateLimit, most).header(headers.rateRemaining, remaining);
      least = Math.min(least, remaining);
      if (isGranted) continue;
      reply.header(headers.retryAfter, Math.max(1, Math.ceil(retryAfterMs / 1_000)));
      trace.getActiveSpan()?.setAttribute(attributes.refusedBy, 'limit');
      throw refused('limit');
    }
  };
}

/** Whose bucket or count it is. */
function whoseOf(per: Rule['per'], request: FastifyRequest, userId: number | undefined): string {
  switch (per) {
    case 'route':
      return 'all';
    case 'user':
      return String(userId);
    case 'client':
      return request.ip;
    default:
      return per satisfies never;
  }
}
