import { sentenceOf, subjectOf } from '../../chaos/faults.ts';
import type { Replica } from '../../compose/deployment.ts';
import { type Edge, endsOf, isService, type Service } from '../../system/topology.ts';
import type { PlayedFault } from '../fault-log.ts';
import { type RequestOutcome, servedOutcomes } from '../record.ts';
import { histogramOf, outcomesOf, type Recording, reasonsOf } from '../recording.ts';
import { groundOf } from './ground.ts';
import { type FaultTimes, impactsOf, routeImpactsOf } from './impact.ts';
import type { Scraper } from './metrics.ts';
import type { Audit, FaultImpact, Observations, RouteImpact, Shedding, SheddingPoint, TraceFindings, Window } from './observations.ts';
import { shopperRequests } from './shoppers.ts';
import type { SpanStore, Trace } from './spans.ts';
import { passesThrough, problemsOf } from './traces.ts';

/** All that a run has collected. Times of spans and samples begin at `epochMs` of the run's clock, those of the recording at its own start. */
export type Evidence = {
  recording: Recording;
  spans: SpanStore;
  samples: Scraper;
  epochMs: number;
  /** A moment between two readings of the counters with nobody at the gateways: what they count from then on is the load. Absent where there is none. */
  countsFromMs?: number;
  replicas: readonly Replica[];
  /** Processes of the mall that ended without being told to. */
  deaths: readonly { instance: string; how: string }[];
  /** The faults that have been played, in the run clock's milliseconds. */
  faults: readonly PlayedFault[];
  audit?: Audit;
};

/** Puts the evidence into one time, that of the timeline: 0 is the start of the first phase. Ask for a phase by its name, for all with null. */
export function observationsOf(evidence: Evidence): (phase: string | null) => Observations {
  const { recording, spans, samples, replicas, audit } = evidence;
  const early = (window: Window) => toEvidenceTime(evidence, window);
  const instancesOf = (service: Service) => replicas.filter((replica) => replica.service === service).map(({ instance }) => instance);

  return function observe(name) {
    const played = recording.phases.find((phase) => phase.name === name);
    if (name !== null && played === undefined) throw new RangeError(`Expected a phase of this run, got '${name}'`);
    const whole: Window = { fromMs: 0, untilMs: recording.phases.at(-1)?.untilMs ?? 0 };
    const window: Window = played ?? whole;
    const selected = (part?: Window) => ({ ...(name === null ? {} : { phase: name }), ...part });

    return {
      window: { fromMs: window.fromMs, untilMs: window.untilMs },
      requests(route, part) {
        const byOutcome = outcomesOf(recording, { route, ...selected(part) });
        const count = Object.values(byOutcome).reduce((sum, number) => sum + number, 0);
        const histogram = (outcomes: readonly RequestOutcome[]) => histogramOf(recording, { route, outcomes, ...selected(part) });
        const { timeoutMs } = recording.generator;
        const times = { served: histogram(servedOutcomes), awaited: histogram([...servedOutcomes, 'timeout']) };
        return { count, byOutcome, timeoutMs, ...times, reasons: part === undefined ? reasonsOf(recording, { route, ...selected() }) : {} };
      },
      ground: (part) => groundOf(evidence, { phases: name === null ? recording.phases : [played ?? []].flat(), window: part ?? window }),
      calls(edge, part = window) {
        const found = spans.calls(edge, early(part));
        const { firstRefusalMs: first, lastRefusalMs: last, firstFailureMs: failedFirst, lastFailureMs: failedLast, ...counts } = found;
        const back = epochToTimeline(evidence);
        return {
          ...counts,
          ...(first === undefined ? {} : { firstRefusalMs: back(first) }),
          ...(last === undefined ? {} : { lastRefusalMs: back(last) }),
          ...(failedFirst === undefined ? {} : { firstFailureMs: back(failedFirst) }),
          ...(failedLast === undefined ? {} : { lastFailureMs: back(failedLast) }),
        };
      },
      countedRefusals: (edge, part = window) => countedRefusals(evidence, edge, early(part)),
      shedding: (service, part = window) => sheddingOf(evidence, service, part),
      impacts: () => impactsIn(evidence, window),
      picks(edge) {
        const { caller, callee } = endsOf(edge);
        if (!isService(callee)) return { bySpan: new Map(), byCounter: new Map() };
        const bySpan = spans.picks(edge, early(window));
        const byCounter = new Map<string, number>();
        for (const instance of instancesOf(caller)) {
          const counted = samples.counterIncrease({
            name: 'mall_p2c_picks_total',
            labels: { instance, target: callee },
            window: early(window),
            by: 'address',
          });
          for (const [picked, count] of counted) byCounter.set(picked, (byCounter.get(picked) ?? 0) + count);
        }
        // Spans name the instance that was picked, counters its address.
        const byReplica = (counts: ReadonlyMap<string, number>, name: 'instance' | 'address') =>
          new Map(
            replicas.flatMap((replica): [number, number][] => {
              const count = replica.service === callee ? counts.get(replica[name]) : undefined;
              return count === undefined ? [] : [[replica.replica, Math.round(count)]];
            }),
          );
        return { bySpan: byReplica(bySpan, 'instance'), byCounter: byReplica(byCounter, 'address') };
      },
      traces: (route) => findingsOf(spans.tracesOf(route, early(window)).filter(({ why }) => why === 'sampled')),
      lostSpans: () => lostSpans(evidence),
      deaths: () => [...evidence.deaths],
      repeated: () => recording.repeated,
      audit,
      phase: observe,
    };
  };
}

/**
 * What each process says it has made against what has come in, as of the last scrape. What a process made between its last scrape and SIGKILL nobody
 * knows, so a few more may have come in than are known to have been made.
 */
