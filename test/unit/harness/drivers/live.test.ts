import { expect, test } from 'vitest';
import { createLiveCounts, liveSecond } from '../../../../harness/drivers/live.ts';

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

  const { latencyMsP50 = 0, latencyMsP99 = 0, ...counts } = liveSecond({ phase: 'rush', atMs: 1_000 }, [live.take(3)]);
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
  expect(latencyMsP50).toBeCloseTo(50, -0.5);
  expect(latencyMsP99).toBeCloseTo(99, -0.5);
  expect(liveSecond({ phase: 'rush', atMs: 2_000 }, [live.take(0)])).toEqual({
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
  const now = { phase: 'rush', atMs: 1_000 };
  expect(liveSecond(now, [one.take(2), other.take(3)])).toEqual(liveSecond(now, [whole.take(5)]));
});
