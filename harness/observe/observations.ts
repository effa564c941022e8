import type { Histogram } from 'hdr-histogram-js';
import type { Edge, Route, Service } from '../../system/topology.ts';
import type { ImpactRecord, RequestOutcome, RouteImpactRecord } from '../record.ts';

/** A stretch of the run, in milliseconds of the run's own time. */
export type Window = { fromMs: number; untilMs: number };

/** What was seen from outside in one window: a phase, or the whole timeline. Expectations are judged against it and nothing else. */
export type Observations = {
  window: Window;
  /** Requests whose intended start lies in the window. */
  requests: (route: string, window?: Window) => Answers;
  /** How the load generator and its machine were. */
  ground: (window?: Window) => Ground;
  /** From the callers' spans. */
  calls: (edge: Edge, window?: Window) => Calls;
  /** The same refusals as the callers' own breakers counted them, a fraction as scrapes lie between; undefined when no counter was read. */
  countedRefusals: (edge: Edge, window?: Window) => number | undefined;
  /** From the service's own counters, all its replicas together. */
  shedding: (service: Service, window?: Window) => Shedding;
  /** What each fault did that began before the window's end, as far as that could be seen by then; in order of their start. */
  impacts: () => FaultImpact[];
  /** Calls per replica of the callee, counted twice: from the callers' spans, and from their pick counters. */
  picks: (edge: Edge) => { bySpan: ReadonlyMap<number, number>; byCounter: ReadonlyMap<number, number> };
  traces: (route: Route) => TraceFindings;
  /** Processes that sent fewer spans than they made, with the difference, and those that a fault killed. */
  lostSpans: () => { instance: string; lost: number | 'killed' }[];
  /** Processes of the mall that ended without being told to, and how. */
  deaths: () => { instance: string; how: string }[];
  /** Checkouts that were sent twice with one idempotency key, and those of which the second answer named another order. */
  repeated: () => { count: number; different: number };
  /** What the database says at the end; undefined when it could not be read. */
  audit: Audit | undefined;
  /** The same kind of observations for another phase of this run. Throws for a phase that does not exist. */
  phase: (name: string) => Observations;
};

export type Answers = {
  count: number;
  byOutcome: Partial<Record<RequestOutcome, number>>;
  /** Response times in microseconds of answers that served the shopper: `ok` and `degraded`. */
  served: Times;
  /** Those and the requests that nobody had answered when the shopper gave up; they count with the time limit, and took at least that long. */
  awaited: Times;
  timeoutMs: number;
  /** Why the first of them that got no good answer ended so, by outcome; nothing where it is asked for a part of a phase. */
  reasons?: Partial<Record<RequestOutcome, string>>;
};
/** Times in microseconds, as far as an expectation asks for them: whoever judges often need not make histograms for it. */
export type Times = Pick<Histogram, 'totalCount' | 'getValueAtPercentile'>;
/**
 * What a verdict stands on. Lag, hiccups and shares go on past the end of the window for as long as the longest response took, and seconds in which
 * a fault was on are left out of them: a fault may take the generator's machine along. Of visitors and requests all are counted, and no others.
 */
export type Ground = {
  /** Visitors that the schedule holds, and those that came. */
  intended: number;
  arrived: number;
  /** Requests, and those that were not sent because too many were under way, or for want of a socket. */
  planned: number;
  dropped: number;
  /** Journeys that threw, of visitors who arrived in these phases; what the first of them threw, and in which phase. */
  stumbles?: { count: number; first: string; phase: string };
  lagMsP99: number;
  hiccupMsP999: number;
  /** Of the busiest second. */
  loopUtilization: number;
  /** Of all the time; 0 where the system does not tell. */
  stealShare: number;
  throttledShare: number;
  /** Of the whole run: requests as the generator counted them, and answers as the gateways did. Absent where no server can be asked, or one was killed. */
  counted?: { answered: number; sent: number; byServer: number };
};
/** Times are milliseconds of the timeline. `subject` is the fault's edge, or the service whose process it took. */
export type FaultImpact = { sentence: string; subject: string; fromMs: number; untilMs: number; impacts: Impact[] };
/** What a fault did to an edge of the mall, from the callers' spans. */
export type Impact = ImpactRecord & { edge: Edge };
export type RouteImpact = RouteImpactRecord & { route: Route };
export type Calls = {
  count: number;
  failed: number;
  /** Calls that the caller's own breaker refused to send. */
  refused: number;
  /** Of all calls those that repeated one which had failed. */
  retried: number;
  firstRefusalMs?: number;
  lastRefusalMs?: number;
  /** When the first and the last failed call ended that ended in the window, wherever it had started: `failed` counts those that started there. */
  firstFailureMs?: number;
  lastFailureMs?: number;
  /** Calls that were sent after the last refusal. */
  sentSinceLastRefusal: number;
};
/**
 * One point a second. Growth between two scrapes is spread evenly over their time, so counts are fractions. `silent` are replicas of
 * which nothing is known in the window.
 */
export type Shedding = { points: SheddingPoint[]; silent: string[] };
export type SheddingPoint = { atMs: number; judged: number; shed: number };
export type TraceFindings = {
  /** Kept traces that began in the window, and how many of them miss nothing. */
  looked: number;
  whole: number;
  /** Those whose shopper was served in full: refused, degraded and failed requests need not get everywhere. */
  answered: number;
  /** Up to three trace ids with what is wrong with them. */
  broken: string[];
  /** How many of the answered went through these services in this order (others may lie between), and up to three that did not. */
  through: (services: readonly Service[]) => { passed: number; strayed: string[] };
};
export type Audit = {
  /** Pieces: on the shelf before the first shopper and now, held by orders in the inventory's books, and in paid orders. */
  products: { product: string; seeded: number; available: number; reserved: number; paid: number }[];
  /** Orders that a shopper was told about and the database does not know, by order id. */
  missingOrders: string[];
  acknowledged: number;
  paidOrders: number;
  /** Orders with status PAID that have no payment, or one of another amount. */
  paidWithoutPayment: string[];
  /** Payments without a PAID order, and orders or idempotency keys that were charged twice. */
  chargedWrongly: string[];
  /** Orders that are neither PAID nor CANCELLED when the run ends. */
  unsettled: number;
};
