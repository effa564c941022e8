import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram, HistogramLogWriter } from 'hdr-histogram-js';
import { bucketOf, middleUs } from '../core/histogram.ts';
import type { Percentiles, RequestOutcome } from './record.ts';

/**
 * What a load driver saw, as plain data that travels between processes. Times are milliseconds since the start of the first phase unless
 * said otherwise; histograms are HdrHistogram V2 of two significant digits, compressed, base64, in microseconds. A request belongs to the phase
 * and the second of its *intended* start.
 */
export type Recording = {
  /** The start of the first phase on the run's clock, in milliseconds since the epoch. */
  startMs: number;
  /** The steps of the journey, in its order. */
  routes: string[];
  phases: RecordedPhase[];
  /** Per phase, route and outcome; of those that are no good answer why the first of them ended so, as far as one can say. */
  totals: (RequestCount & { service: string; firstByte: string; queue: string; firstReason?: string })[];
  /** The same cut into seconds. Empty seconds are absent. */
  seconds: (RequestCount & { atMs: number })[];
  /** How the generator kept its plan, second by second. */
  pace: PaceSecond[];
  /** What the generator's machine was up to meanwhile, second by second. */
  ground: GroundSecond[];
  /** Orders that shoppers were told of: the audit looks for each of them. Bounded; `overflow` were not kept. */
  checkouts: { kept: Checkout[]; overflow: number };
  /**
   * Checkouts that were made, and then made once more with the same idempotency key, on purpose: those that were `asked` for, those that were
   * decided both times, and among them those whose second answer named another order or was a no. The repetitions are in no other count.
   */
  repeated: { asked: number; count: number; different: number };
  exemplars: Exemplar[];
  generator: GeneratorHealth;
};

/** `shoppers` arrived; with what they did after the first step that made `planned` requests, of which `sent` left and `dropped` did not. */
export type RecordedPhase = {
  name: string;
  fromMs: number;
  untilMs: number;
  /** Visitors that the schedule holds. */
  intended: number;
  shoppers: number;
  planned: number;
  sent: number;
  dropped: number;
  /** Intended start to dispatch, of arrivals and of steps after a thought: others have no plan that one could be late for. */
  lag: string;
};
/**
 * `histogram` are *response* times, from the intended start to the last byte; `service` times are from the last byte that was written to the last that
 * was read, `firstByte` is from there until the first byte of the answer, of those requests that got one, and `queue` is what lay between dispatch
 * and writing: waiting for a connection. A timeout counts with the time limit.
 */
export type RequestCount = { phase: string; route: string; outcome: RequestOutcome; count: number; histogram: string };
export type PaceSecond = { phase: string; atMs: number; planned: number; sent: number; dropped: number; lag: string };
/** How late threads woke that only wanted to wake every millisecond, and what kept the CPUs from us; absent where the system does not tell. */
export type GroundSecond = {
  atMs: number;
  /** How much of the second all this is about, where that is not all of it. */
  lastsMs?: number;
  hiccups: string;
  /** Busy share of the busiest of the generator's event loops. */
  loopUtilization: number;
  busyShare?: number | undefined;
  stealShare?: number | undefined;
  throttledShare?: number | undefined;
};
export type Checkout = { orderId: string; status: 'PAID' | 'PENDING'; account: number; idempotencyKey: string; phase: string };
export type Exemplar = {
  traceId: string;
  /** Of the shopper's own span, which no process exports: the driver made it up. */
  spanId: string;
  route: string;
  phase: string;
  outcome: RequestOutcome;
  startMs: number;
  durationMs: number;
  why: 'slowest' | 'failed' | 'typical';
};
export type GeneratorHealth = {
  /** Threads that visitors lived in. */
  threads: number;
  peakInFlight: number;
  peakConnections: number;
  /** Whether the system let the driver's process go before others. */
  priorityRaised: boolean;
  /** CPU time of the driver's process, from the first arrival on. */
  cpuMs: number;
  /** How long a visitor waits for an answer. */
  timeoutMs: number;
  /** Visits that ended because the journey itself threw, and what the first of them threw; of the phases in which visitors arrived those that had any. */
  stumbles: { count: number; first?: string; phases?: { phase: string; count: number; first: string }[] };
};

/** Which requests: without `fromMs` and `untilMs` whole phases, with them the seconds that begin in the window. */
export type Selection = { phase?: string; route?: string; outcomes?: readonly RequestOutcome[]; fromMs?: number; untilMs?: number };

/** The part of a recording that counts. */
export type Counts = Pick<Recording, 'phases' | 'totals' | 'seconds' | 'pace'>;

/** Response times in microseconds of the selected requests, merged. Empty when there are none. */
export function histogramOf(recording: Counts, selection: Selection = {}): Histogram {
  return merged(rowsOf(recording, selection).map((row) => row.histogram));
}

/** How the selected requests ended; outcomes that did not occur are absent. */
export function outcomesOf(recording: Counts, selection: Selection = {}): Partial<Record<RequestOutcome, number>> {
  const counts: Partial<Record<RequestOutcome, number>> = {};
  for (const { outcome, count } of rowsOf(recording, selection)) counts[outcome] = (counts[outcome] ?? 0) + count;
  return counts;
}

