import { cpus, totalmem } from 'node:os';
import { basename } from 'node:path';
import { sentenceOf as faultSentence } from '../chaos/faults.ts';
import { endsOf, isService, type Service, services } from '../system/topology.ts';
import type { Capacity } from './drivers/crowd.ts';
import type { PlayedFault } from './fault-log.ts';
import type { JudgedExpectation } from './judge.ts';
import { sentenceOf as loadSentence } from './load.ts';
import { type Evidence, epochToTimeline, impactsIn, routeImpactsIn, sheddingOf, spanLedger } from './observe/evidence.ts';
import { idlePlaces } from './observe/idle.ts';
import { recordOf } from './observe/traces.ts';
import type { Plan } from './plan.ts';
import { type FaultRecord, type GroundPoint, type Outcome, type RequestRow, type RunRecord, servedOutcomes } from './record.ts';
import { fromBase64, paceOf, percentilesOf, type Recording } from './recording.ts';
import { isOfMall } from './scenario.ts';
import type { Step } from './steps.ts';
import { addressOf, protosOf, type Target } from './target.ts';
import type { Played } from './timeline.ts';
import { timelinePoints } from './timeline-points.ts';
import { sentenceOf as limitsSentence } from './visitor-limits.ts';

/** Everything a run saw and concluded, as the one document that reports are told from. */
export function tellRecord({
  plan,
  file,
  seed,
  without,
  tuned,
  folder,
  steps,
  capacity,
  capacityPerSecond,
  played,
  evidence,
  verdicts,
  conclusion,
}: {
  plan: Plan;
  file: string;
  seed: number;
  without: readonly string[];
  tuned: readonly string[];
  folder: string;
  steps: Step[];
  capacity: Capacity | undefined;
  /** What was taken as `1x`. */
  capacityPerSecond: number | undefined;
  played: Played;
  evidence: Evidence;
  verdicts: JudgedExpectation[];
  conclusion: { outcome: Outcome; why: string };
}): RunRecord {
  const { recording } = evidence;
  const back = (runClockMs: number) => runClockMs - recording.startMs;
  return {
    version: 1,
    scenario: { name: plan.scenario.name, story: plan.scenario.story, file: basename(file) },
    run: {
      id: basename(folder),
      startedAt: new Date(recording.startMs).toISOString(),
      seed,
      without: [...without],
      tuned: [...tuned],
      machine: machine(),
      steps,
    },
    ...conclusion,
    ...(capacity === undefined || capacityPerSecond === undefined ? {} : { capacity: { ...capacity, takenPerSecond: capacityPerSecond } }),
    mall: { replicas: Object.fromEntries(Object.entries(plan.replicas).filter(([, count]) => count > 0)) },
    ...(isOfMall(plan.scenario) ? {} : { target: targetOf(plan.scenario.target) }),
    ...visitorsOf(plan),
    phases: played.phases.map(({ planned: { phase }, fromMs, untilMs, stages }) => ({
      name: phase.name,
      fromMs: back(fromMs),
      untilMs: back(untilMs),
      load: loadSentence(phase.load),
      shoppersPerSecondFrom: stages.at(0)?.fromPerSecond ?? 0,
      shoppersPerSecondTo: stages.at(-1)?.toPerSecond ?? 0,
      stages,
    })),
    faults: faultRecords(evidence, back),
    verdicts,
    requests: requestRows(recording),
    timeline: timelinePoints(recording),
    breakers: breakerSeries(evidence),
    picks: pickSeries(evidence),
    shedding: sheddingSeries(evidence),
    generator: generatorHealth(recording),
    ground: groundPoints(recording),
    leftOut: { ...leftOut(evidence), checkouts: recording.checkouts.overflow },
    deaths: [...evidence.deaths],
    ...abortedAs(played, back),
    spans: spanLedger(evidence),
    traces: traceExamples(evidence),
  };
}

function targetOf(target: Target): NonNullable<RunRecord['target']> {
  const proto = protosOf(target);
  return { address: addressOf(target), ...(proto.length === 0 ? {} : { proto }) };
}

function visitorsOf({ limits }: Plan): Pick<RunRecord, 'visitors'> {
  const visitors = limitsSentence(limits);
  return visitors === undefined ? {} : { visitors };
}

function abortedAs({ aborted }: Played, back: (ms: number) => number): Pick<RunRecord, 'aborted'> {
  return aborted === undefined ? {} : { aborted: { atMs: back(aborted.atMs), why: aborted.why } };
}

function machine(): RunRecord['run']['machine'] {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
  };
}

function faultRecords(evidence: Evidence, back: (ms: number) => number): FaultRecord[] {
  const untilMs = evidence.recording.phases.at(-1)?.untilMs ?? 0;
  const impacts = impactsIn(evidence, { untilMs });
  const routes = routeImpactsIn(evidence);
  return evidence.faults.map((fault, index) => {
    const hurt = impacts[index]?.impacts ?? [];
    return faultRecord(fault, {
      back,
      idle: idlePlaces(evidence, fault),
      impacts: hurt.slice(0, mostEdges),
      alsoHurt: hurt.slice(mostEdges).map(({ edge }) => edge),
      routes: routes[index] ?? [],
    });
  });
}

function faultRecord(
  { phase, fault, places, askedMs, fromMs, untilMs, effects }: PlayedFault,
  { back, ...seen }: { back: (ms: number) => number } & Pick<FaultRecord, 'idle' | 'impacts' | 'alsoHurt' | 'routes'>,
): FaultRecord {
  return {
    phase,
    sentence: faultSentence(fault),
    places: [...places],
    askedMs: back(askedMs),
    fromMs: back(fromMs),
    untilMs: back(untilMs),
    effects: effects.map(({ felt, goneAtMs, ...effect }) => ({
      ...effect,
      ...(felt === undefined ? {} : { felt: { ...felt, atMs: back(felt.atMs) } }),
      ...(goneAtMs === undefined ? {} : { goneAtMs: back(goneAtMs) }),
    })),
    ...seen,
  };
}

