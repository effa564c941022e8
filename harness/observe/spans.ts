import { type Route, routeNames } from '../../system/topology.ts';
import { createCallCounts } from './calls.ts';
import type { Window } from './observations.ts';
import type { Span } from './otlp-decode.ts';

/** The spans of one request of a shopper, in order of arrival. */
export type Trace = {
  traceId: string;
  route: Route;
  spans: Span[];
  /** The gateway's server span: the first work the mall did. Absent while, or because, it has not arrived. */
  gateway: Span | undefined;
  /** `sampled` traces were chosen by their id alone and make a fair sample; the others are here because something was odd about them. */
  why: 'sampled' | 'failed' | 'slow';
  /** Spans of it were left out because the store was full, or it has absurdly many. */
  truncated: boolean;
};

export type SpanStore = ReturnType<typeof createSpanStore>;

/**
 * Takes every span of a run and keeps what can be afforded. Counts are made of all spans, always; whole spans are kept of
 * one in `keepEvery` traces of a route (none where it is absent), and of traces that turn out failed or slow, up to `oddPerSecond` of a
 * route. Until a trace turns out so, it waits among the last `recentSpans` to twice as many spans.
 * When `maxSpansKept` is near no more traces are begun, and `left` counts what was meant to be kept and was not.
 *
 * `runTag` is the beginning of the trace ids that our load driver makes, 8 hexadecimal digits; two more are the number of the route.
 * Counts of calls are explained in calls.ts.
 */
