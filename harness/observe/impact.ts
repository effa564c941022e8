import { type Edge, edges, endsOf } from '../../system/topology.ts';
import type { CallSlice } from './calls.ts';
import { createDurations } from './durations.ts';
import type { Calls, Impact, Window } from './observations.ts';

export type CallsSeen = { calls: (edge: Edge, window: Window) => Calls; slices: (edge: Edge, window: Window) => CallSlice[] };
/** When one fault was on; `subject` is its edge, or the service whose process it took. */
export type FaultTimes = { subject: string; askedMs: number; fromMs: number; untilMs: number };

/**
 * What one fault out of all did, the most hurt edges first: its own, and every other one that was in trouble while it was on. Compared is with the
 * calm before the first fault; afterwards edges are watched until the next fault begins or the timeline ends.
 */
export function impactsOf(
  fault: FaultTimes,
  { all, seen, timeline }: { all: readonly FaultTimes[]; seen: CallsSeen; timeline: Window },
): Impact[] {
  const endMs = timeline.untilMs;
  const firstMs = all.reduce((earliest, { askedMs }) => Math.min(earliest, askedMs), endMs);
  const others = all.filter((other) => other !== fault);
  const nextMs = others.reduce((next, { askedMs }) => (askedMs >= fault.untilMs ? Math.min(next, askedMs) : next), endMs);
  const windows: Windows = {
    before: { fromMs: Math.max(timeline.fromMs, firstMs - longestBeforeMs), untilMs: firstMs },
    during: { fromMs: fault.fromMs, untilMs: Math.max(fault.untilMs, fault.fromMs + shortestDuringMs) },
    after: { fromMs: fault.untilMs, untilMs: Math.max(fault.untilMs, nextMs) },
    isDisturbed: others.some(({ fromMs, untilMs }) => fromMs < fault.untilMs && untilMs > fault.untilMs + sliceMs),
  };
  const found = edges.map((edge) => impactOn(edge, seen, windows)).filter(({ impact }) => impact.wanted > 0);
  const isOwn = (edge: Edge) => edge === fault.subject || endsOf(edge).callee === fault.subject;
  return found
    .filter(({ impact, troubledShare }) => isOwn(impact.edge) || (troubledShare >= hurtShare && impact.wanted >= callsThatTell))
    .sort((a, b) => Number(isOwn(b.impact.edge)) - Number(isOwn(a.impact.edge)) || b.troubledShare - a.troubledShare)
    .slice(0, mostEdges)
    .map(({ impact }) => impact);
}

type Windows = { before: Window; during: Window; after: Window; isDisturbed: boolean };

function impactOn(edge: Edge, { calls, slices }: CallsSeen, windows: Windows): { impact: Impact; troubledShare: number } {
  const { before, during, after, isDisturbed } = windows;
  const [calm, hurt, later] = [slices(edge, before), slices(edge, during), slices(edge, after)];
  const counted = calls(edge, during);
  const wanted = counted.count - counted.retried;
  const sent = counted.count - counted.refused;
  const latencyMsP95 = { ...p95('before', calm), ...p95('during', hurt), ...p95('after', later) };
  const limitMs = latencyMsP95.before === undefined ? undefined : Math.max(1.5 * latencyMsP95.before, latencyMsP95.before + 5);
  const trouble = (of: readonly CallSlice[]) => shareOf(of, limitMs ?? Number.POSITIVE_INFINITY);

  const ended = calls(edge, after);
  const lastErrorMs = Math.max(ended.lastFailureMs ?? Number.NEGATIVE_INFINITY, ended.lastRefusalMs ?? Number.NEGATIVE_INFINITY);
  const watchedMs = after.untilMs - after.fromMs;
  const known = limitMs !== undefined && callsIn(calm) >= callsThatTell;
  const tailFrom = later.findIndex((_, index) => {
    const tail = later.slice(index);
    const isQuiet = tail.slice(0, quietSlices).every((slice) => !isBad(slice, limitMs));
    return isQuiet && callsIn(tail) >= callsThatTell && (trouble(tail) ?? 1) <= (trouble(calm) ?? 0) + remainingShare;
  });
  const back = known ? later[tailFrom] : undefined;
  const tail = back === undefined ? [] : later.slice(tailFrom);
  const isTold = known && watchedMs >= shortestWatchMs && callsIn(later) >= callsThatTell && !isDisturbed;
  const recovered = back !== undefined ? 'yes' : isTold ? 'no' : 'unknown';
  const troubledShareAfter = trouble(back === undefined ? later : tail);

  const impact: Impact = {
    edge,
    wanted,
    sent,
    failed: counted.failed,
    refused: counted.refused,
    ...(wanted > 0 ? { amplification: sent / wanted } : {}),
    ...(counted.firstFailureMs === undefined ? {} : { firstErrorAfterMs: counted.firstFailureMs - during.fromMs }),
    ...(counted.firstRefusalMs === undefined ? {} : { firstRefusalAfterMs: counted.firstRefusalMs - during.fromMs }),
    ...(Number.isFinite(lastErrorMs) ? { lastErrorAfterMs: Math.max(0, lastErrorMs - after.fromMs) } : {}),
    ...(back === undefined ? {} : { calmAfterMs: back === later[0] ? 0 : back.fromMs - after.fromMs }),
    latencyMsP95,
    recovered,
    ...(troubledShareAfter === undefined ? {} : { troubledShareAfter }),
    watchedMs,
  };
  return { impact, troubledShare: Math.max(0, (trouble(hurt) ?? 0) - (trouble(calm) ?? 0)) };
}

/** Of the slices' calls those that failed, were refused, or took longer than that; undefined where there were none. */
function shareOf(slices: readonly CallSlice[], limitMs: number): number | undefined {
  const count = callsIn(slices);
  return count === 0 ? undefined : slices.reduce((sum, slice) => sum + troubledIn(slice, limitMs), 0) / count;
}

function isBad(slice: CallSlice, limitMs = Number.POSITIVE_INFINITY): boolean {
  const troubled = troubledIn(slice, limitMs);
  return troubled >= 2 && troubled / slice.calls > badShare;
}

const troubledIn = ({ failed, refused, durations }: CallSlice, limitMs: number) => failed + refused + durations.longerThan(limitMs);
const callsIn = (slices: readonly CallSlice[]) => slices.reduce((sum, { calls }) => sum + calls, 0);

function p95<K extends string>(name: K, slices: readonly CallSlice[]): Partial<Record<K, number>> {
  const durations = createDurations();
  for (const slice of slices) durations.merge(slice.durations);
  const value = durations.quantileMs(0.95);
  return value === undefined ? {} : ({ [name]: value } as Record<K, number>);
}

const sliceMs = 500;
/** Of what lies further back than that one does not know whether it was warm yet. */
const longestBeforeMs = 15_000;
/** A restart has no length of its own; what it breaks shows in the second around it. */
const shortestDuringMs = 1_000;
/** Fewer calls than this say nothing about those that were not made. */
const callsThatTell = 20;
/** Whoever has watched for less cannot say that something does not come back. */
const shortestWatchMs = 3_000;
/** Half a second is bad when more than a quarter of its calls are in trouble: by chance alone that many are not, with one in twenty beyond p95. */
const badShare = 0.25;
/** Two seconds without a bad half one begin the way back. One that comes later is a hiccup, as long as there are few of them. */
const quietSlices = 4;
/** Back is who has, in the end, at most so much more trouble than before. */
const remainingShare = 0.05;
/** An edge was hurt when so many more of its calls were in trouble than before. */
const hurtShare = 0.1;
const mostEdges = 6;
