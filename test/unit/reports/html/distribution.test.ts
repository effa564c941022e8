import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RequestOutcome, RequestRow } from '../../../../harness/record.ts';
import { newHistogram, toBase64 } from '../../../../harness/recording.ts';
import { awaitedDistribution, formatMeasured, type Measured } from '../../../../reports/html/distribution.ts';

test('merges what was served, ok and degraded, and what was given up, and nothing else', () => {
  const awaited = awaitedDistribution(
    [row('ok', [10, 20]), row('degraded', [30]), row('timeout', [5_000]), row('shed', [1, 1, 1, 1])],
    5_000,
  );
  expect(awaited).toMatchObject({ count: 4, served: 3, timedOut: 1 });
  expect(within(awaited?.atShare(0.5), 20)).toBe(true);
  expect(within(awaited?.atShare(0.75), 30)).toBe(true);
});

test('is undefined where nobody was served or gave up, also where a histogram is empty or missing', () => {
  expect(awaitedDistribution([])).toBeUndefined();
  expect(awaitedDistribution([row('ok', []), { ...row('ok', []), histogram: '' }, row('shed', [9])])).toBeUndefined();
});

test('knows a percentile up to the last that was served, and beyond it only that it is no less than the limit', () => {
  const rows = [
    row(
      'ok',
      Array.from({ length: 99 }, () => 10),
    ),
    row('timeout', [5_020]),
  ];
  const awaited = awaitedDistribution(rows, 5_000);
  expect(awaited?.atShare(0.99).isCensored).toBe(false);
  expect(awaited?.atShare(0.999)).toEqual({ ms: 5_000, isCensored: true });
  expect(awaited?.max).toEqual({ ms: 5_000, isCensored: true });
});

test('takes the times of the given up themselves for the limit where the record does not name it', () => {
  const awaited = awaitedDistribution([row('timeout', [1_020, 1_030])]);
  expect(awaited?.atShare(0.5).isCensored).toBe(true);
  expect(within(awaited?.atShare(0.5), 1_020)).toBe(true);
});

test('has every share beyond those who were served among those who gave up, and no other', () => {
  const times = fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(times, fc.nat({ max: 50 }), fc.double({ min: 0, max: 1, noNaN: true }), (served, timeouts, share) => {
      const awaited = awaitedDistribution(
        [
          row('ok', served),
          row(
            'timeout',
            Array.from({ length: timeouts }, () => 1_000),
          ),
        ],
        1_000,
      );
      const rank = Math.max(1, Math.ceil(share * (served.length + timeouts) - 1e-6));
      expect(awaited?.atShare(share).isCensored).toBe(rank > served.length);
      if (awaited?.atShare(share).isCensored === false) expect(awaited.atShare(share).ms).toBeLessThan(1_000);
    }),
  );
});

test.each([
  [{ ms: 12.34, isCensored: false }, '12.3 ms'],
  [{ ms: 5_000, isCensored: true }, '≥ 5 s'],
])('tells %o as %s', (measured, told) => expect(formatMeasured(measured)).toBe(told));

const within = (measured: Measured | undefined, ms: number) =>
  measured !== undefined && !measured.isCensored === ms < 1_000 && Math.abs(measured.ms - ms) <= ms / 100;

function row(outcome: RequestOutcome, latenciesMs: number[]): RequestRow {
  const histogram = newHistogram();
  for (const ms of latenciesMs) histogram.recordValue(ms * 1_000);
  return { phase: 'rush', route: 'view', outcome, count: latenciesMs.length, histogram: toBase64(histogram) };
}