/** Why the first of the selected requests ended as they did, by their outcomes; whole phases only. */
export function reasonsOf(recording: Counts, selection: Pick<Selection, 'phase' | 'route'> = {}): Partial<Record<RequestOutcome, string>> {
  const reasons: Partial<Record<RequestOutcome, string>> = {};
  const rows = recording.phases.flatMap(({ name }) => recording.totals.filter(({ phase }) => phase === name));
  for (const { phase, route, outcome, firstReason } of rows) {
    const isSelected = (selection.phase ?? phase) === phase && (selection.route ?? route) === route;
    if (isSelected && firstReason !== undefined) reasons[outcome] ??= firstReason;
  }
  return reasons;
}

/** How well the plan was kept in a phase or a window; `lag` in microseconds. */
export function paceOf(
  recording: Counts,
  selection: Pick<Selection, 'phase' | 'fromMs' | 'untilMs'> = {},
): { planned: number; sent: number; dropped: number; lag: Histogram } {
  const rows = isWindow(selection) ? recording.pace.filter((second) => beginsIn(second.atMs, selection)) : recording.phases.map(asPace);
  const chosen = rows.filter(({ phase }) => selection.phase === undefined || phase === selection.phase);
  const sum = (field: 'planned' | 'sent' | 'dropped') => chosen.reduce((total, row) => total + row[field], 0);
  return { planned: sum('planned'), sent: sum('sent'), dropped: sum('dropped'), lag: merged(chosen.map((row) => row.lag)) };
}

/** In milliseconds, from a histogram of microseconds; undefined when it is empty. */
export function percentilesOf(histogram: Histogram): Percentiles | undefined {
  if (histogram.totalCount === 0) return undefined;
  const at = (percentile: number) => msAtPercentile(histogram, percentile);
  return { p50: at(50), p90: at(90), p95: at(95), p99: at(99), p999: at(99.9), max: middleUs(bucketOf(histogram.maxValue)) / 1_000 };
}

/** `percentile` is 0 to 100. Of the bucket it falls into the middle is told, which is at most 0.4% off; the library itself answers its upper end. */
export const msAtPercentile = (histogram: Pick<Histogram, 'getValueAtPercentile'>, percentile: number) =>
  middleUs(bucketOf(histogram.getValueAtPercentile(percentile))) / 1_000;

export const toBase64 = (histogram: Histogram) => encodeIntoCompressedBase64(histogram);
export const fromBase64 = (text: string): Histogram => decodeFromCompressedBase64(text);

/** An empty histogram that grows with its values. All are of two significant digits, so that adding them up is exact. */
export const newHistogram = (): Histogram => build({ numberOfSignificantValueDigits: 2, autoResize: true });

/** Writes `<route>.hlog` for each route, one interval a second, tagged with the outcome: the format of HdrHistogram's own plotters. */
export async function writeHlog(folder: string, recording: Recording): Promise<string[]> {
  return Promise.all(
    recording.routes.map(async (route) => {
      const lines: string[] = [];
      const log = new HistogramLogWriter((line) => lines.push(line));
      log.outputLogFormatVersion();
      log.outputComment(`[Response times of ${route} in microseconds, from the intended start]`);
      log.outputStartTime(recording.startMs);
      log.outputLegend();
      const seconds = recording.seconds.filter((row) => row.route === route).sort((one, other) => one.atMs - other.atMs);
      for (const { atMs, outcome, histogram } of seconds) {
        const interval = fromBase64(histogram);
        interval.tag = outcome;
        log.outputIntervalHistogram(interval, atMs / 1_000, atMs / 1_000 + 1);
      }
      const file = join(folder, `${route}.hlog`);
      await writeFile(file, lines.join(''));
      return file;
    }),
  );
}

function rowsOf(recording: Counts, selection: Selection): RequestCount[] {
  const rows = isWindow(selection) ? recording.seconds.filter((row) => beginsIn(row.atMs, selection)) : recording.totals;
  return rows.filter(
    ({ phase, route, outcome }) =>
      (selection.phase === undefined || phase === selection.phase) &&
      (selection.route === undefined || route === selection.route) &&
      (selection.outcomes === undefined || selection.outcomes.includes(outcome)),
  );
}

const isWindow = ({ fromMs, untilMs }: Selection) => fromMs !== undefined || untilMs !== undefined;
const beginsIn = (atMs: number, { fromMs = -Infinity, untilMs = Infinity }: Selection) => atMs >= fromMs && atMs < untilMs;
const asPace = ({ name, ...phase }: RecordedPhase) => ({ ...phase, phase: name });

function merged(encoded: readonly string[]): Histogram {
  const sum = newHistogram();
  for (const part of encoded.map(fromBase64)) if (part.totalCount > 0) sum.add(part);
  return sum;
}

/** How late visitors were sent on their way, and how late the canaries woke, in the seconds that are chosen; in microseconds. */
export function latenessOf(
  { pace, ground }: Recording,
  isChosen: (second: { atMs: number; phase?: string }) => boolean,
): { lag: Histogram; hiccups: Histogram } {
  return {
    lag: merged(pace.filter(isChosen).map(({ lag }) => lag)),
    hiccups: merged(ground.filter(isChosen).map(({ hiccups }) => hiccups)),
  };
}