export function createSpanStore({
  runTag,
  maxSpansKept = 400_000,
  keepEvery = { checkout: 1, view: 20, browse: 20 },
  oddPerSecond = 20,
  recentSpans = 40_000,
}: {
  runTag: string;
  maxSpansKept?: number;
  keepEvery?: Partial<Record<Route, number>>;
  oddPerSecond?: number;
  recentSpans?: number;
}) {
  const received = new Map<string, number>();
  const callCounts = createCallCounts();
  const left = { traces: 0, spans: 0 };

  const kept = new Map<string, Entry>();
  const keptByRoute = new Map<Route, Entry[]>(routeNames.map((route) => [route, []]));
  let spansKept = 0;
  // Two generations: to forget the older one is free, to delete the oldest keys of a large Map is not.
  let young = new Map<string, Entry>();
  let old = new Map<string, Entry>();
  let spansInYoung = 0;
  const slowMs = new Map<Route, number>();
  const oddPerRouteSecond = new Map<string, number>();

  function add(spans: readonly Span[]): void {
    for (const span of spans) {
      count(span);
      // Spans outside of the shoppers' traces are background work or another's: they are counted and not kept.
      if (span.traceId.startsWith(runTag)) hold(span);
    }
  }

  function count(span: Span): void {
    received.set(span.instance, (received.get(span.instance) ?? 0) + 1);
    callCounts.count(span);
  }

  function hold(span: Span): void {
    const entry = young.get(span.traceId) ?? old.get(span.traceId) ?? kept.get(span.traceId) ?? begin(span.traceId);
    if (entry === undefined) return;
    if (entry.spans.length >= maxSpansPerTrace || (entry.isKept && spansKept >= maxSpansKept)) {
      if (entry.isKept && !entry.truncated) left.traces++;
      entry.truncated = true;
      left.spans++;
      return;
    }
    entry.spans.push(span);
    if (entry.isKept) spansKept++;
    else if (entry.isLeft) left.spans++;
    if (!entry.isKept) growYoung();

    const isGateway = span.kind === 'server' && span.service === 'gateway';
    if (isGateway && (entry.gateway === undefined || span.startMs < entry.gateway.startMs)) entry.gateway = span;
    const isSlow = isGateway && isSlowFor(entry.route, span.endMs - span.startMs);
    if (!entry.isKept && (span.failed || isSlow)) promote(entry, span);
  }

  /** Undefined for an id that carries our tag but no route. */
  function begin(traceId: string): Entry | undefined {
    const route = routeNames[Number.parseInt(traceId.slice(8, 10), 16)];
    if (route === undefined) return undefined;
    const isChosen = isSampled(traceId, keepEvery[route]);
    const isKept = isChosen && spansKept < maxSpansKept * sampledShare;
    const isLeft = isChosen && !isKept;
    const entry: Entry = { traceId, route, spans: [], gateway: undefined, why: 'sampled', truncated: false, isKept, isLeft };
    if (isKept) keep(entry);
    else young.set(traceId, entry);
    if (isLeft) left.traces++;
    return entry;
  }

  function promote(entry: Entry, { failed, startMs }: Span): void {
    if (spansKept + entry.spans.length > maxSpansKept * oddShare) return;
    const second = `${entry.route} ${Math.floor(startMs / 1_000)}`;
    const odd = oddPerRouteSecond.get(second) ?? 0;
    if (odd >= oddPerSecond || oddPerRouteSecond.size > maxOddSeconds) return;
    oddPerRouteSecond.set(second, odd + 1);
    if (entry.isLeft) {
      left.traces--;
      left.spans -= entry.spans.length;
    }
    entry.isLeft = false;
    entry.isKept = true;
    entry.why = failed ? 'failed' : 'slow';
    spansKept += entry.spans.length;
    keep(entry);
  }

  function keep(entry: Entry): void {
    kept.set(entry.traceId, entry);
    keptByRoute.get(entry.route)?.push(entry);
  }

  function growYoung(): void {
    spansInYoung++;
    if (spansInYoung < recentSpans) return;
    old = young;
    young = new Map();
    spansInYoung = 0;
  }

  /** Follows the 98th percentile of a route's durations: up a large step for the two in a hundred above it, down a small one for the rest. */
  function isSlowFor(route: Route, durationMs: number): boolean {
    const limitMs = slowMs.get(route) ?? 2 * durationMs;
    const isAbove = durationMs > limitMs;
    slowMs.set(route, Math.max(0.001, isAbove ? limitMs * (1 + 0.05 * 0.98) : limitMs * (1 - 0.05 * 0.02)));
    return isAbove;
  }

  return {
    add,
    /** Spans received per instance; never sampled. */
    receivedByInstance: (): ReadonlyMap<string, number> => received,
    /** What was meant to be kept or counted and was not: nothing is hidden when the store is full. */
    left: () => ({ ...left, calls: callCounts.left() }),
    edges: callCounts.edges,
    calls: callCounts.calls,
    slices: callCounts.slices,
    picks: callCounts.picks,
    trace: (traceId: string): Trace | undefined => kept.get(traceId),
    /** Kept traces that began in the window, except truncated ones: nothing can be said of those. */
    tracesOf: (route: Route, window: Window): Trace[] =>
      (keptByRoute.get(route) ?? []).filter((trace) => !trace.truncated && isIn(window, startOf(trace))),
  };
}

/** `isLeft`: chosen by its id, but the store was full. */
type Entry = Trace & { isKept: boolean; isLeft: boolean };

const maxSpansPerTrace = 5_000;
const maxOddSeconds = 20_000;
/** Sampled traces may fill this much of the store, odd ones more; the rest lets traces that have begun come to their end. */
const sampledShare = 0.75;
const oddShare = 0.95;

/** When the mall began to work on it; where the gateway's span is missing, the earliest that is known of it. */
function startOf({ gateway, spans }: Trace): number {
  return gateway?.startMs ?? spans.reduce((earliest, { startMs }) => Math.min(earliest, startMs), Number.POSITIVE_INFINITY);
}

/** The same answer wherever and whenever it is asked: the last eight digits of the id are chance enough. */
function isSampled(traceId: string, oneIn: number | undefined): boolean {
  if (oneIn === undefined) return false;
  return oneIn <= 1 || Number.parseInt(traceId.slice(24), 16) % oneIn === 0;
}

const isIn = ({ fromMs, untilMs }: Window, atMs: number) => atMs >= fromMs && atMs < untilMs;
