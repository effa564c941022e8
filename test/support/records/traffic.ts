import type { Histogram } from 'hdr-histogram-js';
import type { Random } from '../../../core/random.ts';
import type { RequestOutcome, RequestRow, TimelinePoint } from '../../../harness/record.ts';
import { requestOutcomes, servedOutcomes } from '../../../harness/record.ts';
import { newHistogram, percentilesOf, toBase64 } from '../../../harness/recording.ts';

/** What is drawn for one request: how it ended, the three parts of its response time, and how long the third of them was silence. */
export type Drawn = { outcome: RequestOutcome; lagMs: number; queueMs: number; serviceMs: number; firstByteMs?: number };

/** Which requests there are: so many a second of each route, and how each of them goes. */
export type Traffic = {
  seconds: number;
  routes: readonly string[];
  phases: readonly { name: string; fromMs: number; untilMs: number }[];
  planned: (route: string, second: number) => number;
  draw: (route: string, second: number) => Drawn;
};

/** Requests drawn one by one and then counted, so that rows and timeline tell of the same requests. */
export function countedTraffic({ seconds, routes, phases, planned, draw }: Traffic): { requests: RequestRow[]; timeline: TimelinePoint[] } {
  const cells = new Map<string, Cell>();
  const timeline: TimelinePoint[] = [];
  for (let second = 0; second < seconds; second += 1) {
    const phase = phases.find(({ fromMs, untilMs }) => second * 1_000 >= fromMs && second * 1_000 < untilMs)?.name ?? '';
    for (const route of routes) {
      const point: TimelinePoint = { atMs: second * 1_000, route, planned: planned(route, second), outcomes: {} };
      const served = newHistogram();
      for (let request = 0; request < point.planned; request += 1) {
        const { outcome, lagMs, queueMs, serviceMs, firstByteMs } = draw(route, second);
        const key = `${phase}/${route}/${outcome}`;
        const cell = cells.get(key) ?? newCell();
        cells.set(key, cell);
        cell.count += 1;
        point.outcomes[outcome] = (point.outcomes[outcome] ?? 0) + 1;
        if (outcome === 'dropped') continue;
        cell.response.recordValue(toUs(lagMs + queueMs + serviceMs));
        cell.service.recordValue(toUs(serviceMs));
        if (firstByteMs !== undefined) cell.firstByte.recordValue(toUs(firstByteMs));
        cell.queue.recordValue(toUs(queueMs));
        if (servedOutcomes.includes(outcome)) served.recordValue(toUs(lagMs + queueMs + serviceMs));
      }
      const latencyMs = percentilesOf(served);
      if (latencyMs !== undefined) point.latencyMs = { p50: latencyMs.p50, p95: latencyMs.p95, p99: latencyMs.p99 };
      timeline.push(point);
    }
  }
  const rows = phases.flatMap(({ name }) =>
    routes.flatMap((route) =>
      requestOutcomes.flatMap((outcome) => {
        const cell = cells.get(`${name}/${route}/${outcome}`);
        return cell === undefined ? [] : [rowOf(cell, { phase: name, route, outcome })];
      }),
    ),
  );
  return { requests: rows, timeline };
}

/** The flash sale's requests: the payment provider grows slow, the gateway sheds, the machine pauses in second 71. */
export function sampleTraffic(random: Random, phases: Traffic['phases']): ReturnType<typeof countedTraffic> {
  return countedTraffic({
    seconds: 90,
    routes: Object.keys(shareOfRoute),
    phases,
    planned: (route, second) => Math.round(shoppersAt(second) * (shareOfRoute[route] ?? 0) + (random() - 0.5) * 4),
    draw: (route, second) => drawn(random, route, second),
  });
}

/** The second in which the machine itself paused, and what that made of the latencies. */
export const pausedSecond = 71;
export const sampleTimeoutMs = 5_000;

type Cell = Record<'response' | 'service' | 'firstByte' | 'queue', Histogram> & { count: number };

const newCell = (): Cell => ({
  ...{ response: newHistogram(), service: newHistogram(), firstByte: newHistogram(), queue: newHistogram() },
  count: 0,
});

function rowOf({ response, service, firstByte, queue, count }: Cell, which: Pick<RequestRow, 'phase' | 'route' | 'outcome'>): RequestRow {
  const [latencyMs, serviceMs, firstByteMs, queueMs] = [response, service, firstByte, queue].map(percentilesOf);
  return {
    ...which,
    count,
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(serviceMs === undefined ? {} : { serviceMs }),
    ...(firstByteMs === undefined ? {} : { firstByteMs }),
    ...(queueMs === undefined ? {} : { queueMs }),
    histogram: toBase64(response),
  };
}

const shareOfRoute: Record<string, number> = { browse: 1, view: 0.5, checkout: 0.2 };

const shoppersAt = (second: number) => (second >= 30 && second < 60 ? 59.2 + ((second - 30) / 30) * 310.8 : 59.2);

function drawn(random: Random, route: string, second: number): Drawn {
  const outcome = drawOutcome(random, route, second);
  const lagMs = 0.03 + random() ** 8 * 2 + (second === pausedSecond ? random() * 90 : 0);
  const queueMs = 0.02 + random() ** 12 * (second >= 42 && second < 61 ? 8 : 1.5);
  const serviceMs = serviceMsOf(random, route, second, outcome) - (outcome === 'timeout' ? queueMs : 0);
  const isAnswered = outcome !== 'timeout' && outcome !== 'reset';
  return { outcome, lagMs, queueMs, serviceMs, ...(isAnswered && { firstByteMs: 0.9 * serviceMs }) };
}

function drawOutcome(random: Random, route: string, second: number): RequestOutcome {
  const chance = random();
  const pressure = second >= 42 && second < 61 ? Math.min(0.42, (second - 40) * 0.03) : 0;
  if (chance < pressure) return 'shed';
  if (second >= 55 && second < 60 && chance < pressure + 0.02) return random() < 0.5 ? 'limited' : 'dropped';
  if (route !== 'checkout') return 'ok';
  if (second >= 35 && second < 38 && chance < 0.5) return chance < 0.3 ? 'timeout' : 'deadline';
  if (second >= 37 && second < 63 && chance < pressure + 0.35) return random() < 0.85 ? 'degraded' : 'breakerOpen';
  if (second >= 48 && random() < 0.2) return 'outOfStock';
  return second === 60 && chance > 0.9 ? 'reset' : 'ok';
}

function serviceMsOf(random: Random, route: string, second: number, outcome: RequestOutcome): number {
  if (outcome === 'shed' || outcome === 'limited') return 0.8 + random() * 2.5;
  if (outcome === 'deadline') return 1_000 + random() * 30;
  if (outcome === 'timeout') return sampleTimeoutMs;
  const base = route === 'checkout' ? 31 : route === 'view' ? 7 : 9;
  const strain = second >= 30 && second < 62 ? 1 + Math.min(second - 29, 18) * 0.35 : second < 66 ? 1.6 : 1;
  const bell = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return base * strain * Math.exp(bell * 0.45);
}

const toUs = (ms: number) => Math.round(ms * 1_000);
