import type { Histogram } from 'hdr-histogram-js';
import { requestOutcomes } from '../record.ts';
import {
  type Exemplar,
  type GeneratorHealth,
  type GroundSecond,
  newHistogram,
  type RecordedPhase,
  type Recording,
  type RequestCount,
  toBase64,
} from '../recording.ts';
import { keptTogether } from './exemplars.ts';
import type { IoFindings } from './io-thread.ts';
import { histogramOfRow, type LedgerCounters, type LedgerRow, measure } from './ledger/ledger.ts';
import { reasonsTogether } from './reasons.ts';
import { stumblesTogether } from './stumbles.ts';
import type { Windows } from './windows.ts';

/** What the load driver makes of every recording; what the journeys collected besides is theirs to read. */
export type OpenRecording = Omit<Recording, 'checkouts' | 'repeated'> & { collected: unknown[] };

/** Adds up what all threads have told so far: windows become phases and seconds, numbers become names. */
export function recordingFrom({
  steps,
  windows,
  rows,
  counters,
  hiccups,
  ground,
  findings,
  health,
  intended,
}: {
  steps: readonly string[];
  windows: Windows;
  rows: readonly LedgerRow[];
  counters: readonly LedgerCounters[];
  hiccups: readonly LedgerRow[];
  ground: readonly Omit<GroundSecond, 'hiccups'>[];
  findings: readonly IoFindings[];
  health: Omit<GeneratorHealth, 'peakInFlight' | 'peakConnections' | 'stumbles'>;
  /** Arrivals of each phase's schedule, in order. */
  intended: readonly number[];
}): OpenRecording {
  const startMs = windows.startMs();
  const [firstStep = ''] = steps;
  const totals = createTotals();
  const seconds: Recording['seconds'] = [];
  const lags = new Map<number, Histogram>();
  // Those that found no socket to leave by: a thread counts as sent what it hands over.
  const returned = new Map<number, number>();
  const dropped = (window: number, route: string, count: number) => {
    const { phase, atMs } = placed(window);
    const name = { phase, route, outcome: 'dropped' as const };
    totals.of(name).count += count;
    seconds.push({ ...name, atMs, count, histogram: toBase64(newHistogram()) });
  };

  for (const row of rows) {
    const { phase, atMs } = placed(row.window);
    const histogram = histogramOfRow(row);
    if (row.measure === measure.lag) {
      lags.set(row.window, histogram);
      continue;
    }
    const name = { phase, route: steps[row.route] ?? '', outcome: requestOutcomes[row.outcome] ?? 'failed' };
    if (name.outcome === 'dropped') {
      if (row.measure !== measure.response) continue;
      dropped(row.window, name.route, row.total);
      returned.set(row.window, (returned.get(row.window) ?? 0) + row.total);
      continue;
    }
    const total = totals.of(name);
    if (row.measure === measure.service) total.service.add(histogram);
    else if (row.measure === measure.firstByte) total.firstByte.add(histogram);
    else if (row.measure === measure.queue) total.queue.add(histogram);
    else {
      total.count += row.total;
      total.response.add(histogram);
      seconds.push({ ...name, atMs, count: row.total, histogram: toBase64(histogram) });
    }
  }
  for (const { phase, step, outcome, first } of reasonsTogether(findings.map(({ reasons }) => reasons))) {
    totals.of({ phase: windows.names()[phase] ?? '', route: steps[step] ?? '', outcome }).firstReason = first;
  }
  for (const counted of counters) if (counted.dropped > 0) dropped(counted.window, firstStep, counted.dropped);

  const pace = counters.map((counted) => {
    const back = returned.get(counted.window) ?? 0;
    const { window, sent, dropped } = counted;
    return { ...counted, ...placed(window), sent: sent - back, dropped: dropped + back, lag: lags.get(window) ?? newHistogram() };
  });
  const hiccupsOf = new Map(hiccups.map((row) => [row.window, row]));
  return {
    startMs,
    routes: [...steps],
    phases: windows.phases().map((phase, index): RecordedPhase => {
      const own = pace.filter((second) => second.phase === phase.name);
      const sum = (field: 'arrivals' | 'planned' | 'sent' | 'dropped') => own.reduce((all, counted) => all + counted[field], 0);
      return {
        name: phase.name,
        fromMs: phase.startMs - startMs,
        untilMs: phase.startMs - startMs + phase.lastsMs,
        intended: intended[index] ?? 0,
        shoppers: sum('arrivals'),
        planned: sum('planned'),
        sent: sum('sent'),
        dropped: sum('dropped'),
        lag: toBase64(added(own.map(({ lag }) => lag))),
      };
    }),
    totals: totals.all(),
    seconds,
    pace: pace.map(({ phase, atMs, planned, sent, dropped, lag }) => ({
      phase,
      atMs,
      planned,
      sent,
      dropped,
      lag: toBase64(lag),
    })),
    ground: ground.map((second) => {
      const row = hiccupsOf.get(second.atMs / 1_000);
      return { ...second, hiccups: toBase64(row === undefined ? newHistogram() : histogramOfRow(row)) };
    }),
    exemplars: keptTogether(findings.map(({ exemplars }) => exemplars)).map(
      ({ phase, why, request }): Exemplar => ({
        traceId: request.traceId,
        spanId: request.spanId,
        route: steps[request.step] ?? '',
        phase: windows.names()[phase] ?? '',
        outcome: request.outcome,
        startMs: request.intendedMs - startMs,
        durationMs: request.endedMs - request.intendedMs,
        why,
      }),
    ),
    generator: { ...health, ...togetherOf(findings, windows.names()) },
    collected: findings.map(({ collected }) => collected),
  };

  /** Its phase, and when it begins, from the run's start. */
  function placed(window: number): { phase: string; atMs: number } {
    const { phase, second } = windows.placeOf(window);
    const played = windows.phases()[phase];
    return { phase: played?.name ?? '', atMs: (played?.startMs ?? startMs) - startMs + second * 1_000 };
  }
}

