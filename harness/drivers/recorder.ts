import type { Histogram } from 'hdr-histogram-js';
import type { Random } from '../../core/random.ts';
import { type Route, routeNames } from '../../system/topology.ts';
import { answeredWell, type RequestOutcome, requestOutcomes, servedOutcomes } from '../record.ts';
import { type Checkout, type Exemplar, longestUs, newHistogram, type Recording, toBase64 } from '../recording.ts';

/** A request that has ended. Times are milliseconds on the run's clock. */
export type Settled = {
  route: Route;
  outcome: RequestOutcome;
  intendedMs: number;
  endedMs: number;
  traceId: string;
  spanId: string;
};

/** Collects what happens to requests; memory grows with phases and seconds, not with requests. All times on the run's clock. */
export type Recorder = {
  startPhase: (phase: { name: string; startMs: number; lastsMs: number }) => void;
  /** A request that the plan, or the step before, calls for. */
  planned: (request: { intendedMs: number; isArrival: boolean }) => void;
  sent: (request: { intendedMs: number; dispatchedMs: number; isArrival: boolean }) => void;
  dropped: (request: { route: Route; intendedMs: number }) => void;
  settled: (request: Settled) => void;
  acknowledged: (checkout: Omit<Checkout, 'phase'>, intendedMs: number) => void;
  /** A checkout that was decided twice under one key. */
  repeated: (answers: 'same' | 'different') => void;
  /** The phase that the moment belongs to. */
  phaseAt: (ms: number) => string;
  recording: () => Omit<Recording, 'generator'>;
};

export function createRecorder({ random, maxCheckouts = 500_000 }: { random: Random; maxCheckouts?: number }): Recorder {
  const phases: Phase[] = [];
  const kept: Checkout[] = [];
  let overflow = 0;
  const repeated = { count: 0, different: 0 };

  const startMs = () => phases[0]?.startMs ?? 0;
  const phaseOf = (ms: number): Phase => {
    const phase = phases.findLast((candidate) => candidate.startMs <= ms) ?? phases[0];
    if (phase === undefined) throw new Error('A request was recorded before the first phase began');
    return phase;
  };
  const secondOf = (phase: Phase, ms: number): Second => {
    const index = Math.floor((ms - startMs()) / 1_000);
    const second = phase.seconds.get(index) ?? { planned: 0, sent: 0, dropped: 0, lag: newHistogram(2), cells: [] };
    phase.seconds.set(index, second);
    return second;
  };

  return {
    startPhase: (phase) => {
      phases.push({ ...phase, ...emptyPhase(random) });
      phases.sort((one, other) => one.startMs - other.startMs);
    },
    planned: ({ intendedMs, isArrival }) => {
      const phase = phaseOf(intendedMs);
      phase.planned += 1;
      if (isArrival) phase.shoppers += 1;
      secondOf(phase, intendedMs).planned += 1;
    },
    sent: ({ intendedMs, dispatchedMs, isArrival }) => {
      const phase = phaseOf(intendedMs);
      const second = secondOf(phase, intendedMs);
      phase.sent += 1;
      second.sent += 1;
      if (!isArrival) return;
      const lagUs = toUs(dispatchedMs - intendedMs);
      phase.lag.recordValue(lagUs);
      second.lag.recordValue(lagUs);
    },
    dropped: ({ route, intendedMs }) => {
      const phase = phaseOf(intendedMs);
      const second = secondOf(phase, intendedMs);
      phase.dropped += 1;
      second.dropped += 1;
      cellOf(phase.cells, route, 'dropped', 3).count += 1;
      cellOf(second.cells, route, 'dropped', 2).count += 1;
    },
    settled: (request) => {
      const { route, outcome, intendedMs, endedMs } = request;
      const phase = phaseOf(intendedMs);
      const responseUs = toUs(endedMs - intendedMs);
      for (const cell of [cellOf(phase.cells, route, outcome, 3), cellOf(secondOf(phase, intendedMs).cells, route, outcome, 2)]) {
        cell.count += 1;
        cell.histogram.recordValue(responseUs);
      }
      phase.exemplars[route].offer(request);
    },
    acknowledged: (checkout, intendedMs) => {
      if (kept.length < maxCheckouts) kept.push({ ...checkout, phase: phaseOf(intendedMs).name });
      else overflow += 1;
    },
    repeated: (answers) => {
      repeated.count += 1;
      if (answers === 'different') repeated.different += 1;
    },
    phaseAt: (ms) => phaseOf(ms).name,
    recording: () => ({
      startMs: startMs(),
      phases: phases.map(({ name, startMs: from, lastsMs, shoppers, planned, sent, dropped, lag }) => ({
        name,
        fromMs: from - startMs(),
        untilMs: from - startMs() + lastsMs,
        shoppers,
        planned,
        sent,
        dropped,
        lag: toBase64(lag),
      })),
      totals: phases.flatMap(({ name, cells }) => countsOf(name, cells)),
      seconds: phases.flatMap(({ name, seconds }) =>
        inOrder(seconds).flatMap(([index, { cells }]) => countsOf(name, cells).map((row) => ({ ...row, atMs: index * 1_000 }))),
      ),
      pace: phases.flatMap(({ name, seconds }) =>
        inOrder(seconds).map(([index, { planned, sent, dropped, lag }]) => ({
          phase: name,
          atMs: index * 1_000,
          planned,
          sent,
          dropped,
          lag: toBase64(lag),
        })),
      ),
      checkouts: { kept, overflow },
      repeated: { ...repeated },
      exemplars: phases.flatMap(({ name, exemplars }) =>
        routeNames.flatMap((route) => exemplars[route].chosen().map((exemplar) => asExemplar(exemplar, name, startMs()))),
      ),
    }),
  };
}

