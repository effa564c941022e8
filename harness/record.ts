import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UsageError } from '../core/errors.ts';

/** `unknown` is not `met`: silence in the data must never read as success. */
export type Outcome = 'met' | 'missed' | 'unknown';
export type Verdict = { outcome: Outcome; observed: string };

/**
 * How a request ended, as the shopper saw it. The order is the order of charts and legends.
 * `deadline` is what the server gave up in time, `timeout` what nobody had answered when the shopper gave up; `unavailable` is any other 503,
 * `failed` any other answer that is neither success nor one of the named refusals, `wrongAnswer` a success that the shopper did not accept;
 * `dropped` was planned and never sent because too many requests were in flight, or this machine had no socket left for it.
 */
export const requestOutcomes = [
  'ok',
  'degraded',
  'outOfStock',
  'shed',
  'limited',
  'breakerOpen',
  'deadline',
  'timeout',
  'unavailable',
  'failed',
  'wrongAnswer',
  'reset',
  'refused',
  'dropped',
] as const;
export type RequestOutcome = (typeof requestOutcomes)[number];
/** The shopper got what they came for. Latencies are those of these. */
export const servedOutcomes: readonly RequestOutcome[] = ['ok', 'degraded'];
/** A working mall's answers: "sold out" is an honest one, not an error. */
export const answeredWell: readonly RequestOutcome[] = [...servedOutcomes, 'outOfStock'];
/** What happened to these their names do not say: whoever tells of them tells the first reason, too. */
export const unexplainedOutcomes: readonly RequestOutcome[] = ['unavailable', 'failed', 'wrongAnswer', 'reset', 'refused', 'dropped'];

/** Times without a unit in words are milliseconds since the start of the first phase; spans and chart points may lie before 0. */
export type RunRecord = {
  version: 1;
  scenario: { name: string; story: string; file: string };
  run: {
    id: string;
    /** ISO 8601, the wall-clock time of millisecond 0. */
    startedAt: string;
    seed: number;
    /** Mechanisms that were switched off in the mall. */
    without: string[];
    /** What else was changed of the mall's governance, by the scenario or for this run: `mall.breaker.judges=cause`. */
    tuned?: string[];
    machine: { cpu: string; cores: number; memoryBytes: number; platform: string; node: string };
    /** How long each step of the run took, in order: servers, mall, capacity, … */
    steps: { title: string; tookMs: number }[];
  };
  outcome: Outcome;
  /** One sentence: why the outcome is what it is. */
  why: string;
  /** What the closed-load probe found; absent where all rates are absolute. */
  capacity?: {
    shoppersPerSecond: number;
    requestsPerSecond: number;
    connections: number;
    measuredMs: number;
    /** Shoppers a second that were taken as `1x`: what was found, unless the user said otherwise. */
    takenPerSecond: number;
  };
  mall: { replicas: Record<string, number> };
  /** Where all requests went, when that was not the mall: `http://127.0.0.1:3000`, `grpc://127.0.0.1:50051`. Absent in older records, too. */
  target?: { address: string; proto?: string[] };
  /** What was set of the visitors, in words: `time limit 30 s, 2 threads`. Absent where nothing was, and in older records. */
  visitors?: string;
  phases: {
    name: string;
    fromMs: number;
    untilMs: number;
    /** In the scenario's words, for instance `0.4x → 2.5x`. */
    load: string;
    shoppersPerSecondFrom: number;
    shoppersPerSecondTo: number;
    /** The rates as straight lines, in order, empty for a crowd, whose rate nobody plans; absent in records from before there were any but one. */
    stages?: { lastsMs: number; fromPerSecond: number; toPerSecond: number }[];
  }[];
  /** One entry for each time that a fault was on, in order of their start. */
  faults: FaultRecord[];
  /** In the order of the scenario; `phase` is null for what must hold always. */
  verdicts: (Verdict & { phase: string | null; sentence: string })[];
  /** One row per phase and route, and per outcome within. Latencies are *response* times: intended start to last byte. */
  requests: RequestRow[];
  /** One point per second and route. */
  timeline: TimelinePoint[];
  /** Per edge and second: calls wanted by the caller, calls its breaker refused, calls that failed. */
  breakers: { edge: string; points: { atMs: number; calls: number; refused: number; failed: number }[] }[];
  /** Per edge and second: how many calls each replica of the callee was picked for, from the clients' spans. */
  picks: { edge: string; replicas: number[]; points: { atMs: number; picked: number[] }[] }[];
  /** Per service and second: requests that its shedder judged, and those it turned away. */
  shedding: { service: string; points: { atMs: number; judged: number; shed: number }[] }[];
  generator: {
    planned: number;
    sent: number;
    dropped: number;
    lagMsP50: number;
    lagMsP99: number;
    lagMsMax: number;
    /** Threads that the visitors lived in. */
    threads?: number;
    peakInFlight: number;
    peakConnections?: number;
    /** CPU time of its process, the busy share of its event loop, and whether the system let it go before others. */
    cpuMs: number;
    loopUtilization: number;
    priorityRaised: boolean;
    /** How long a visitor waits for an answer: a timeout counts with that. */
    timeoutMs?: number;
    /** Visits that ended because the journey itself threw; of the phases in which visitors arrived those that had any, absent in older records. */
    stumbles?: { count: number; first?: string; phases?: { phase: string; count: number; first: string }[] };
  };
  /** What the machine was up to, second by second; absent in older records. */
  ground?: GroundPoint[];
  /** What was seen but not kept, because there was too much of it: judged from counts, not looked at one by one. */
  leftOut: { traces: number; spans: number; checkouts: number };
  /** Processes of the mall that ended without being told to. */
  deaths: { instance: string; how: string }[];
  /** A stop condition that came true: all faults were undone at once and the run ended there. */
  aborted?: { atMs: number; why: string };
  /** Spans that each process says it ended and handed over, against those received from it. */
  spans: { instance: string; made: number; received: number }[];
  /** Examples worth looking at: the slowest and the failed of each phase and route. */
  traces: TraceExample[];
};

/** `fromMs` is when the server that causes it had acknowledged it, `untilMs` when its end was. */
export type FaultRecord = {
  phase: string;
  sentence: string;
  /** What it was on: stretches of network such as `orders->inventory.2`, or processes such as `payment.1`. */
  places: string[];
  askedMs: number;
  fromMs: number;
  untilMs: number;
  /** What was seen of it from outside, place by place. */
  effects: EffectRecord[];
  /** Places that carried nothing of the mall's while it was on: there it can have broken nothing. */
  idle: string[];
  /** What it did to edges: first its own, then the most hurt of the others. */
  impacts: ImpactRecord[];
  /** Edges that it hurt less than those. */
  alsoHurt: string[];
  /** What shoppers had of it, route by route. */
  routes: RouteImpactRecord[];
};
/** Calls on an edge while a fault was on. Those that left the callers are `sent`, repetitions included. */
export type ImpactRecord = HarmRecord & {
  edge: string;
  sent: number;
  /** Sent for each one that was wanted: above 1 retries add to the load of a callee in trouble. */
  amplification?: number;
};
/** Requests on a route while a fault was on, in whole seconds. `outcomes` are how those ended that got no good answer. */
export type RouteImpactRecord = HarmRecord & { route: string; outcomes: Partial<Record<RequestOutcome, number>> };
/** What became of calls or requests while a fault was on, and how it went afterwards. */
export type HarmRecord = {
  /** Those that somebody wanted to make, those that failed, and those refused on the spot. */
  wanted: number;
  failed: number;
  refused: number;
  /** Since the fault was acknowledged. */
  firstErrorAfterMs?: number;
  firstRefusalAfterMs?: number;
  /** Since its end was: the last call that failed or was refused; absent where there was none. */
  lastErrorAfterMs?: number;
  /** Since its end: from when on calls fail no more, and take no longer, than before the first fault. Half a second exact. */
  calmAfterMs?: number;
  /** 95% of the calls that went well took no longer. */
  latencyMsP95: { before?: number; during?: number; after?: number };
  /** `no` is a metastable failure: the fault is gone, and the edge does not come back while it is watched. */
  recovered: 'yes' | 'no' | 'unknown';
  /** Share of calls in trouble after the end: of all that were watched, or from the time on when it was calm. */
  troubledShareAfter?: number;
  watchedMs: number;
};
/** Absent times: it was not seen. */
export type EffectRecord = {
  place: string;
  /** When it was first felt, and what showed it: `answered after 812 ms, directly after 0.9 ms`. */
  felt?: { atMs: number; sign: string };
  /** When things were first as before again. */
  goneAtMs?: number;
  /** Why nothing was seen, where one can say. */
  doubt?: string;
};

