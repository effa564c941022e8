import { UsageError } from '../core/errors.ts';
import { type Duration, type Percent, toMs, toShare } from '../core/units.ts';
import {
  type Edge,
  edges,
  endsOf,
  isEdge,
  isRoute,
  isService,
  type Route,
  routeNames,
  type Service,
  services,
} from '../system/topology.ts';
import type { Answers, Observations } from './observe/observations.ts';
import type { RequestOutcome, Verdict } from './record.ts';

/** A claim that can say itself in words and judge itself against what was seen in its phase. */
export type Expectation = {
  sentence: string;
  judge: (seen: Observations) => Verdict;
  /** A percentile needs a number of requests behind it; `plan` refuses a phase that is too short or too quiet for it. */
  percentile?: { quantile: number; route: Route; fromMs: number };
  /** Another phase whose observations are compared with. */
  comparesWith?: string;
  /** The longest `within`, so that `plan` can refuse one that does not fit the phase. */
  withinMs?: number;
  /** A replica that must exist. */
  replica?: { service: Service; replica: number };
};
/** `within` counts from the start of the phase. */
type Within = { within: Duration };
/** Judges only what happens from this long after the start of the phase. */
type From = { from?: Duration };

/** Response times of answers that served the shopper, from the intended start to the last byte: `latency('checkout').p95.below('250ms')`. */
export function latency(route: Route) {
  checkRoute(route);
  return { p50: percentile(route, 0.5), p95: percentile(route, 0.95), p99: percentile(route, 0.99) };
}

/** Requests that did not serve the shopper, refusals included; sold out is an answer, not an error: `errors('checkout').below('0.5%')`. */
export function errors(route: Route) {
  checkRoute(route);
  return {
    below(limit: Percent): Expectation {
      const share = toShare(limit);
      return {
        sentence: `fewer than ${limit} of ${route} requests fail`,
        judge(seen) {
          const answers = seen.requests(route);
          if (answers.count === 0) return unknown(`no ${route} request was made`);
          const failed = answers.count - servedCount(answers);
          return verdict(failed / answers.count < share, `${percent(failed / answers.count)} of ${answers.count}${listed(answers)}`);
        },
      };
    },
  };
}

/**
 * The circuit breaker of the callers on an edge. It *opens* with its first local refusal in the phase, and is *closed* when there are
 * no more: `breaker('orders->payment').opens({ within: '15s' })`.
 */
export function breaker(edge: Edge) {
  checkEdge(edge);
  return {
    opens({ within }: Within): Expectation {
      const withinMs = toMs(within);
      return {
        sentence: `the breaker on ${edge} opens within ${within}`,
        withinMs,
        judge(seen) {
          const { count, firstRefusalMs } = seen.calls(edge);
          if (firstRefusalMs !== undefined) {
            const afterMs = firstRefusalMs - seen.window.fromMs;
            return verdict(afterMs <= withinMs, `first refusal after ${seconds(afterMs)}`);
          }
          return count === 0 ? unknown('no call was made on this edge') : missed(`no refusal in ${count} calls`);
        },
      };
    },
    closes({ within }: Within): Expectation {
      const withinMs = toMs(within);
      return {
        sentence: `the breaker on ${edge} closes within ${within}`,
        withinMs,
        judge(seen) {
          const { refused, lastRefusalMs, sentSinceLastRefusal, count } = seen.calls(edge);
          const everRefused = seen.calls(edge, { fromMs: 0, untilMs: seen.window.untilMs }).refused > 0;
          if (!everRefused) return unknown('it never opened, so it could not close');
          if (count === 0) return unknown('no call was made on this edge');
          if (lastRefusalMs === undefined) return met(`no refusal in ${count} calls`);
          const afterMs = lastRefusalMs - seen.window.fromMs;
          if (afterMs > withinMs) return missed(`still refusing after ${seconds(afterMs)} (${refused} refusals)`);
          if (sentSinceLastRefusal === 0) return unknown(`last refusal after ${seconds(afterMs)}, but no call was made since`);
          return met(`last refusal after ${seconds(afterMs)}, ${sentSinceLastRefusal} calls sent since`);
        },
      };
    },
    stays(_state: 'closed'): Expectation {
      return {
        sentence: `the breaker on ${edge} stays closed`,
        judge(seen) {
          const { count, refused } = seen.calls(edge);
          if (count === 0) return unknown('no call was made on this edge');
          return verdict(refused === 0, `${refused} refusals in ${count} calls`);
        },
      };
    },
  };
}