type Cell = { route: Route; outcome: RequestOutcome; count: number; histogram: Histogram };
/** By route and outcome; sparse, for most seconds know few outcomes. */
type Cells = (Cell | undefined)[];
type Second = { planned: number; sent: number; dropped: number; lag: Histogram; cells: Cells };
type Phase = { name: string; startMs: number; lastsMs: number } & ReturnType<typeof emptyPhase>;

const emptyPhase = (random: Random) => ({
  shoppers: 0,
  planned: 0,
  sent: 0,
  dropped: 0,
  lag: newHistogram(3),
  cells: [] as Cells,
  seconds: new Map<number, Second>(),
  exemplars: { browse: createShowcase(random), view: createShowcase(random), checkout: createShowcase(random) } satisfies Record<
    Route,
    Showcase
  >,
});

function cellOf(cells: Cells, route: Route, outcome: RequestOutcome, digits: 2 | 3): Cell {
  const index = routeNames.indexOf(route) * requestOutcomes.length + requestOutcomes.indexOf(outcome);
  const cell = cells[index] ?? { route, outcome, count: 0, histogram: newHistogram(digits) };
  cells[index] = cell;
  return cell;
}

/** Clocks of two stamps agree, so a negative difference is only ever rounding. */
const toUs = (ms: number) => Math.min(longestUs, Math.max(0, Math.round(ms * 1_000)));

const inOrder = (seconds: Map<number, Second>) => [...seconds].sort(([one], [other]) => one - other);

const countsOf = (phase: string, cells: Cells) =>
  cells.flatMap((cell) =>
    cell === undefined ? [] : [{ phase, route: cell.route, outcome: cell.outcome, count: cell.count, histogram: toBase64(cell.histogram) }],
  );

const asExemplar = ({ request, why }: Chosen, phase: string, startMs: number): Exemplar => ({
  traceId: request.traceId,
  spanId: request.spanId,
  route: request.route,
  phase,
  outcome: request.outcome,
  startMs: request.intendedMs - startMs,
  durationMs: request.endedMs - request.intendedMs,
  why,
});

/** Keeps the few requests of one phase and route that are worth looking at: the five slowest, five that failed, three typical ones. */
type Showcase = { offer: (request: Settled) => void; chosen: () => Chosen[] };
type Chosen = { request: Settled; why: Exemplar['why'] };

function createShowcase(random: Random): Showcase {
  const slowest: Settled[] = [];
  const failed = createReservoir(5, random);
  const typical = createReservoir(3, random);

  return {
    offer: (request) => {
      offerSlow(slowest, request);
      if (servedOutcomes.includes(request.outcome)) typical.offer(request);
      else if (!answeredWell.includes(request.outcome)) failed.offer(request);
    },
    chosen: () => [
      ...slowest.map((request): Chosen => ({ request, why: 'slowest' })),
      ...failed.chosen.map((request): Chosen => ({ request, why: 'failed' })),
      ...typical.chosen.map((request): Chosen => ({ request, why: 'typical' })),
    ],
  };
}

function offerSlow(slowest: Settled[], request: Settled) {
  const duration = (one: Settled) => one.endedMs - one.intendedMs;
  const last = slowest[4];
  if (last !== undefined && duration(request) <= duration(last)) return;
  const place = slowest.findIndex((one) => duration(one) < duration(request));
  slowest.splice(place === -1 ? slowest.length : place, 0, request);
  if (slowest.length > 5) slowest.pop();
}

/** A fair sample of a stream of unknown length: every item has the same chance to be among the chosen (Vitter's algorithm R). */
function createReservoir(size: number, random: Random) {
  const chosen: Settled[] = [];
  let seen = 0;
  const offer = (request: Settled) => {
    seen += 1;
    const place = seen <= size ? seen - 1 : Math.floor(random() * seen);
    if (place < size) chosen[place] = request;
  };
  return { offer, chosen };
}
