import { type Edge, edges, endsOf, isService } from '../../system/topology.ts';
import { createDurations, type Durations } from './durations.ts';
import type { Calls, Window } from './observations.ts';
import type { Span } from './otlp-decode.ts';
import { createStretches, type Stretches } from './stretches.ts';

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

type Tally = {
  edge: Edge;
  hasReplicas: boolean;
  /** By when calls started. */
  buckets: Stretches<Bucket>;
  durations: Stretches<Durations>;
  /** By when failed calls ended: the first and the last of each stretch. */
  failures: Stretches<{ firstMs: number; lastMs: number }>;
};
type Bucket = Omit<EdgeSecond, 'atMs' | 'picked'> & {
  firstRefusalMs: number;
  lastRefusalMs: number;
  /** Repetitions of calls that had failed. */
  retried: number;
  /** Absent where no replica was picked. */
  picked: Map<string, number> | undefined;
};

const createTally = (edge: Edge): Tally => ({
  edge,
  hasReplicas: isService(endsOf(edge).callee),
  buckets: createStretches({ widthMs: bucketMs, most: maxBuckets }),
  durations: createStretches({ widthMs: sliceMs, most: maxBuckets }),
  failures: createStretches({ widthMs: bucketMs, most: maxBuckets }),
});

function countCall(tally: Tally, { startMs, endMs, failed, attributes }: Span): boolean {
  const bucket = tally.buckets.at(startMs, emptyBucket);
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
    noteFailure(tally, endMs);
  } else tally.durations.at(startMs, createDurations)?.add(endMs - startMs);
  if (typeof peer === 'string') {
    bucket.picked ??= new Map();
    increase(bucket.picked, peer, 1);
  }
  return true;
}

/** Business codes begin at 2000: "sold out" is the answer of a callee that works, whatever its span is called. */
const isDecision = (code: unknown) => typeof code === 'number' && code >= 2_000;

const emptyBucket = (): Bucket => ({
  calls: 0,
  failed: 0,
  refused: 0,
  firstRefusalMs: Number.POSITIVE_INFINITY,
  lastRefusalMs: Number.NEGATIVE_INFINITY,
  retried: 0,
  picked: undefined,
});

function noteFailure({ failures }: Tally, endMs: number): void {
  const times = failures.at(endMs, () => ({ firstMs: endMs, lastMs: endMs }));
  if (times === undefined) return;
  times.firstMs = Math.min(times.firstMs, endMs);
  times.lastMs = Math.max(times.lastMs, endMs);
}

function slicesIn({ buckets, durations }: Tally, { fromMs, untilMs }: Window): CallSlice[] {
  const slices = new Map<number, CallSlice>();
  const isInside = (startMs: number) => startMs + sliceMs / 2 >= fromMs && startMs + sliceMs / 2 < untilMs;
  for (const { fromMs: bucketFromMs, kept } of buckets.within({ fromMs: fromMs - sliceMs, untilMs: untilMs + sliceMs })) {
    const startMs = Math.floor(bucketFromMs / sliceMs) * sliceMs;
    if (!isInside(startMs)) continue;
    const slice = slices.get(startMs) ?? emptySlice(startMs, durations);
    slice.calls += kept.calls;
    slice.failed += kept.failed;
    slice.refused += kept.refused;
    slices.set(startMs, slice);
  }
  return [...slices.values()];
}

function emptySlice(fromMs: number, durations: Tally['durations']): CallSlice {
  const untilMs = fromMs + sliceMs;
  const [found] = durations.within({ fromMs, untilMs });
  return { fromMs, untilMs, calls: 0, failed: 0, refused: 0, durations: found?.kept ?? createDurations() };
}

function secondsOf({ buckets }: Tally, originMs: number): EdgeSecond[] {
  const seconds = new Map<number, Omit<EdgeSecond, 'picked'> & { picked: Map<string, number> }>();
  for (const { fromMs, kept: bucket } of buckets.within(always)) {
    const atMs = originMs + Math.floor((fromMs + bucketMs / 2 - originMs) / 1_000) * 1_000;
    const second = seconds.get(atMs) ?? { atMs, calls: 0, failed: 0, refused: 0, picked: new Map() };
    second.calls += bucket.calls;
    second.failed += bucket.failed;
    second.refused += bucket.refused;
    for (const [instance, count] of bucket.picked ?? []) increase(second.picked, instance, count);
    seconds.set(atMs, second);
  }
  return [...seconds.values()];
}

function callsIn({ buckets, failures }: Tally, window: Window): Calls {
  const inside = buckets.within(window);
  const sum = (field: 'calls' | 'failed' | 'refused' | 'retried') => inside.reduce((total, { kept }) => total + kept[field], 0);
  const refusing = inside.filter(({ kept }) => kept.refused > 0);
  const [first, last] = [refusing[0]?.kept.firstRefusalMs, refusing.at(-1)?.kept.lastRefusalMs];
  // The first and the last bucket may reach over the edges of the window.
  const firstRefusalMs = first === undefined ? undefined : Math.max(first, window.fromMs);
  const lastRefusalMs = last === undefined ? undefined : Math.min(last, window.untilMs);
  const later = lastRefusalMs === undefined ? inside : inside.filter(({ fromMs }) => fromMs > lastRefusalMs);
  return {
    count: sum('calls'),
    failed: sum('failed'),
    refused: sum('refused'),
    retried: sum('retried'),
    sentSinceLastRefusal: later.reduce((total, { kept }) => total + kept.calls - kept.refused, 0),
    ...(firstRefusalMs === undefined ? {} : { firstRefusalMs }),
    ...(lastRefusalMs === undefined ? {} : { lastRefusalMs }),
    ...failureTimes(failures, window),
  };
}

/** Of each stretch its first and its last failure are known, so one that the window cuts may hide those between. */
function failureTimes(failures: Tally['failures'], { fromMs, untilMs }: Window): Pick<Calls, 'firstFailureMs' | 'lastFailureMs'> {
  const times = failures
    .within({ fromMs: fromMs - bucketMs / 2, untilMs: untilMs + bucketMs / 2 })
    .flatMap(({ kept }) => [kept.firstMs, kept.lastMs])
    .filter((ms) => ms >= fromMs && ms < untilMs);
  const [firstFailureMs, lastFailureMs] = [times[0], times.at(-1)];
  return firstFailureMs === undefined || lastFailureMs === undefined ? {} : { firstFailureMs, lastFailureMs };
}

function picksIn({ buckets }: Tally, window: Window): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { kept } of buckets.within(window)) {
    for (const [instance, count] of kept.picked ?? []) increase(sums, instance, count);
  }
  return sums;
}

const increase = (counts: Map<string, number>, key: string, by: number) => counts.set(key, (counts.get(key) ?? 0) + by);
const always: Window = { fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };
