import { expect, test } from 'vitest';
import { shopperRequests } from '../../../../harness/observe/shoppers.ts';
import type { RequestOutcome } from '../../../../harness/record.ts';
import { newHistogram, type Recording, toBase64 } from '../../../../harness/recording.ts';
import type { Route } from '../../../../system/topology.ts';

const always = { fromMs: 0, untilMs: 60_000 };

test('requests are good, failed or turned away, second by second', () => {
  const seen = shopperRequests({
    seconds: [
      second(2, 'checkout', 'ok', [40, 60]),
      second(2, 'checkout', 'outOfStock', [10]),
      second(3, 'checkout', 'timeout', [5_000, 5_000]),
      second(3, 'checkout', 'shed', [1]),
      second(4, 'checkout', 'dropped', [0]),
      second(3, 'browse', 'failed', [9]),
    ],
  })('checkout');
  expect(seen.calls(always)).toEqual({
    ...{ count: 7, failed: 3, refused: 1, retried: 0 },
    ...{ firstFailureMs: 3_000, lastFailureMs: 5_000, firstRefusalMs: 3_000, lastRefusalMs: 4_000 },
  });
  expect(seen.slices(always)).toMatchObject([
    { fromMs: 2_000, untilMs: 3_000, calls: 3, failed: 0, refused: 0 },
    { fromMs: 3_000, untilMs: 4_000, calls: 3, failed: 2, refused: 1 },
    { fromMs: 4_000, untilMs: 5_000, calls: 1, failed: 1, refused: 0 },
  ]);
  expect(seen.troubles({ fromMs: 3_000, untilMs: 4_000 })).toEqual({ timeout: 2, shed: 1 });
});

test('response times are those of good answers, as they were recorded', () => {
  const [slice] = shopperRequests({ seconds: [second(0, 'view', 'ok', [10, 20, 300]), second(0, 'view', 'failed', [9_000])] })(
    'view',
  ).slices(always);
  expect(slice?.durations.count()).toBe(3);
  expect([slice?.durations.longerThan(8), slice?.durations.longerThan(15), slice?.durations.longerThan(330)]).toEqual([3, 2, 0]);
});

test('a route that nobody asked for has nothing to tell', () => {
  const seen = shopperRequests({ seconds: [] })('browse');
  expect(seen.calls(always)).toEqual({ count: 0, failed: 0, refused: 0, retried: 0 });
  expect([seen.slices(always), seen.troubles(always)]).toEqual([[], {}]);
});

function second(at: number, route: Route, outcome: RequestOutcome, tookMs: readonly number[]): Recording['seconds'][number] {
  const histogram = newHistogram();
  for (const ms of tookMs) histogram.recordValue(ms * 1_000);
  return { phase: 'one', atMs: at * 1_000, route, outcome, count: tookMs.length, histogram: toBase64(histogram) };
}
