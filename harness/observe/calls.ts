import { type Edge, edges, endsOf, isService } from '../../system/topology.ts';
import { createDurations, type Durations } from './durations.ts';
import type { Calls, Window } from './observations.ts';
import type { Span } from './otlp-decode.ts';

/** One second of an edge. `calls` are all that the caller wanted to make: `refused` by its own breaker, `failed` on the way, or well. */
export type EdgeSecond = {
  atMs: number;
  calls: number;
  failed: number;
  refused: number;
  /** Calls by the instance of the callee that was picked, such as `inventory.2`. */
  picked: ReadonlyMap<string, number>;
};

/**
 * Counts calls per edge from the callers' client spans, by when they started. Attributes that matter: `mall.edge`, `mall.peer` (the
 * instance that was picked) and `mall.refused_by`. Counts are kept per 100 ms: windows and seconds are exact to half of that.
 */
export function createCallCounts() {
  const tallies = new Map<string, Tally>(edges.map((edge) => [edge, createTally(edge)]));
  let left = 0;

  function tallyOf(edge: Edge): Tally {
    const tally = tallies.get(edge);
    if (tally === undefined) throw new TypeError(`Expected an edge of the mall (${edges.join(', ')}), got '${edge}'`);
    return tally;
  }

  return {
    /** Spans that are not a call on an edge of the mall are passed over. */
    count(span: Span): void {
      if (span.kind !== 'client') return;
      const edge = span.attributes['mall.edge'];
      const tally = typeof edge === 'string' ? tallies.get(edge) : undefined;
      if (tally !== undefined && !countCall(tally, span)) left++;
    },
    /** Calls that could not be counted because their times spread over more than half an hour. */
    left: () => left,
    /** The seconds of each edge in which there were calls, in order; seconds are counted from `originMs`. */
    edges: (originMs = 0): Map<Edge, EdgeSecond[]> =>
      new Map([...tallies.values()].map((tally) => [tally.edge, secondsOf(tally, originMs)])),
    calls: (edge: Edge, window: Window): Calls => callsIn(tallyOf(edge), window),
    /** Half seconds in which there were calls, in order; those whose middle lies in the window. */
    slices: (edge: Edge, window: Window): CallSlice[] => slicesIn(tallyOf(edge), window),
    /** Calls by the instance that was picked. */
    picks: (edge: Edge, window: Window): Map<string, number> => picksIn(tallyOf(edge), window),
  };
}

/** Half a second of an edge, by when its calls started. `durations` are those of calls that went well. */
export type CallSlice = { fromMs: number; untilMs: number; calls: number; failed: number; refused: number; durations: Durations };

const bucketMs = 100;
const sliceMs = 500;
const maxBuckets = 20_000;

/** Buckets by their number. */
type Tally = { edge: Edge; hasReplicas: boolean; buckets: Map<number, Bucket>; durations: Map<number, Durations> };
type Bucket = Omit<EdgeSecond, 'atMs' | 'picked'> & {
  firstRefusalMs: number;
  lastRefusalMs: number;
  /** When the first and the last failed call of those that started here ended. */
  firstFailureMs: number;
  lastFailureMs: number;
  /** Repetitions of calls that had failed. */
  retried: number;
  /** Absent where no replica was picked. */
  picked: Map<string, number> | undefined;
};

const createTally = (edge: Edge): Tally => ({
  edge,
  hasReplicas: isService(endsOf(edge).callee),
  buckets: new Map(),
  durations: new Map(),
});

function countCall(tally: Tally, { startMs, endMs, failed, attributes }: Span): boolean {
  const bucket = bucketAt(tally, Math.floor(startMs / bucketMs));
  if (bucket === undefined) return false;
  bucket.calls++;
  if (attributes['mall.attempt'] !== undefined) bucket.retried++;
  const peer = attributes['mall.peer'];
  // A refusal that came back over the wire is that of a breaker further on: this call was sent, so a replica had been picked for it.
  const isRefused = attributes['mall.refused_by'] === 'breaker' && !(tally.hasReplicas && peer !== undefined);
  if (isRefused) {
    bucket.refused++;
    bucket.firstRefusalMs = Math.min(bucket.firstRefusalMs, startMs);
    bucket.lastRefusalMs = Math.max(bucket.lastRefusalMs, startMs);
    return true;
  }
  if (failed && !isDecision(attributes['mall.code'])) {
    bucket.failed++;
    bucket.firstFailureMs = Math.min(bucket.firstFailureMs, endMs);
    bucket.lastFailureMs = Math.max(bucket.lastFailureMs, endMs);
  } else durationsAt(tally, Math.floor(startMs / sliceMs)).add(endMs - startMs);
  if (typeof peer === 'string') {
    bucket.picked ??= new Map();
    increase(bucket.picked, peer, 1);
  }
  return true;
}

/** Business codes begin at 2000: "sold out" is the answer of a callee that works, whatever its span is called. */
const isDecision = (code: unknown) => typeof code === 'number' && code >= 2_000;