type Name = Pick<RequestCount, 'phase' | 'route' | 'outcome'>;
type Total = Name & { count: number; firstReason?: string } & Record<'response' | 'service' | 'firstByte' | 'queue', Histogram>;

function createTotals() {
  const totals = new Map<string, Total>();
  return {
    of: (name: Name): Total => {
      const key = `${name.phase}\n${name.route}\n${name.outcome}`;
      const total = totals.get(key) ?? {
        ...{ ...name, count: 0, response: newHistogram(), service: newHistogram() },
        ...{ firstByte: newHistogram(), queue: newHistogram() },
      };
      totals.set(key, total);
      return total;
    },
    all: (): Recording['totals'] =>
      [...totals.values()].map(({ phase, route, outcome, count, firstReason, response, service, firstByte, queue }) => ({
        phase,
        route,
        outcome,
        count,
        histogram: toBase64(response),
        service: toBase64(service),
        firstByte: toBase64(firstByte),
        queue: toBase64(queue),
        ...(firstReason === undefined ? {} : { firstReason }),
      })),
  };
}

/** Peaks of threads that need not have been at one time: their sum is the most it can have been. */
function togetherOf(
  findings: readonly IoFindings[],
  phases: readonly string[],
): Pick<GeneratorHealth, 'peakInFlight' | 'peakConnections' | 'stumbles'> {
  const sum = (of: (finding: IoFindings) => number) => findings.reduce((all, finding) => all + of(finding), 0);
  return {
    peakInFlight: sum(({ peakInFlight }) => peakInFlight),
    peakConnections: sum(({ connections }) => connections.peak),
    stumbles: stumblesTogether(
      findings.map(({ stumbles }) => stumbles),
      phases,
    ),
  };
}

function added(parts: readonly Histogram[]): Histogram {
  const sum = newHistogram();
  for (const part of parts) sum.add(part);
  return sum;
}
