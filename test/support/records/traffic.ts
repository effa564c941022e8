import * as hdr from 'hdr-histogram-js';
import type { Random } from '../../../core/random.ts';
import type { Percentiles, RequestOutcome, RequestRow, TimelinePoint } from '../../../harness/record.ts';
import { requestOutcomes } from '../../../harness/record.ts';

/** Requests drawn one by one and then counted, so that rows and timeline tell of the same requests. */
export function sampleTraffic(random: Random): { requests: RequestRow[]; timeline: TimelinePoint[] } {
  const cells = new Map<string, hdr.Histogram>();
  const timeline: TimelinePoint[] = [];
  for (let second = 0; second < 90; second += 1) {
    for (const [route, share] of Object.entries(shareOfRoute)) {
      const planned = Math.round(shoppersAt(second) * share + (random() - 0.5) * 4);
      const point: TimelinePoint = { atMs: second * 1_000, route, planned, outcomes: {} };
      const served = histogram();
      for (let request = 0; request < planned; request += 1) {
        const outcome = drawOutcome(random, route, second);
        const micros = drawMicros(random, route, second, outcome);
        point.outcomes[outcome] = (point.outcomes[outcome] ?? 0) + 1;
        cellOf(cells, `${phaseAt(second)}/${route}/${outcome}`).recordValue(micros);
        if (outcome === 'ok' || outcome === 'degraded') served.recordValue(micros);
      }
      if (served.totalCount > 0) {
        const { p50, p95, p99 } = percentilesOf(served);
        point.latencyMs = { p50, p95, p99 };
      }
      timeline.push(point);
    }
  }
  return { requests: rowsOf(cells), timeline };
}

const shareOfRoute: Record<string, number> = { browse: 1, view: 0.5, checkout: 0.2 };

const shoppersAt = (second: number) => (second >= 30 && second < 60 ? 59.2 + ((second - 30) / 30) * 310.8 : 59.2);

const phaseAt = (second: number) => (second < 30 ? 'before' : second < 60 ? 'rush' : 'after');

function drawOutcome(random: Random, route: string, second: number): RequestOutcome {
  const chance = random();
  const pressure = second >= 42 && second < 61 ? Math.min(0.42, (second - 40) * 0.03) : 0;
  if (chance < pressure) return 'shed';
  if (second >= 55 && second < 60 && chance < pressure + 0.02) return random() < 0.5 ? 'limited' : 'dropped';
  if (route !== 'checkout') return 'ok';
  if (second >= 35 && second < 38 && chance < 0.5) return 'timeout';
  if (second >= 37 && second < 63 && chance < pressure + 0.35) return random() < 0.85 ? 'degraded' : 'breakerOpen';
  if (second >= 48 && random() < 0.2) return 'outOfStock';
  return second === 60 && chance > 0.9 ? 'reset' : 'ok';
}

function drawMicros(random: Random, route: string, second: number, outcome: RequestOutcome): number {
  if (outcome === 'shed' || outcome === 'limited' || outcome === 'dropped') return Math.round(800 + random() * 2_500);
  if (outcome === 'timeout') return Math.round(1_000_000 + random() * 30_000);
  const base = route === 'checkout' ? 31 : route === 'view' ? 7 : 9;
  const strain = second >= 30 && second < 62 ? 1 + Math.min(second - 29, 18) * 0.35 : second < 66 ? 1.6 : 1;
  const bell = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.round(base * strain * Math.exp(bell * 0.45) * 1_000);
}

const histogram = () => hdr.build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });

function cellOf(cells: Map<string, hdr.Histogram>, key: string): hdr.Histogram {
  const found = cells.get(key) ?? histogram();
  cells.set(key, found);
  return found;
}

function rowsOf(cells: Map<string, hdr.Histogram>): RequestRow[] {
  return ['before', 'rush', 'after'].flatMap((phase) =>
    Object.keys(shareOfRoute).flatMap((route) =>
      requestOutcomes.flatMap((outcome): RequestRow[] => {
        const cell = cells.get(`${phase}/${route}/${outcome}`);
        if (cell === undefined) return [];
        const count = cell.totalCount;
        if (outcome === 'dropped') return [{ phase, route, outcome, count, histogram: hdr.encodeIntoCompressedBase64(histogram()) }];
        return [{ phase, route, outcome, count, latencyMs: percentilesOf(cell), histogram: hdr.encodeIntoCompressedBase64(cell) }];
      }),
    ),
  );
}

function percentilesOf(cell: hdr.Histogram): Percentiles {
  const at = (percentile: number) => cell.getValueAtPercentile(percentile) / 1_000;
  return { p50: at(50), p90: at(90), p95: at(95), p99: at(99), p999: at(99.9), max: cell.maxValue / 1_000 };
}
