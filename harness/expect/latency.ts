import { UsageError } from '../../core/errors.ts';
import { type Duration, toMs } from '../../core/units.ts';
import type { Route } from '../../system/topology.ts';
import type { Observations } from '../observe/observations.ts';
import type { Verdict } from '../record.ts';
import { msAtPercentile } from '../recording.ts';
import { type Expectation, type From, fromOf, partFrom, since } from './expectation.ts';
import { checkRoute } from './names.ts';
import { timingDoubt } from './validity.ts';
import { met, missed, round, unknown } from './verdicts.ts';

/** Response times of requests that served the shopper, from the intended start to the last byte: `latency('checkout').p95.below('250ms')`. */
export function latency(route: Route) {
  checkRoute(route);
  return latencyOf(route);
}

/** The same for a route of any target. */
export const latencyOf = (route: string) =>
  new Proxy({ p50: percentile(route, 0.5), p95: percentile(route, 0.95), p99: percentile(route, 0.99) }, { get: percentileOrRefusal });

/** Scenarios run without their types: of another percentile JavaScript would say no more than that nothing has no `below`. */
function percentileOrRefusal<P extends object>(percentiles: P, name: string | symbol): unknown {
  if (typeof name === 'string' && /^p\d/.test(name) && !Object.hasOwn(percentiles, name))
    throw new UsageError(`Expected a percentile out of ${Object.keys(percentiles).join(', ')}, got '${name}'`);
  return Reflect.get(percentiles, name);
}

function percentile(route: string, quantile: number) {
  const name = `${quantile * 100}%`;
  return {
    below(limit: Duration, options?: From): Expectation {
      const from = fromOf(options);
      const [limitMs, fromMs] = [toMs(limit), toMs(from)];
      if (limitMs === 0) throw new UsageError(`Expected a limit above 0 for the latency of ${route}, got '${limit}'`);
      return {
        sentence: `${name} of served ${route} requests finish within ${limit}${since(from)}`,
        route,
        percentile: { quantile, route, fromMs },
        judge(seen) {
          const found = measured(seen, { route, quantile, fromMs });
          if ('outcome' in found) return found;
          return judged({ found, observed: `${told(found)} over ${found.count} requests`, limitMs, seen, fromMs });
        },
      };
    },
    /** At most `factor` times what the same percentile was in another phase of this run: a target that holds on any machine. */
    within(factor: number, phase: string, options?: From): Expectation {
      const from = fromOf(options);
      if (!(factor > 0)) throw new UsageError(`Expected a factor above 0 for ${route}, got ${factor}`);
      const fromMs = toMs(from);
      return {
        sentence: `${name} of served ${route} requests finish within ${factor} times as long as in '${phase}'${since(from)}`,
        route,
        percentile: { quantile, route, fromMs },
        comparesWith: phase,
        judge(seen) {
          const before = seen.phase(phase);
          const [found, calm] = [measured(seen, { route, quantile, fromMs }), measured(before, { route, quantile, fromMs: 0 })];
          if ('outcome' in found) return found;
          if ('outcome' in calm) return unknown(`in '${phase}': ${calm.observed}`);
          if (calm.isCensored) return unknown(`in '${phase}': ${told(calm)}, there is nothing to compare with`);
          const limitMs = factor * calm.ms;
          // Lag that makes the calm phase look slower would make this one look better.
          const doubt = timingDoubt(before.ground(), limitMs);
          if (doubt !== undefined) return unknown(`in '${phase}': ${doubt}`);
          const observed = `${told(found)}, ${(found.ms / calm.ms).toFixed(2)} times the ${round(calm.ms)} ms of '${phase}'`;
          return judged({ found, observed, limitMs, seen, fromMs });
        },
      };
    },
  };
}

/** A time that is censored was longer than `ms`, nobody knows by how much. */
type Measured = { ms: number; isCensored: boolean; count: number };

/**
 * The percentile of those who were served and those who gave up waiting: without the latter it would be that of the lucky, and fall the more of
 * them there are.
 */
function measured(
  seen: Observations,
  { route, quantile, fromMs }: { route: string; quantile: number; fromMs: number },
): Measured | Verdict {
  const part = partFrom(seen, fromMs);
  const { served, awaited, timeoutMs } = seen.requests(route, part);
  const needed = requestsFor(quantile);
  if (awaited.totalCount < needed)
    return unknown(`${awaited.totalCount} requests were served or given up, ${needed} are needed for this percentile`);
  const { dropped, planned } = seen.ground(part);
  if (dropped > 0) return unknown(`the load generator left out ${dropped} of ${planned} requests`);
  const isCensored = served.totalCount < Math.ceil(quantile * awaited.totalCount);
  const ms = isCensored ? timeoutMs : msAtPercentile(awaited, quantile * 100);
  return { ms, isCensored, count: awaited.totalCount };
}

const told = ({ ms, isCensored }: Measured) => (isCensored ? `at least ${round(ms)} ms` : `${round(ms)} ms`);

function judged({
  found,
  observed,
  limitMs,
  seen,
  fromMs,
}: {
  found: Measured;
  observed: string;
  limitMs: number;
  seen: Observations;
  fromMs: number;
}): Verdict {
  const doubt = timingDoubt(seen.ground(partFrom(seen, fromMs)), limitMs);
  if (doubt !== undefined) return unknown(`${observed}, but ${doubt}`);
  if (found.isCensored && found.ms < limitMs) return unknown(`${observed}: visitors gave up before the limit`);
  return found.ms <= limitMs && !found.isCensored ? met(observed) : missed(observed);
}

/** Requests a phase must hold for a percentile to mean something: ten beyond it. */
export const requestsFor = (quantile: number) => Math.ceil(10 / (1 - quantile) - 1e-9);
