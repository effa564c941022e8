import { type Edge, edges, endsOf, type Route, routeNames } from '../../system/topology.ts';
import type { HarmRecord } from '../record.ts';
import type { CallSlice } from './calls.ts';
import { createDurations } from './durations.ts';
import type { Calls, Impact, RouteImpact, Window } from './observations.ts';
import type { ShopperRequests } from './shoppers.ts';

export type CallsSeen = { calls: (edge: Edge, window: Window) => Calls; slices: (edge: Edge, window: Window) => CallSlice[] };
/** When one fault was on; `subject` is its edge, or the service whose process it took. */
export type FaultTimes = { subject: string; askedMs: number; fromMs: number; untilMs: number };
type Among<S> = { all: readonly FaultTimes[]; seen: S; timeline: Window };

/**
 * What one fault out of all did to edges: first its own, then every other one that was hurt while it was on, the most hurt first. Compared is with
 * the calm before the first fault; afterwards edges are watched until the next fault begins or the timeline ends.
 */
export function impactsOf(fault: FaultTimes, { all, seen, timeline }: Among<CallsSeen>): Impact[] {
  const windows = windowsOf(fault, all, timeline);
  const isOwn = ({ edge }: { edge: Edge }) => edge === fault.subject || endsOf(edge).callee === fault.subject;
  return edges
    .map((edge) => ({
      edge,
      ...harmTo({ calls: (window) => seen.calls(edge, window), slices: (window) => seen.slices(edge, window) }, windows),
    }))
    .filter((found) => found.harm.wanted > 0 && (isOwn(found) || found.isHurt))
    .sort((a, b) => Number(isOwn(b)) - Number(isOwn(a)) || b.troubledShare - a.troubledShare)
    .map(({ edge, harm, counted }) => ({ edge, ...harm, ...sentOf(harm, counted) }));
}

/** The same of what shoppers asked for, route by route, hurt or not: those that nobody asked for are left out. */
export function routeImpactsOf(fault: FaultTimes, { all, seen, timeline }: Among<(route: Route) => ShopperRequests>): RouteImpact[] {
  const windows = windowsOf(fault, all, timeline);
  return routeNames
    .map((route) => ({ route, ...harmTo(seen(route), windows).harm, outcomes: seen(route).troubles(windows.during) }))
    .filter(({ wanted }) => wanted > 0);
}

function sentOf({ wanted, refused }: HarmRecord, { count }: { count: number }): Pick<Impact, 'sent' | 'amplification'> {
  return { sent: count - refused, amplification: (count - refused) / wanted };
}

/** Whatever can be asked for again and again: an edge, or a route. */
type Asked = {
  calls: (window: Window) => Pick<Calls, 'count' | 'failed' | 'refused' | 'retried'> & Partial<Calls>;
  slices: (window: Window) => CallSlice[];
};
type Windows = { before: Window; askedMs: number; during: Window; after: Window; isDisturbed: boolean };

function windowsOf(fault: FaultTimes, all: readonly FaultTimes[], timeline: Window): Windows {
  const endMs = timeline.untilMs;
  const firstMs = all.reduce((earliest, { askedMs }) => Math.min(earliest, askedMs), endMs);
  const others = all.filter((other) => other !== fault);
  const nextMs = others.reduce((next, { askedMs }) => (askedMs >= fault.untilMs ? Math.min(next, askedMs) : next), endMs);
  return {
    before: { fromMs: Math.max(timeline.fromMs, firstMs - longestBeforeMs), untilMs: firstMs },
    askedMs: fault.askedMs,
    during: { fromMs: fault.fromMs, untilMs: Math.max(fault.untilMs, fault.fromMs + shortestDuringMs) },
    after: { fromMs: fault.untilMs, untilMs: Math.max(fault.untilMs, nextMs) },
    isDisturbed: others.some(({ fromMs, untilMs }) => fromMs < fault.untilMs && untilMs > fault.untilMs + lingeringMs),
  };
}

