import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cut, restart } from '../../../chaos/faults.ts';
import { occurrencesOf } from '../../../chaos/occurrences.ts';

const timesOf = (fault: Parameters<typeof occurrencesOf>[0], lastsMs: number) =>
  occurrencesOf(fault, lastsMs).map(({ fromMs, untilMs }) => [fromMs, untilMs]);

test.each([
  [{}, [[0, 10_000]]],
  [{ from: '2s' }, [[2_000, 10_000]]],
  [{ from: '2s', lasts: '3s' }, [[2_000, 5_000]]],
  [{ from: '8s', lasts: '5s' }, [[8_000, 10_000]]],
  [{ from: '10s' }, []],
  [
    { from: '1s', lasts: '1s', every: '4s' },
    [
      [1_000, 2_000],
      [5_000, 6_000],
      [9_000, 10_000],
    ],
  ],
] as const)('a cut with %j is on in ten seconds at %j', (when, times) => {
  expect(timesOf(cut('user->redis', when), 10_000)).toEqual(times);
});

test('a restart has no length of its own', () => {
  expect(timesOf(restart('orders', { from: '2s', every: '5s' }), 10_000)).toEqual([
    [2_000, 2_000],
    [7_000, 7_000],
  ]);
});

test('occurrences lie inside the phase and never overlap', () => {
  const ms = (most: number) => fc.integer({ min: 1, max: most });
  fc.assert(
    fc.property(ms(5_000), ms(2_000), ms(3_000), ms(20_000), (from, lasts, gap, lastsMs) => {
      const fault = cut('user->redis', { from: `${from}ms`, lasts: `${lasts}ms`, every: `${lasts + gap}ms` });
      let beforeMs = 0;
      for (const { fromMs, untilMs } of occurrencesOf(fault, lastsMs)) {
        expect(fromMs).toBeGreaterThanOrEqual(beforeMs);
        expect(untilMs).toBeGreaterThan(fromMs);
        expect(untilMs).toBeLessThanOrEqual(lastsMs);
        beforeMs = untilMs;
      }
    }),
    { numRuns: 200 },
  );
});
