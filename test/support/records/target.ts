import { seededRandom } from '../../../core/random.ts';
import type { RunRecord } from '../../../harness/record.ts';
import { sampleRecord } from './sample.ts';
import { countedTraffic } from './traffic.ts';

/** A run against an address of one's own, of which nothing is known but its answers: no replicas, no breakers, no spans. */
export function targetRecord({ seed = 7 }: { seed?: number } = {}): RunRecord {
  const random = seededRandom(seed);
  const { capacity: _, ...sample } = sampleRecord({ seed });
  const { requests, timeline } = countedTraffic({
    seconds: 20,
    routes: ['list', 'book a seat'],
    phases,
    planned: (route, second) => (second < 10 ? 40 : 160) * (route === 'list' ? 1 : 0.5),
    draw: (route, second) => {
      const serviceMs = (route === 'list' ? 3 : 11) * (1 + random() ** 4 * (second < 10 ? 2 : 9));
      const times = { lagMs: 0.04 + random() ** 8, queueMs: 0.02 + random() ** 10 * 0.4, serviceMs, firstByteMs: 0.7 * serviceMs };
      return { outcome: route !== 'list' && second > 15 && random() < 0.04 ? 'wrongAnswer' : 'ok', ...times };
    },
  });
  const planned = timeline.reduce((sum, point) => sum + point.planned, 0);
  return {
    ...sample,
    scenario: { name: 'seats of a theatre', story: 'Four times the visitors look for a seat.', file: 'theatre.ts' },
    run: {
      ...sample.run,
      id: 'theatre-2026-03-14_09-26-53-589',
      steps: [
        { title: 'target', tookMs: 1.7 },
        { title: 'visitors', tookMs: 310 },
        { title: 'timeline', tookMs: 20_060 },
        { title: 'verdicts', tookMs: 8.5 },
      ],
    },
    outcome: 'met',
    why: 'All 2 expectations were met',
    mall: { replicas: {} },
    target: { address: 'http://127.0.0.1:3000' },
    visitors: 'time limit 10 s',
    phases,
    faults: [],
    verdicts: [
      { phase: 'calm', sentence: '95% of served list requests finish within 20ms', outcome: 'met', observed: '8.1 ms over 400 requests' },
      { phase: 'premiere', sentence: 'fewer than 5% of book a seat requests fail', outcome: 'met', observed: '1.6% of 800' },
    ],
    requests,
    timeline,
    breakers: [],
    picks: [],
    shedding: [],
    generator: {
      ...sample.generator,
      planned,
      sent: planned,
      dropped: 0,
      lagMsP99: 0.82,
      lagMsMax: 1.04,
      peakInFlight: 14,
      peakConnections: 14,
    },
    ground: (sample.ground ?? []).slice(0, 20),
    spans: [],
    traces: [],
  };
}

const phases: RunRecord['phases'] = [
  {
    name: 'calm',
    fromMs: 0,
    untilMs: 10_000,
    load: '40/s, evenly spaced',
    shoppersPerSecondFrom: 40,
    shoppersPerSecondTo: 40,
    stages: [{ lastsMs: 10_000, fromPerSecond: 40, toPerSecond: 40 }],
  },
  {
    name: 'premiere',
    fromMs: 10_000,
    untilMs: 20_000,
    load: '160/s',
    shoppersPerSecondFrom: 160,
    shoppersPerSecondTo: 160,
    stages: [{ lastsMs: 10_000, fromPerSecond: 160, toPerSecond: 160 }],
  },
];
