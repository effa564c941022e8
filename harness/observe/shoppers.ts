import { JsHistogram } from 'hdr-histogram-js';
import { answeredWell, type RequestOutcome } from '../record.ts';
import { fromBase64, type Recording } from '../recording.ts';
import type { CallSlice } from './calls.ts';
import { createDurations, type Durations } from './durations.ts';
import type { Window } from './observations.ts';
import { createStretches, type Stretches } from './stretches.ts';

/**
 * What shoppers asked for on one route, told like the calls of an edge, by the second in which a request was meant to start. `refused` was turned
 * away by design; `failed` is every other request without a good answer, those included that the generator could not send.
 */
export type ShopperRequests = {
  calls: (window: Window) => {
    count: number;
    failed: number;
    refused: number;
    retried: number;
    /** The start of the first, and the end of the last second in which requests failed or were turned away. */
    firstFailureMs?: number;
    lastFailureMs?: number;
    firstRefusalMs?: number;
    lastRefusalMs?: number;
  };
  slices: (window: Window) => CallSlice[];
  /** Requests without a good answer, by how they ended. */
  troubles: (window: Window) => Partial<Record<RequestOutcome, number>>;
};

/** Window and answers are in milliseconds of the timeline. */
export function shopperRequests(recording: Pick<Recording, 'seconds'>): (route: string) => ShopperRequests {
  const byRoute = new Map<string, Stretches<Second>>();
  for (const { route, atMs, outcome, count, histogram } of recording.seconds) {
    const seconds = byRoute.get(route) ?? createStretches<Second>({ widthMs: secondMs, most: recording.seconds.length });
    byRoute.set(route, seconds);
    const second = seconds.at(atMs, () => ({ outcomes: {}, durations: createDurations() }));
    if (second === undefined) continue;
    second.outcomes[outcome] = (second.outcomes[outcome] ?? 0) + count;
    if (answeredWell.includes(outcome)) addAll(second.durations, histogram);
  }
  return (route) => requestsIn(byRoute.get(route) ?? createStretches({ widthMs: secondMs, most: 0 }));
}

const secondMs = 1_000;
type Second = { outcomes: Partial<Record<RequestOutcome, number>>; durations: Durations };

function requestsIn(seconds: Stretches<Second>): ShopperRequests {
  const slices = (window: Window): CallSlice[] =>
    seconds.within(window).map(({ fromMs, untilMs, kept: { outcomes, durations } }) => ({
      ...{ fromMs, untilMs, durations },
      calls: sumOf(outcomes, () => true),
      failed: sumOf(outcomes, (outcome) => !answeredWell.includes(outcome) && !turnedAway.includes(outcome)),
      refused: sumOf(outcomes, (outcome) => turnedAway.includes(outcome)),
    }));

  return {
    slices,
    calls(window) {
      const found = slices(window);
      const sum = (field: 'calls' | 'failed' | 'refused') => found.reduce((total, slice) => total + slice[field], 0);
      const [failing, refusing] = [found.filter(({ failed }) => failed > 0), found.filter(({ refused }) => refused > 0)];
      return {
        ...{ count: sum('calls'), failed: sum('failed'), refused: sum('refused'), retried: 0 },
        ...(failing[0] === undefined ? {} : { firstFailureMs: failing[0].fromMs, lastFailureMs: failing.at(-1)?.untilMs ?? 0 }),
        ...(refusing[0] === undefined ? {} : { firstRefusalMs: refusing[0].fromMs, lastRefusalMs: refusing.at(-1)?.untilMs ?? 0 }),
      };
    },
    troubles(window) {
      const sums: Partial<Record<RequestOutcome, number>> = {};
      for (const { kept } of seconds.within(window)) {
        for (const [outcome, count] of entriesOf(kept.outcomes)) {
          if (!answeredWell.includes(outcome)) sums[outcome] = (sums[outcome] ?? 0) + count;
        }
      }
      return sums;
    },
  };
}

const turnedAway: readonly RequestOutcome[] = ['shed', 'limited', 'breakerOpen'];
const entriesOf = (outcomes: Second['outcomes']) => Object.entries(outcomes) as [RequestOutcome, number][];
const sumOf = (outcomes: Second['outcomes'], isMeant: (outcome: RequestOutcome) => boolean) =>
  entriesOf(outcomes).reduce((sum, [outcome, count]) => sum + (isMeant(outcome) ? count : 0), 0);

function addAll(durations: Durations, histogram: string): void {
  const counts = fromBase64(histogram);
  // Decoding makes one of these, but is typed as what it has in common with the histograms of WebAssembly, which cannot be walked through.
  if (!(counts instanceof JsHistogram)) throw new TypeError('Expected a histogram that is kept in JavaScript');
  const values = counts.recordedValuesIterator;
  values.reset();
  while (values.hasNext()) {
    const { valueIteratedTo, countAtValueIteratedTo } = values.next();
    durations.add(valueIteratedTo / 1_000, countAtValueIteratedTo);
  }
}