/** Requests that a service turns away by itself because its machine is overloaded: `shedding('gateway').between('2%', '90%')`. */
export function shedding(service: Service) {
  checkService(service);
  return {
    between(least: Percent, most: Percent): Expectation {
      const [leastShare, mostShare] = [toShare(least), toShare(most)];
      return {
        sentence: `${service} sheds between ${least} and ${most} of its load`,
        judge(seen) {
          const { judged, shed } = totals(seen.shedding(service));
          if (judged === 0) return unknown(`${service} reported no requests`);
          return verdict(
            shed > 0 && shed / judged >= leastShare && shed / judged <= mostShare,
            `shed ${percent(shed / judged)} of ${judged}`,
          );
        },
      };
    },
    stops({ within }: Within): Expectation {
      const withinMs = toMs(within);
      return {
        sentence: `${service} stops shedding within ${within}`,
        withinMs,
        judge(seen) {
          const points = seen.shedding(service);
          const later = totals(points.filter(({ atMs }) => atMs >= seen.window.fromMs + withinMs));
          if (totals(seen.shedding(service, { fromMs: 0, untilMs: seen.window.untilMs })).shed === 0) {
            return unknown('it never shed, so it could not stop');
          }
          if (later.judged === 0) return unknown(`${service} reported no requests after ${within}`);
          const last = points.findLast(({ shed }) => shed > 0);
          const observed =
            last === undefined ? 'nothing shed in this phase' : `last shed ${seconds(last.atMs - seen.window.fromMs)} into the phase`;
          return verdict(later.shed === 0, observed);
        },
      };
    },
  };
}

/** How callers spread over the replicas of a callee: `balance('orders->inventory').avoids(2, { below: '15%' })`. */
export function balance(edge: Edge) {
  checkEdge(edge);
  const { callee } = endsOf(edge);
  if (!isService(callee)) throw new UsageError(`Expected an edge to a service that has replicas, got '${edge}'`);
  return {
    avoids(replica: number, { below }: { below: Percent }): Expectation {
      const limit = toShare(below);
      return {
        sentence: `${edge} sends replica ${replica} less than ${below} of its calls`,
        replica: { service: callee, replica },
        judge(seen) {
          const { bySpan, byCounter } = seen.picks(edge);
          const [spans, counted] = [shareOf(replica, bySpan), shareOf(replica, byCounter)];
          if (spans === undefined || counted === undefined) return unknown(`no ${spans === undefined ? 'spans' : 'pick counts'} were seen`);
          const observed = `${percent(spans.share)} of ${spans.total} by spans, ${percent(counted.share)} of ${counted.total} by pick counter`;
          // Spans of calls that never got a connection name no replica, and scrapes fall a second beside the phase's edges.
          if (Math.abs(spans.share - counted.share) > 0.05) return unknown(`the two counts disagree: ${observed}`);
          return verdict(spans.share < limit && counted.share < limit, observed);
        },
      };
    },
  };
}

/** The traces that the mall's processes reported for a route: `traces('checkout').passThrough('gateway', 'orders', 'payment')`. */
export function traces(route: Route) {
  checkRoute(route);
  return {
    complete(least: Percent): Expectation {
      const share = toShare(least);
      return {
        sentence: `${least} of ${route} traces have no missing span`,
        judge(seen) {
          const { looked, whole, broken } = seen.traces(route);
          if (looked === 0) return unknown(`no ${route} trace was seen`);
          const observed = `${whole} of ${looked} traces are whole${broken.length === 0 ? '' : `; ${broken.join('; ')}`}`;
          const lost = seen.lostSpans();
          if (whole / looked < share && lost.length > 0) {
            return unknown(
              `spans were lost on the way from ${lost.map(({ instance, lost }) => `${instance} (${lost})`).join(', ')}; ${observed}`,
            );
          }
          return verdict(whole / looked >= share, observed);
        },
      };
    },
    /** In this order, one calling the next, perhaps through others. Only requests that were served in full count. */
    passThrough(...path: [Service, ...Service[]]): Expectation {
      for (const service of path) checkService(service);
      return {
        sentence: `${route} traces pass through ${path.join(' → ')}`,
        judge(seen) {
          const found = seen.traces(route);
          if (found.answered === 0) return unknown(`no trace of an answered ${route} was seen`);
          const { passed, strayed } = found.through(path);
          const observed = `${passed} of ${found.answered}${strayed.length === 0 ? '' : `; not ${strayed.join(', ')}`}`;
          return verdict(passed === found.answered, observed);
        },
      };
    },
  };
}

/** What the inventory's books say at the end of the run. */
export const stock = {
  /** No product has sold more than there was, and what is gone from the shelf is what orders took. */
  neverOversold: (): Expectation => ({
    sentence: 'no product is sold twice',
    judge: ({ audit }) => {
      if (audit === undefined || audit.products.length === 0) return unknown('the stock could not be read');
      const wrong = audit.products.filter(
        ({ seeded, available, reserved, paid }) => available < 0 || seeded - available !== reserved || paid > reserved,
      );
      const named = wrong
        .slice(0, 3)
        .map((row) => `${row.product}: ${row.seeded} seeded, ${row.available} left, ${row.reserved} reserved, ${row.paid} paid`);
      const sold = audit.products.reduce((sum, { reserved }) => sum + reserved, 0);
      return wrong.length > 0 ? missed(named.join('; ')) : met(`${sold} pieces of ${audit.products.length} products sold, the books agree`);
    },
  }),
};

