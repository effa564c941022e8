import { expect, test } from 'vitest';
import type { RequestOutcome } from '../../../harness/record.ts';
import { newHistogram, type Recording, toBase64 } from '../../../harness/recording.ts';
import { timelinePoints } from '../../../harness/timeline-points.ts';

test('what two phases did in one second of the run is one point', () => {
  const points = timelinePoints(
    recording([
      ['rush', 'buy', 'ok', 44_333.7, [100, 100, 100]],
      ['rush', 'buy', 'shed', 45_333.7, [5]],
      ['after', 'buy', 'ok', 45_394.8, [10, 10, 30]],
      ['after', 'list', 'timeout', 45_394.8, [5_000]],
      ['after', 'buy', 'ok', 46_394.8, [20]],
    ]),
  );
  expect(
    points.map(({ latencyMs, ...point }) => ({ ...point, p50: latencyMs === undefined ? undefined : Math.round(latencyMs.p50) })),
  ).toEqual([
    { atMs: 44_000, route: 'buy', planned: 3, outcomes: { ok: 3 }, p50: 100 },
    { atMs: 45_000, route: 'buy', planned: 4, outcomes: { ok: 3, shed: 1 }, p50: 10 },
    { atMs: 45_000, route: 'list', planned: 1, outcomes: { timeout: 1 }, p50: undefined },
    { atMs: 46_000, route: 'buy', planned: 1, outcomes: { ok: 1 }, p50: 20 },
  ]);
});

function recording(rows: [phase: string, route: string, outcome: RequestOutcome, atMs: number, ms: number[]][]): Recording {
  const seconds = rows.map(([phase, route, outcome, atMs, ms]) => {
    const histogram = newHistogram();
    for (const each of ms) histogram.recordValue(each * 1_000);
    return { phase, route, outcome, atMs, count: ms.length, histogram: toBase64(histogram) };
  });
  return { seconds, totals: [], phases: [], pace: [] } as unknown as Recording;
}