export function spanLedger({ samples, spans, replicas }: Pick<Evidence, 'samples' | 'spans' | 'replicas'>) {
  const received = spans.receivedByInstance();
  const made = new Map(samples.total('mall_spans_ended_total').map(({ labels, value }) => [labels.instance, value]));
  return replicas.map(({ instance }) => ({ instance, made: made.get(instance) ?? 0, received: received.get(instance) ?? 0 }));
}

/** A process that was killed took along what it had not sent yet: how much that was nobody knows. */
function lostSpans(evidence: Evidence): ReturnType<Observations['lostSpans']> {
  const killed = new Set(evidence.faults.flatMap(({ fault, places }) => (fault.kind === 'kill' ? places : [])));
  return spanLedger(evidence).flatMap(({ instance, made, received }): ReturnType<Observations['lostSpans']> => {
    if (killed.has(instance)) return [{ instance, lost: 'killed' }];
    return made > received ? [{ instance, lost: made - received }] : [];
  });
}

/** What the faults did that began before the end of this stretch of the timeline, as far as could be seen by then. */
export function impactsIn(evidence: Evidence, { untilMs }: Pick<Window, 'untilMs'>): FaultImpact[] {
  const { faults, spans, epochMs, recording } = evidence;
  const all = faults.map((played) => ({ played, ...timesOf(played, epochMs) }));
  const timeline = toEvidenceTime(evidence, { fromMs: 0, untilMs });
  return all
    .filter(({ askedMs }) => askedMs < timeline.untilMs)
    .map((fault) => ({
      sentence: sentenceOf(fault.played.fault),
      subject: fault.subject,
      fromMs: fault.played.fromMs - recording.startMs,
      untilMs: fault.played.untilMs - recording.startMs,
      impacts: impactsOf(fault, { all, seen: spans, timeline }),
    }));
}

/** What shoppers had of each of the faults. */
export function routeImpactsIn({ faults, recording }: Evidence): RouteImpact[][] {
  const all = faults.map((played) => timesOf(played, recording.startMs));
  const timeline: Window = { fromMs: 0, untilMs: recording.phases.at(-1)?.untilMs ?? 0 };
  const seen = shopperRequests(recording);
  return all.map((fault) => routeImpactsOf(fault, { all, seen, timeline }));
}

const timesOf = ({ fault, askedMs, fromMs, untilMs }: PlayedFault, originMs: number): FaultTimes => ({
  subject: subjectOf(fault),
  askedMs: askedMs - originMs,
  fromMs: fromMs - originMs,
  untilMs: untilMs - originMs,
});

/** One point for each second of the window, all replicas together. */
export function sheddingOf(evidence: Evidence, service: Service, window: Window): Shedding {
  const back = epochToTimeline(evidence);
  const bySecond = new Map<number, SheddingPoint>();
  const silent: string[] = [];
  for (const { instance } of evidence.replicas.filter((replica) => replica.service === service)) {
    const counted = evidence.samples.perSecond({
      name: 'mall_shedding_requests_total',
      labels: { instance },
      window: toEvidenceTime(evidence, window),
      by: 'result',
    });
    if (counted.size === 0) silent.push(instance);
    for (const [result, points] of counted) {
      for (const { atMs, value } of points) {
        const point = bySecond.get(atMs) ?? { atMs: back(atMs), judged: 0, shed: 0 };
        point.judged += value;
        if (result === 'drop') point.shed += value;
        bySecond.set(atMs, point);
      }
    }
  }
  return { points: [...bySecond.values()].sort((a, b) => a.atMs - b.atMs), silent };
}

/** Drops of the callers' breakers on an edge: `orders->payment/payment.Payment/Charge`, or `orders->mysql` where the callee has no methods. */
function countedRefusals({ samples, replicas }: Evidence, edge: Edge, window: Window): number | undefined {
  const callers = replicas.filter(({ service }) => service === endsOf(edge).caller);
  const counted = (labels: { result?: string }) =>
    callers
      .flatMap(({ instance }) => [
        ...samples.counterIncrease({ name: 'mall_breaker_requests_total', labels: { instance, ...labels }, window, by: 'name' }),
      ])
      .filter(([name]) => name === edge || name.startsWith(`${edge}/`))
      .map(([, count]) => count);
  if (counted({}).length === 0) return undefined;
  return counted({ result: 'drop' }).reduce((sum, count) => sum + count, 0);
}

export const epochToTimeline = ({ recording, epochMs }: Pick<Evidence, 'recording' | 'epochMs'>) => {
  const offsetMs = recording.startMs - epochMs;
  return (ms: number) => ms - offsetMs;
};

function toEvidenceTime({ recording, epochMs }: Evidence, { fromMs, untilMs }: Window): Window {
  const offsetMs = recording.startMs - epochMs;
  return { fromMs: fromMs + offsetMs, untilMs: untilMs + offsetMs };
}

function findingsOf(found: readonly Trace[]): TraceFindings {
  const broken: string[] = [];
  let whole = 0;
  for (const trace of found) {
    const [first] = problemsOf(trace);
    if (first === undefined) whole++;
    else if (broken.length < 3) broken.push(`${trace.traceId}: ${first.sentence}`);
  }
  const answered = found.filter(({ gateway }) => gateway?.attributes['http.response.status_code'] === 200);
  return {
    looked: found.length,
    whole,
    broken,
    answered: answered.length,
    through(services) {
      const strayed = answered.filter((trace) => !passesThrough(trace, services));
      return { passed: answered.length - strayed.length, strayed: strayed.slice(0, 3).map(({ traceId }) => traceId) };
    },
  };
}