function bucketAt({ buckets }: Tally, number: number): Bucket | undefined {
  let bucket = buckets.get(number);
  if (bucket === undefined && buckets.size < maxBuckets) {
    bucket = {
      calls: 0,
      failed: 0,
      refused: 0,
      firstRefusalMs: Number.POSITIVE_INFINITY,
      lastRefusalMs: Number.NEGATIVE_INFINITY,
      firstFailureMs: Number.POSITIVE_INFINITY,
      lastFailureMs: Number.NEGATIVE_INFINITY,
      retried: 0,
      picked: undefined,
    };
    buckets.set(number, bucket);
  }
  return bucket;
}

/** As many as there are buckets to go with them, so they are bounded by those. */
function durationsAt({ durations }: Tally, number: number): Durations {
  let found = durations.get(number);
  if (found === undefined) {
    found = createDurations();
    durations.set(number, found);
  }
  return found;
}

function slicesIn({ buckets, durations }: Tally, window: Window): CallSlice[] {
  const slices = new Map<number, CallSlice>();
  for (const [number, { calls, failed, refused }] of inOrder(buckets)) {
    const index = Math.floor((number * bucketMs) / sliceMs);
    const fromMs = index * sliceMs;
    const middleMs = fromMs + sliceMs / 2;
    if (middleMs < window.fromMs || middleMs >= window.untilMs) continue;
    const slice = slices.get(index) ?? {
      ...{ fromMs, untilMs: fromMs + sliceMs, calls: 0, failed: 0, refused: 0 },
      durations: durations.get(index) ?? createDurations(),
    };
    slices.set(index, { ...slice, calls: slice.calls + calls, failed: slice.failed + failed, refused: slice.refused + refused });
  }
  return [...slices.values()];
}

function secondsOf({ buckets }: Tally, originMs: number): EdgeSecond[] {
  const seconds = new Map<number, Omit<EdgeSecond, 'picked'> & { picked: Map<string, number> }>();
  for (const [number, bucket] of inOrder(buckets)) {
    const atMs = originMs + Math.floor((middleOf(number) - originMs) / 1_000) * 1_000;
    const second = seconds.get(atMs) ?? { atMs, calls: 0, failed: 0, refused: 0, picked: new Map() };
    second.calls += bucket.calls;
    second.failed += bucket.failed;
    second.refused += bucket.refused;
    for (const [instance, count] of bucket.picked ?? []) increase(second.picked, instance, count);
    seconds.set(atMs, second);
  }
  return [...seconds.values()];
}

function callsIn(tally: Tally, window: Window): Calls {
  const inside = bucketsIn(tally, window);
  const sum = (field: 'calls' | 'failed' | 'refused' | 'retried') => inside.reduce((total, [, bucket]) => total + bucket[field], 0);
  const refusing = inside.filter(([, { refused }]) => refused > 0);
  const failing = inside.filter(([, { failed }]) => failed > 0);
  const [first, last] = [refusing[0]?.[1].firstRefusalMs, refusing.at(-1)?.[1].lastRefusalMs];
  // The first and the last bucket may reach over the edges of the window.
  const firstRefusalMs = first === undefined ? undefined : Math.max(first, window.fromMs);
  const lastRefusalMs = last === undefined ? undefined : Math.min(last, window.untilMs);
  const later = lastRefusalMs === undefined ? inside : inside.filter(([number]) => number * bucketMs > lastRefusalMs);
  return {
    count: sum('calls'),
    failed: sum('failed'),
    refused: sum('refused'),
    retried: sum('retried'),
    sentSinceLastRefusal: later.reduce((total, [, { calls, refused }]) => total + calls - refused, 0),
    ...(firstRefusalMs === undefined ? {} : { firstRefusalMs }),
    ...(lastRefusalMs === undefined ? {} : { lastRefusalMs }),
    ...(failing.length === 0 ? {} : failureTimes(failing.map(([, bucket]) => bucket))),
  };
}

const failureTimes = (buckets: readonly Bucket[]) => ({
  firstFailureMs: buckets.reduce((earliest, { firstFailureMs }) => Math.min(earliest, firstFailureMs), Number.POSITIVE_INFINITY),
  lastFailureMs: buckets.reduce((latest, { lastFailureMs }) => Math.max(latest, lastFailureMs), Number.NEGATIVE_INFINITY),
});

function picksIn(tally: Tally, window: Window): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [, { picked }] of bucketsIn(tally, window)) {
    for (const [instance, count] of picked ?? []) increase(sums, instance, count);
  }
  return sums;
}

const increase = (counts: Map<string, number>, key: string, by: number) => counts.set(key, (counts.get(key) ?? 0) + by);

function bucketsIn({ buckets }: Tally, { fromMs, untilMs }: Window) {
  return inOrder(buckets).filter(([number]) => middleOf(number) >= fromMs && middleOf(number) < untilMs);
}

const middleOf = (number: number) => (number + 0.5) * bucketMs;
const inOrder = <T>(numbered: ReadonlyMap<number, T>) => [...numbered].sort(([a], [b]) => a - b);