function requestRows({ totals }: Recording): RequestRow[] {
  return totals
    .filter(({ count }) => count > 0)
    .map(({ phase, route, outcome, count, firstReason, histogram, service, firstByte, queue }) => {
      const times = [histogram, service, firstByte, queue].map((text) => percentilesOf(fromBase64(text)));
      const [latencyMs, serviceMs, firstByteMs, queueMs] = times;
      return {
        ...{ phase, route, outcome, count, histogram },
        ...(latencyMs === undefined ? {} : { latencyMs }),
        ...(serviceMs === undefined ? {} : { serviceMs }),
        ...(firstByteMs === undefined ? {} : { firstByteMs }),
        ...(queueMs === undefined ? {} : { queueMs }),
        ...(firstReason === undefined ? {} : { firstReason }),
      };
    });
}

function breakerSeries(evidence: Evidence): RunRecord['breakers'] {
  // Without a mall there are no edges.
  if (evidence.replicas.length === 0) return [];
  const back = epochToTimeline(evidence);
  return [...evidence.spans.edges(evidence.recording.startMs - evidence.epochMs)].map(([edge, seconds]) => ({
    edge,
    points: seconds.map(({ atMs, calls, refused, failed }) => ({ atMs: back(atMs), calls, refused, failed })).filter(isOfTimeline),
  }));
}

function pickSeries(evidence: Evidence): RunRecord['picks'] {
  const back = epochToTimeline(evidence);
  return [...evidence.spans.edges(evidence.recording.startMs - evidence.epochMs)].flatMap(([edge, seconds]) => {
    const { callee } = endsOf(edge);
    if (!isService(callee)) return [];
    const instances = evidence.replicas.filter(({ service }) => service === callee);
    if (instances.length < 2) return [];
    const points = seconds.map(({ atMs, picked }) => ({
      atMs: back(atMs),
      picked: instances.map(({ instance }) => picked.get(instance) ?? 0),
    }));
    return [{ edge, replicas: instances.map(({ replica }) => replica), points: points.filter(isOfTimeline) }];
  });
}

function sheddingSeries(evidence: Evidence): RunRecord['shedding'] {
  if (evidence.replicas.length === 0) return [];
  const window = { fromMs: 0, untilMs: evidence.recording.phases.at(-1)?.untilMs ?? 0 };
  return services.map((service: Service) => {
    const { points } = sheddingOf(evidence, service, window);
    return { service, points: points.map(({ atMs, judged, shed }) => ({ atMs, judged: Math.round(judged), shed: Math.round(shed) })) };
  });
}

function generatorHealth(recording: Recording): RunRecord['generator'] {
  const { planned, sent, dropped, lag } = paceOf(recording);
  const at = percentilesOf(lag) ?? { p50: 0, p99: 0, max: 0 };
  const loads = recording.ground.map(({ loopUtilization }) => loopUtilization);
  const loopUtilization = loads.reduce((sum, load) => sum + load, 0) / Math.max(1, loads.length);
  return { planned, sent, dropped, lagMsP50: at.p50, lagMsP99: at.p99, lagMsMax: at.max, loopUtilization, ...recording.generator };
}

function groundPoints(recording: Recording): GroundPoint[] {
  return recording.ground.map(({ atMs, hiccups, loopUtilization, stealShare, throttledShare }) => {
    const late = percentilesOf(fromBase64(hiccups));
    const lag = percentilesOf(paceOf(recording, { fromMs: atMs, untilMs: atMs + 1_000 }).lag);
    return {
      ...{ atMs, loopUtilization, hiccupMsP99: late?.p99 ?? 0, hiccupMsMax: late?.max ?? 0 },
      ...{ lagMsP99: lag?.p99 ?? 0, lagMsMax: lag?.max ?? 0 },
      ...(stealShare === undefined ? {} : { stealShare }),
      ...(throttledShare === undefined ? {} : { throttledShare }),
    };
  });
}

function leftOut({ spans }: Evidence): { traces: number; spans: number } {
  const left = spans.left();
  return { traces: left.traces, spans: left.spans };
}

/** One example of each kind for each phase and route, out of those whose spans were kept. */
function traceExamples(evidence: Evidence): RunRecord['traces'] {
  const { recording, spans, epochMs } = evidence;
  const offsetMs = recording.startMs - epochMs;
  const taken = new Set<string>();
  return recording.exemplars.flatMap(({ traceId, spanId, phase, route, why, outcome, startMs, durationMs }) => {
    const kind = `${phase} ${route} ${why}`;
    const trace = spans.trace(traceId);
    if (trace === undefined || taken.has(kind)) return [];
    taken.add(kind);
    const failed = !servedOutcomes.includes(outcome);
    const told = recordOf(trace, { spanId, startMs: startMs + offsetMs, durationMs, failed });
    const shifted = told.map((span) => ({
      ...span,
      startMs: span.startMs - offsetMs,
      events: span.events.map(({ name, atMs }) => ({ name, atMs: atMs - offsetMs })),
    }));
    return [{ traceId, phase, route, why, outcome, durationMs, spans: shifted }];
  });
}

/** More of them for one fault nobody reads; a storm has hundreds. */
const mostEdges = 6;
/** The probe and the warm-up lie before 0 and are no part of the story. */
const isOfTimeline = ({ atMs }: { atMs: number }) => atMs >= -1_000;