function harmTo({ calls, slices }: Asked, { before, askedMs, during, after, isDisturbed }: Windows) {
  const calm = slices(before);
  const beforeMs = p95(calm);
  const limitMs = beforeMs === undefined ? Number.POSITIVE_INFINITY : Math.max(1.5 * beforeMs, beforeMs + 5);
  const [quiet, hurt, later] = [told(calm, limitMs), told(slices(during), limitMs), told(slices(after), limitMs)];

  const counted = calls(during);
  const wanted = counted.count - counted.retried;
  const { firstFailureMs } = calls({ fromMs: askedMs, untilMs: during.untilMs });
  const ended = calls(after);
  const lastErrorMs = Math.max(ended.lastFailureMs ?? Number.NEGATIVE_INFINITY, ended.lastRefusalMs ?? Number.NEGATIVE_INFINITY);

  const watchedMs = after.untilMs - after.fromMs;
  const isComparable = callsIn(quiet) >= callsThatTell && before.untilMs - before.fromMs >= shortestBeforeMs;
  const way = isComparable ? wayBack(later, shareOf(quiet) ?? 0) : undefined;
  // A calm that has only just begun when nobody looks any more may be a pause; one that was there from the start is none.
  const isBack = way !== undefined && (way[0] === later[0] || after.untilMs - (way[0]?.fromMs ?? 0) >= quietMs);
  const isTold = isComparable && way === undefined && watchedMs >= shortestWatchMs && callsIn(later) >= callsThatTell && !isDisturbed;
  const troubledShareAfter = shareOf(isBack ? way : later);
  const backMs = way?.[0] === later[0] ? after.fromMs : way?.[0]?.fromMs;
  const [duringMs, afterMs] = [p95(hurt), p95(later)];

  const harm: HarmRecord = {
    wanted,
    failed: counted.failed,
    refused: counted.refused,
    ...(firstFailureMs === undefined ? {} : { firstErrorAfterMs: Math.max(0, firstFailureMs - during.fromMs) }),
    ...(counted.firstRefusalMs === undefined ? {} : { firstRefusalAfterMs: Math.max(0, counted.firstRefusalMs - during.fromMs) }),
    ...(Number.isFinite(lastErrorMs) ? { lastErrorAfterMs: Math.max(0, lastErrorMs - after.fromMs) } : {}),
    ...(isBack && backMs !== undefined ? { calmAfterMs: backMs - after.fromMs } : {}),
    latencyMsP95: {
      ...(beforeMs === undefined ? {} : { before: beforeMs }),
      ...(duringMs === undefined ? {} : { during: duringMs }),
      ...(afterMs === undefined ? {} : { after: afterMs }),
    },
    recovered: isBack ? 'yes' : isTold ? 'no' : 'unknown',
    ...(troubledShareAfter === undefined ? {} : { troubledShareAfter }),
    watchedMs,
  };
  const troubledShare = Math.max(0, (shareOf(hurt) ?? 0) - (shareOf(quiet) ?? 0));
  const errors = counted.failed + counted.refused;
  const isErring = errors >= 2 && errors / counted.count >= errorShare(quiet) + hurtErrorShare;
  return { harm, counted, troubledShare, isHurt: wanted >= callsThatTell && (troubledShare >= hurtShare || isErring) };
}

/** Slices that know how many of their calls failed, were refused, or took longer than that. */
type Told = CallSlice & { troubled: number };
const told = (slices: readonly CallSlice[], limitMs: number): Told[] =>
  slices.map((slice) => ({ ...slice, troubled: slice.failed + slice.refused + slice.durations.longerThan(limitMs) }));

/** All from the first slice on that begins a calm, if there is one. */
function wayBack(later: readonly Told[], calmShare: number): Told[] | undefined {
  const begin = later.findIndex((first, index) => {
    if (isBad(first)) return false;
    const tail = later.slice(index);
    const isQuiet = tail.every((slice) => slice.fromMs >= first.fromMs + quietMs || !isBad(slice));
    return isQuiet && callsIn(tail) >= callsThatTell && (shareOf(tail) ?? 1) <= calmShare + remainingShare;
  });
  return begin === -1 ? undefined : later.slice(begin);
}

const isBad = ({ troubled, calls }: Told) => troubled >= 2 && troubled / calls > badShare;

/** Of the slices' calls those in trouble; undefined where there were none. */
function shareOf(slices: readonly Told[]): number | undefined {
  const count = callsIn(slices);
  return count === 0 ? undefined : slices.reduce((sum, { troubled }) => sum + troubled, 0) / count;
}

const errorShare = (slices: readonly Told[]) =>
  slices.reduce((sum, { failed, refused }) => sum + failed + refused, 0) / Math.max(1, callsIn(slices));
const callsIn = (slices: readonly CallSlice[]) => slices.reduce((sum, { calls }) => sum + calls, 0);

function p95(slices: readonly CallSlice[]): number | undefined {
  const durations = createDurations();
  for (const slice of slices) durations.merge(slice.durations);
  return durations.quantileMs(0.95);
}

/** Of what lies further back than that one does not know whether it was warm yet. */
const longestBeforeMs = 15_000;
/** A calm that is shorter than this is no measure: a pause of a garbage collector fills it. */
const shortestBeforeMs = 2_000;
/** A restart has no length of its own; what it breaks shows in the second around it. */
const shortestDuringMs = 1_000;
/** Another fault that goes on for longer than this keeps the edge from coming back; what ends sooner is as good as over. */
const lingeringMs = 500;
/** Fewer calls than this say nothing about those that were not made. */
const callsThatTell = 20;
/** Whoever has watched for less cannot say that something does not come back. */
const shortestWatchMs = 3_000;
/** Half a second is bad when more than a quarter of its calls are in trouble: by chance alone that many are not, with one in twenty beyond p95. */
const badShare = 0.25;
/** So long without a bad half second begins the way back. One that comes later is a hiccup, as long as there are few of them. */
const quietMs = 2_000;
/** Back is who has, in the end, at most so much more trouble than before. */
const remainingShare = 0.05;
/** An edge was hurt when so many more of its calls were in trouble than before; latency alone sways by some. */
const hurtShare = 0.1;
/** Errors do not sway: so many more than before are enough. */
const hurtErrorShare = 0.01;