export type RequestRow = {
  phase: string;
  route: string;
  outcome: RequestOutcome;
  count: number;
  /** Absent where nothing was answered (`dropped`). */
  latencyMs?: Percentiles;
  /** Of it: from the last byte that was written to the last that was read. Absent where nothing was written, and in older records. */
  serviceMs?: Percentiles;
  /** Of that: until the first byte of the answer was read, of those requests that got one. Absent where none did, and in older records. */
  firstByteMs?: Percentiles;
  /** Of it: from dispatch until the request was written, which is waiting for a connection. */
  queueMs?: Percentiles;
  /** Why the first of them ended so, where the outcome is no good one and that can be told: `connect ECONNREFUSED 127.0.0.1:1`, `status 500`. */
  firstReason?: string;
  /** HdrHistogram V2, compressed, base64, in microseconds: the whole distribution. */
  histogram: string;
};
export type Percentiles = { p50: number; p90: number; p95: number; p99: number; p999: number; max: number };

/**
 * How late canaries woke that only want to wake every millisecond, how late visitors were sent on their way, and what kept the CPUs from us.
 * Shares are 0 to 1, absent where the system does not tell.
 */
export type GroundPoint = {
  atMs: number;
  hiccupMsP99: number;
  hiccupMsMax: number;
  lagMsP99: number;
  lagMsMax: number;
  loopUtilization: number;
  stealShare?: number;
  throttledShare?: number;
};

export type TimelinePoint = {
  atMs: number;
  route: string;
  /** Requests that were meant to start in this second. */
  planned: number;
  /** Requests of this second's arrivals by how they ended; absent means none. */
  outcomes: Partial<Record<RequestOutcome, number>>;
  /** Of the answers that were `ok` or `degraded`; absent where there were none. */
  latencyMs?: { p50: number; p95: number; p99: number };
};

export type TraceExample = {
  traceId: string;
  phase: string;
  route: string;
  /** Why it is here: `slowest`, `failed`, `typical`. */
  why: string;
  outcome: RequestOutcome;
  durationMs: number;
  spans: SpanRecord[];
};

/** In order of start; `parentId` is null for the shopper's own span, which the load driver makes. */
export type SpanRecord = {
  spanId: string;
  parentId: string | null;
  /** Such as `orders.1`; `shopper` for the load driver. */
  instance: string;
  name: string;
  kind: 'internal' | 'server' | 'client';
  startMs: number;
  durationMs: number;
  failed: boolean;
  attributes: Record<string, string | number | boolean>;
  events: { name: string; atMs: number }[];
};

export async function writeRecord(folder: string, record: RunRecord): Promise<string> {
  const file = join(folder, 'record.json');
  await writeFile(file, `${JSON.stringify(record)}\n`);
  return file;
}

/** Reads the record in a run's folder (or the file itself). Throws a `UsageError` for a folder without one, or one of another version. */
export async function readRecord(path: string): Promise<RunRecord> {
  const file = path.endsWith('.json') ? path : join(path, 'record.json');
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw new UsageError(`Expected a run's folder or its record.json, got '${path}' (${messageOf(cause)})`, { cause });
  });
  let record: RunRecord;
  try {
    record = JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`'${file}' is not a run record: ${messageOf(cause)}`, { cause });
  }
  if (record?.version !== 1 || !Array.isArray(record.phases))
    throw new UsageError(`'${file}' is a record of version ${record?.version}; this Stampede reads version 1`);
  return { ...record, faults: record.faults.map(faultOfToday) };
}

/** Records that were written before faults were watched know less of them, and called their places wires. */
function faultOfToday(
  fault: Pick<FaultRecord, 'phase' | 'sentence' | 'fromMs' | 'untilMs'> & Partial<FaultRecord> & { wires?: string[] },
): FaultRecord {
  const { wires = [], ...known } = fault;
  return { places: wires, askedMs: fault.fromMs, effects: [], idle: [], impacts: [], alsoHurt: [], routes: [], ...known };
}
