import { expect, test } from 'vitest';
import { createLiveCounts, liveSecond } from '../../../../harness/drivers/live.ts';

const now = { phase: 'rush', atMs: 1_000, timeoutMs: 1_000 };

test('a second counts what happened in it, and the next starts from nothing', () => {
  const live = createLiveCounts();
  for (let index = 1; index <= 100; index++) {
    live.planned();
    live.sent();
    live.late(index / 100);
    live.ended('browse', 'ok', index);
  }
  live.planned();
  live.ended('browse', 'dropped', 0);
  live.ended('checkout', 'shed', 5_000);

  const { latencyMs, ...counts } = liveSecond({ ...now, atMs: 1_000 }, [live.take(3)]);
  expect(counts).toEqual({
    phase: 'rush',
    atMs: 1_000,
    inFlight: 3,
    lagMsMax: 1,
    planned: 101,
    sent: 100,
    outcomes: { ok: 100, dropped: 1, shed: 1 },
    routes: { browse: { ended: 101, failed: 1 }, checkout: { ended: 1, failed: 1 } },
  });
  expect(latencyMs).toEqual({
    p50: { ms: expect.closeTo(50, -0.5), isCensored: false },
    p99: { ms: expect.closeTo(99, -0.5), isCensored: false },
  });
  expect(liveSecond({ ...now, atMs: 2_000 }, [live.take(0)])).toEqual({
    phase: 'rush',
    atMs: 2_000,
    inFlight: 0,
    lagMsMax: 0,
    planned: 0,
    sent: 0,
    outcomes: {},
    routes: {},
  });
});

test('the second of several threads is that of one which saw it all', () => {
  const [one, other, whole] = [createLiveCounts(), createLiveCounts(), createLiveCounts()];
  for (let index = 1; index <= 100; index++) {
    const thread = index % 3 === 0 ? one : other;
    for (const counts of [thread, whole]) {
      counts.planned();
      counts.sent();
      counts.late(index % 7);
      counts.ended(index % 2 === 0 ? 'browse' : 'view', index % 10 === 0 ? 'reset' : 'ok', index);
    }
  }
  expect(liveSecond(now, [one.take(2), other.take(3)])).toEqual(liveSecond(now, [whole.take(5)]));
});

const served = { ms: 101, isCensored: false };
const gaveUp = { ms: 1_000, isCensored: true };

test.each([
  [70, 30, served, gaveUp],
  [50, 50, served, gaveUp],
  [49, 51, gaveUp, gaveUp],
  [99, 1, served, served],
  [0, 1, gaveUp, gaveUp],
])(
  'timeouts are not lost: %d who were served and %d who gave up after a second are one distribution',
  (servedCount, timedOut, p50, p99) => {
    const live = createLiveCounts();
    for (let index = 0; index < servedCount; index++) live.ended('list', 'ok', 101);
    for (let index = 0; index < timedOut; index++) live.ended('list', 'timeout', 1_004);
    const { latencyMs } = liveSecond(now, [live.take(0)]);
    expect(latencyMs).toEqual({ p50: { ...p50, ms: expect.closeTo(p50.ms, -0.5) }, p99: { ...p99, ms: expect.closeTo(p99.ms, -0.5) } });
  },
);