/** What the orders' and payments' books say at the end of the run. */
export const orders = {
  /** Every order that a shopper was told about is in the database. */
  neverLost: (): Expectation => ({
    sentence: 'every acknowledged order is in the database',
    judge: ({ audit }) => {
      if (audit === undefined) return unknown('the orders could not be read');
      if (audit.acknowledged === 0) return unknown('no order was acknowledged');
      const { missingOrders } = audit;
      return missingOrders.length > 0
        ? missed(`${missingOrders.length} of ${audit.acknowledged} missing: ${missingOrders.slice(0, 3).join(', ')}`)
        : met(`${audit.acknowledged} of ${audit.acknowledged}`);
    },
  }),
  /** A paid order has exactly one payment of its amount, and no other order has one. */
  chargedOnce: (): Expectation => ({
    sentence: 'every paid order is charged exactly once',
    judge: ({ audit }) => {
      if (audit === undefined) return unknown('the payments could not be read');
      const wrong = [...audit.paidWithoutPayment, ...audit.chargedWrongly];
      if (wrong.length > 0) return missed(`${wrong.length} wrong: ${wrong.slice(0, 3).join(', ')}`);
      return audit.paidOrders === 0 ? unknown('no order was paid') : met(`${audit.paidOrders} paid orders`);
    },
  }),
  /** Orders that were accepted while payment was away are paid or cancelled by the end of the run. */
  settled: (): Expectation => ({
    sentence: 'every order is paid or cancelled in the end',
    judge: ({ audit }) => {
      if (audit === undefined) return unknown('the orders could not be read');
      return audit.unsettled > 0 ? missed(`${audit.unsettled} orders are still open`) : met('none is left open');
    },
  }),
};

function percentile(route: Route, quantile: number) {
  const name = `${quantile * 100}%`;
  return {
    below(limit: Duration, { from = '0ms' }: From = {}): Expectation {
      const [limitMs, fromMs] = [toMs(limit), toMs(from)];
      return {
        sentence: `${name} of ${route} requests finish within ${limit}${since(from)}`,
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
        sentence: `${name} of ${route} requests finish within ${factor} times as long as in '${phase}'${since(from)}`,
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
  const window = { fromMs: seen.window.fromMs + fromMs, untilMs: seen.window.untilMs };
  const { served } = seen.requests(route, fromMs === 0 ? undefined : window);
  const needed = requestsFor(quantile);
  if (served.totalCount < needed) return unknown(`${served.totalCount} served requests, ${needed} are needed for this percentile`);
  const { dropped, planned, lagMsP99 } = seen.generator(fromMs === 0 ? undefined : window);
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

const servedOutcomes: readonly RequestOutcome[] = ['ok', 'degraded', 'outOfStock'];
const servedCount = ({ byOutcome }: Answers) => servedOutcomes.reduce((sum, outcome) => sum + (byOutcome[outcome] ?? 0), 0);

function listed({ byOutcome }: Answers): string {
  const parts = Object.entries(byOutcome).filter(
    ([outcome, count]) => count > 0 && !(servedOutcomes as readonly string[]).includes(outcome),
  );
  return parts.length === 0 ? '' : ` (${parts.map(([outcome, count]) => `${count} ${outcome}`).join(', ')})`;
}

function totals(points: readonly { judged: number; shed: number }[]) {
  return points.reduce((sum, { judged, shed }) => ({ judged: sum.judged + judged, shed: sum.shed + shed }), { judged: 0, shed: 0 });
}

function shareOf(replica: number, counts: ReadonlyMap<number, number>): { share: number; total: number } | undefined {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return total === 0 ? undefined : { share: (counts.get(replica) ?? 0) / total, total };
}

const met = (observed: string): Verdict => ({ outcome: 'met', observed });
const missed = (observed: string): Verdict => ({ outcome: 'missed', observed });
const unknown = (observed: string): Verdict => ({ outcome: 'unknown', observed });
const verdict = (holds: boolean, observed: string) => (holds ? met(observed) : missed(observed));

const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 ? 2 : 1)}%`;
const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
const round = (ms: number) => (ms < 10 ? ms.toFixed(2) : ms.toFixed(1));
const since = (from: Duration) => (toMs(from) === 0 ? '' : `, from ${from} on`);

function checkRoute(route: string): void {
  if (!isRoute(route)) throw new UsageError(`Expected a route (${routeNames.join(', ')}), got '${route}'`);
}
function checkService(service: string): void {
  if (!isService(service)) throw new UsageError(`Expected a service (${services.join(', ')}), got '${service}'`);
}
/** Exported for `plan`, which checks faults with it. */
export function checkEdge(edge: string): void {
  if (!isEdge(edge)) throw new UsageError(`Expected an edge the mall has (${edges.join(', ')}), got '${edge}'`);
}
