import { expect, test } from 'vitest';
import { bucketCount, bucketOf } from '../../../../core/histogram.ts';
import { withCrowds } from '../../../../harness/drivers/crowd-recording.ts';
import { histogramOf, newHistogram, outcomesOf, paceOf, percentilesOf, type Recording, toBase64 } from '../../../../harness/recording.ts';

const none = toBase64(newHistogram());
const phase = (name: string, fromMs: number) => ({
  ...{ name, fromMs, untilMs: fromMs + 2_000, intended: 0, shoppers: 0, planned: 0, sent: 0, dropped: 0, lag: none },
});
const calm: Recording = {
  startMs: 0,
  routes: ['browse', 'view', 'checkout'],
  phases: [phase('before', 0), phase('crowd', 2_400)],
  ...{ totals: [], seconds: [], pace: [], ground: [], exemplars: [] },
  checkouts: { kept: [], overflow: 0 },
  repeated: { asked: 0, count: 0, different: 0 },
  generator: { threads: 1, peakInFlight: 0, peakConnections: 0, priorityRaised: false, cpuMs: 0, timeoutMs: 5_000, stumbles: { count: 0 } },
};
const buckets = (ms: number, times: number) => {
  const counts = new Uint32Array(bucketCount);
  counts[bucketOf(ms * 1_000)] = times;
  return counts;
};

test("a crowd's requests are those of its phase, in its seconds, and all were sent", () => {
  const recording = withCrowds(calm, [
    {
      phase: 'crowd',
      shoppers: 30,
      seconds: [
        { second: 0, route: 'browse', outcome: 'ok', buckets: buckets(10, 20) },
        { second: 1, route: 'browse', outcome: 'ok', buckets: buckets(40, 10) },
        { second: 1, route: 'checkout', outcome: 'shed', buckets: buckets(2, 5) },
      ],
      checkouts: [{ orderId: 'order-1', status: 'PAID', account: 1, idempotencyKey: 'a' }],
    },
  ]);
  expect(outcomesOf(recording, { phase: 'crowd' })).toEqual({ ok: 30, shed: 5 });
  expect(outcomesOf(recording, { phase: 'before' })).toEqual({});
  expect(outcomesOf(recording, { fromMs: 3_000, untilMs: 4_000 })).toEqual({ ok: 10, shed: 5 });
  expect(paceOf(recording, { phase: 'crowd' })).toMatchObject({ planned: 35, sent: 35, dropped: 0 });
  expect(recording.phases[1]).toMatchObject({ intended: 30, shoppers: 30 });
  expect(percentilesOf(histogramOf(recording, { phase: 'crowd', route: 'browse' }))?.p50).toBeCloseTo(10, 0);
  // Autocannon tells when an answer ended, not when it began.
  expect(new Set(recording.totals.map(({ firstByte }) => firstByte))).toEqual(new Set([none]));
  expect(recording.checkouts.kept).toMatchObject([{ orderId: 'order-1', phase: 'crowd' }]);
});

test('what this machine had no socket for was not sent, and has no times', () => {
  const recording = withCrowds(calm, [
    {
      ...{ phase: 'crowd', shoppers: 3, checkouts: [] },
      seconds: [
        { second: 0, route: 'browse', outcome: 'ok', buckets: buckets(10, 20) },
        { second: 0, route: 'browse', outcome: 'dropped', buckets: buckets(1, 4) },
      ],
    },
  ]);
  expect(outcomesOf(recording)).toEqual({ ok: 20, dropped: 4 });
  const pace = { planned: 24, sent: 20, dropped: 4 };
  expect([recording.phases[1], paceOf(recording, { fromMs: 0, untilMs: 9_000 })]).toMatchObject([pace, pace]);
  expect(histogramOf(recording).totalCount).toBe(20);
});

test('a crowd of a phase that was not played is a mistake', () => {
  expect(() => withCrowds(calm, [{ phase: 'rush', shoppers: 0, seconds: [], checkouts: [] }])).toThrow("the phase 'rush'");
});
