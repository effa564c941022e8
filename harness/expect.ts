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
import { answeredWell, type Verdict } from './record.ts';

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
    below(limit: Percent, { from = '0ms' }: From = {}): Expectation {
      const [share, fromMs] = [toShare(limit), toMs(from)];
      if (share === 0) throw new UsageError(`Fewer than 0% of ${route} requests cannot fail; expect fewer than '0.1%', for instance`);
      return {
        sentence: `fewer than ${limit} of ${route} requests fail${since(from)}`,
        withinMs: fromMs,
        judge(seen) {
          const answers = seen.requests(route, partFrom(seen, fromMs));
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
          return count === 0 ? unknown('no call was made on this edge') : (unseen(seen, edge) ?? missed(`no refusal in ${count} calls`));
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
          if (lastRefusalMs === undefined) return fewCalls(count) ?? unseen(seen, edge) ?? met(`no refusal in ${count} calls`);
          const afterMs = lastRefusalMs - seen.window.fromMs;
          if (afterMs > withinMs) return missed(`still refusing after ${seconds(afterMs)} (${refused} refusals)`);
          const observed = `last refusal after ${seconds(afterMs)}, ${sentSinceLastRefusal} calls sent since`;
          return sentSinceLastRefusal < callsThatTell ? unknown(`${observed}: too few to tell`) : met(observed);
        },
      };
    },
    stays(_state: 'closed'): Expectation {
      return {
        sentence: `the breaker on ${edge} stays closed`,
        judge(seen) {
          const { count, refused } = seen.calls(edge);
          if (refused > 0) return missed(`${refused} refusals in ${count} calls`);
          return fewCalls(count) ?? unseen(seen, edge) ?? met(`no refusal in ${count} calls`);
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
      if (leastShare > mostShare) throw new UsageError(`Expected the smaller share first, got between('${least}', '${most}')`);
      return {
        sentence: `${service} sheds between ${least} and ${most} of its load`,
        judge(seen) {
          const { points, silent } = seen.shedding(service);
          const { judged, shed } = totals(points);
          if (silent.length > 0 || judged === 0) return unknown(`nothing is known of ${silent.join(' and ') || service}`);
          return verdict(
            shed > 0 && shed / judged >= leastShare && shed / judged <= mostShare,
            `shed ${percent(shed / judged)} of ${Math.round(judged)}`,
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
          const { points } = seen.shedding(service);
          const { points: laterPoints, silent } = seen.shedding(service, { ...seen.window, fromMs: seen.window.fromMs + withinMs });
          const later = totals(laterPoints);
          if (totals(seen.shedding(service, { fromMs: 0, untilMs: seen.window.untilMs }).points).shed === 0) {
            return unknown('it never shed, so it could not stop');
          }
          if (silent.length > 0 || later.judged === 0)
            return unknown(`nothing is known of ${silent.join(' and ') || service} after ${within}`);
          const last = points.findLast(({ shed }) => shed >= 0.5);
          const observed =
            last === undefined ? 'nothing shed in this phase' : `last shed ${seconds(last.atMs - seen.window.fromMs)} into the phase`;
          return verdict(Math.round(later.shed) === 0, observed);
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
          const death = seen.deaths().find(({ instance }) => instance === `${callee}.${replica}`);
          if (death !== undefined) return unknown(`${death.instance} died (${death.how}); ${observed}`);
          if (spans.total < picksThatTell || spans.share === 0) return unknown(`too few calls to tell: ${observed}`);
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
          return whole / looked >= share ? met(observed) : missedUnlessLost(seen, observed);
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
          return passed === found.answered ? met(observed) : missedUnlessLost(seen, observed);
        },
      };
    },
  };
}

/** What the inventory's books say at the end of the run. */
export const stock = {
  /** No product has sold more than there was, and what is gone from the shelf is what orders took. */
  neverOversold: (): Expectation => ({
    sentence: 'no product is oversold',
    judge: ({ audit }) => {
      if (audit === undefined || audit.products.length === 0) return unknown('the stock could not be read');
      const wrong = audit.products.filter(
        ({ seeded, available, reserved, paid }) => available < 0 || seeded - available !== reserved || paid > reserved,
      );
      const examples = wrong
        .slice(0, 3)
        .map((row) => `${row.product}: ${row.seeded} seeded, ${row.available} left, ${row.reserved} reserved, ${row.paid} paid`);
      const sold = audit.products.reduce((sum, { reserved }) => sum + reserved, 0);
      if (wrong.length > 0) return missed(examples.join('; '));
      return audit.paidOrders === 0
        ? unknown('nobody bought anything')
        : met(`${sold} pieces of ${audit.products.length} products sold, the books agree`);
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
    judge: ({ audit, repeated }) => {
      if (audit === undefined) return unknown('the payments could not be read');
      const wrong = [...audit.paidWithoutPayment, ...audit.chargedWrongly];
      if (wrong.length > 0) return missed(`${wrong.length} wrong: ${wrong.slice(0, 3).join(', ')}`);
      const { count, different } = repeated();
      if (different > 0) return missed(`${different} of ${count} repeated checkouts were not answered with the order of the first`);
      return audit.paidOrders === 0 ? unknown('no order was paid') : met(`${audit.paidOrders} paid orders, ${count} checkouts sent twice`);
    },
  }),
  /** Orders that were accepted while payment was away are paid or cancelled by the end of the run. */
  settled: (): Expectation => ({
    sentence: 'every order is paid or cancelled in the end',
    judge: ({ audit }) => {
      if (audit === undefined) return unknown('the orders could not be read');
      if (audit.unsettled > 0) return missed(`${audit.unsettled} orders are still open`);
      return audit.acknowledged === 0 ? unknown('no order was acknowledged') : met('none is left open');
    },
  }),
};

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

/** The rest of the phase from some time on; undefined for all of it. */
const partFrom = ({ window }: Observations, fromMs: number) => (fromMs === 0 ? undefined : { ...window, fromMs: window.fromMs + fromMs });

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

const servedCount = ({ byOutcome }: Answers) => answeredWell.reduce((sum, outcome) => sum + (byOutcome[outcome] ?? 0), 0);

function listed({ byOutcome }: Answers): string {
  const parts = Object.entries(byOutcome).filter(([outcome, count]) => count > 0 && !(answeredWell as readonly string[]).includes(outcome));
  return parts.length === 0 ? '' : ` (${parts.map(([outcome, count]) => `${count} ${outcome}`).join(', ')})`;
}

function totals(points: readonly { judged: number; shed: number }[]) {
  return points.reduce((sum, { judged, shed }) => ({ judged: sum.judged + judged, shed: sum.shed + shed }), { judged: 0, shed: 0 });
}

function shareOf(replica: number, counts: ReadonlyMap<number, number>): { share: number; total: number } | undefined {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return total === 0 ? undefined : { share: (counts.get(replica) ?? 0) / total, total };
}

/** Fewer calls, or picks, than this say nothing about those that were not made. */
const callsThatTell = 5;
const picksThatTell = 30;
const fewCalls = (count: number) => (count < callsThatTell ? unknown(`${count} calls were made on this edge: too few to tell`) : undefined);

/** Spans show no refusal: unknown where the callers' own counters do, or where their spans were lost. */
function unseen(seen: Observations, edge: Edge): Verdict | undefined {
  const counted = seen.countedRefusals(edge);
  if (counted !== undefined && counted >= 1) return unknown(`spans show no refusal, the breaker itself counted ${Math.round(counted)}`);
  const lost = seen.lostSpans().filter(({ instance }) => instance.startsWith(`${endsOf(edge).caller}.`));
  return counted === undefined && lost.length > 0
    ? unknown(`no refusal was seen, but spans were lost on the way from ${named(lost)}`)
    : undefined;
}

/** What is missing from traces may have been lost on the way here. */
function missedUnlessLost(seen: Observations, observed: string): Verdict {
  const lost = seen.lostSpans();
  return lost.length === 0 ? missed(observed) : unknown(`spans were lost on the way from ${named(lost)}; ${observed}`);
}
const named = (lost: ReturnType<Observations['lostSpans']>) => lost.map(({ instance, lost }) => `${instance} (${lost})`).join(', ');

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
