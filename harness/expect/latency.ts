import { UsageError } from '../../core/errors.ts';
import { type Duration, toMs } from '../../core/units.ts';
import type { Route } from '../../system/topology.ts';
import type { Observations } from '../observe/observations.ts';
import type { Verdict } from '../record.ts';
import { type Expectation, type From, partFrom, since } from './expectation.ts';
import { checkRoute } from './names.ts';
import { met, missed, round, unknown } from './verdicts.ts';

/** Response times of answers that served the shopper, from the intended start to the last byte: `latency('checkout').p95.below('250ms')`. */
export function latency(route: Route) {
  checkRoute(route);
  return { p50: percentile(route, 0.5), p95: percentile(route, 0.95), p99: percentile(route, 0.99) };
}

function percentile(route: Route, quantile: number) {
  const name = `${quantile * 100}%`;
  return {
    below(limit: Duration, { from = '0ms' }: From = {}): Expectation {
      const [limitMs, fromMs] = [toMs(limit), toMs(from)];
      return {
        sentence: `${name} of served ${route} requests finish within ${limit}${since(from)}`,
        percentile: { quantile, route, fromMs },
        judge(seen) {
          const found = measured(seen, { route, quantile, fromMs });
          if ('outcome' in found) return found;
          const observed = `${round(found.ms)} ms over ${found.count} requests`;
          return found.ms < limitMs ? met(observed) : missedUnlessLate({ observed, limitMs, lagMs: found.lagMs });
        },
      };
    },
    /** At most `factor` times what the same percentile was in another phase of this run: a target that holds on any machine. */
    within(factor: number, phase: string, { from = '0ms' }: From = {}): Expectation {
      if (!(factor > 0)) throw new UsageError(`Expected a factor above 0 for ${route}, got ${factor}`);
      const fromMs = toMs(from);
      return {
        sentence: `${name} of served ${route} requests finish within ${factor} times as long as in '${phase}'${since(from)}`,
        percentile: { quantile, route, fromMs },
        comparesWith: phase,
        judge(seen) {
          const [found, calm] = [measured(seen, { route, quantile, fromMs }), measured(seen.phase(phase), { route, quantile, fromMs: 0 })];
          if ('outcome' in found) return found;
          if ('outcome' in calm) return unknown(`in '${phase}': ${calm.observed}`);
          // Lag that makes the calm phase look slower would make this one look better.
          if (isLate(calm.lagMs, calm.ms)) return unknown(`in '${phase}': the load generator was ${round(calm.lagMs)} ms late at p99`);
          const limitMs = factor * calm.ms;
          const observed = `${round(found.ms)} ms, ${(found.ms / calm.ms).toFixed(2)} times the ${round(calm.ms)} ms of '${phase}'`;
          return found.ms <= limitMs ? met(observed) : missedUnlessLate({ observed, limitMs, lagMs: found.lagMs });
        },
      };
    },
  };
}

type Measured = { ms: number; count: number; lagMs: number };

function measured(seen: Observations, { route, quantile, fromMs }: { route: Route; quantile: number; fromMs: number }): Measured | Verdict {
  const part = partFrom(seen, fromMs);
  const { served } = seen.requests(route, part);
  const needed = requestsFor(quantile);
  if (served.totalCount < needed) return unknown(`${served.totalCount} served requests, ${needed} are needed for this percentile`);
  const { dropped, planned, lagMsP99 } = seen.generator(part);
  if (dropped > 0) return unknown(`the load generator left out ${dropped} of ${planned} requests`);
  return { ms: served.getValueAtPercentile(quantile * 100) / 1_000, count: served.totalCount, lagMs: lagMsP99 };
}

/**
 * Response times count from the intended start, so a late generator can only make them longer: what is met in spite of it is met,
 * and what is missed may be the generator's fault.
 */
function missedUnlessLate({ observed, limitMs, lagMs }: { observed: string; limitMs: number; lagMs: number }): Verdict {
  return isLate(lagMs, limitMs)
    ? unknown(`${observed}, but the load generator itself was ${round(lagMs)} ms late at p99`)
    : missed(observed);
}

/** More than a quarter of what is being measured; a few milliseconds are how timers are on a busy machine. */
const isLate = (lagMs: number, ofMs: number) => lagMs > Math.max(5, ofMs / 4);

/** Requests a phase must hold for a percentile to mean something: ten beyond it. */
export const requestsFor = (quantile: number) => Math.ceil(10 / (1 - quantile) - 1e-9);
