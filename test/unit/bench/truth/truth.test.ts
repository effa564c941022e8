import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTurns } from '../../../../bench/truth/behaviour.ts';
import {
  dispersion,
  overloadPercentileMs,
  overloadTimeouts,
  percentile,
  planned,
  respondedMs,
  servedMs,
  stallPercentileMs,
} from '../../../../bench/truth/truth.ts';

const evenlyUs = (count: number, gapUs: number) => Float64Array.from({ length: count }, (_, i) => i * gapUs);

test('p99 of a second in eight without service is 920 ms, p99.9 is 992 ms', () => {
  expect(stallPercentileMs({ share: 0.99, stoppedMs: 1_000, lastsMs: 8_000 })).toBeCloseTo(920, 9);
  expect(stallPercentileMs({ share: 0.999, stoppedMs: 1_000, lastsMs: 8_000 })).toBeCloseTo(992, 9);
});

test('a stop that touches fewer than the share of a percentile does not show in it', () => {
  expect(stallPercentileMs({ share: 0.5, stoppedMs: 1_000, lastsMs: 8_000 })).toBeUndefined();
});

test('the formula of a stop is what request after request gives, to the gap between two', () => {
  const anyStop = fc.record({
    ratePerSecond: fc.integer({ min: 100, max: 2_000 }),
    lastsMs: fc.integer({ min: 1_000, max: 10_000 }),
    atShare: fc.double({ min: 0, max: 0.5, noNaN: true }),
    stoppedShare: fc.double({ min: 0.1, max: 0.5, noNaN: true }),
    share: fc.constantFrom(0.9, 0.99, 0.999),
  });
  fc.assert(
    fc.property(anyStop, ({ ratePerSecond, lastsMs, atShare, stoppedShare, share }) => {
      const [atMs, stoppedMs, gapMs] = [lastsMs * atShare, lastsMs * stoppedShare, 1_000 / ratePerSecond];
      const waits = Array.from({ length: Math.round(lastsMs / gapMs) }, (_, i) => {
        const dueMs = (i + 0.5) * gapMs;
        return dueMs >= atMs && dueMs < atMs + stoppedMs ? atMs + stoppedMs - dueMs : 0;
      });
      const truth = stallPercentileMs({ share, stoppedMs, lastsMs }) ?? 0;
      expect(Math.abs((percentile(waits, share) ?? Number.NaN) - truth)).toBeLessThanOrEqual(2 * gapMs);
    }),
  );
});

test('at twice what a server can do, half of the visitors of 8 s wait more than 4 s', () => {
  const overload = { ratePerSecond: 400, serviceMs: 5, lastsMs: 8_000 };
  expect(overloadPercentileMs(overload, 0.5)).toBe(1_599 * 2.5 + 5);
  expect(overloadTimeouts(overload, 6_000)).toBe(801);
});

test('the formula of an overload is what request after request gives', () => {
  const anyOverload = fc.record({
    ratePerSecond: fc.integer({ min: 50, max: 1_000 }),
    factor: fc.double({ min: 1.1, max: 5, noNaN: true }),
    lastsMs: fc.integer({ min: 1_000, max: 5_000 }),
    timeoutShare: fc.double({ min: 0.1, max: 2, noNaN: true }),
    share: fc.constantFrom(0.5, 0.9, 0.99),
  });
  fc.assert(
    fc.property(anyOverload, ({ ratePerSecond, factor, lastsMs, timeoutShare, share }) => {
      const overload = { ratePerSecond, lastsMs, serviceMs: (1_000 / ratePerSecond) * factor };
      const timeoutMs = lastsMs * timeoutShare;
      const turns = createTurns({ serves: { kind: 'inTurn', serviceMs: overload.serviceMs } });
      const arrivedUs = evenlyUs(planned(overload), 1e6 / ratePerSecond);
      const tookMs = arrivedUs.map((us) => (turns(us) - us) / 1_000);
      expect(overloadPercentileMs(overload, share)).toBeCloseTo(percentile(tookMs, share) ?? Number.NaN, 3);
      // One lies on the border.
      expect(Math.abs(overloadTimeouts(overload, timeoutMs) - tookMs.filter((ms) => ms > timeoutMs).length)).toBeLessThanOrEqual(1);
    }),
  );
});

test('arrivals like clockwork have no dispersion, whatever the rate', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 3, max: 50 }),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      (perBin, bins, startUs) => {
        const arrivedUs = evenlyUs(perBin * bins, 10_000 / perBin).map((us) => us + startUs);
        expect(dispersion(arrivedUs)).toBeCloseTo(0, 2);
      },
    ),
  );
});

test('a second of quota sent at once, each second, is as dispersed as the quota is large', () => {
  const volleys = Float64Array.from({ length: 8_000 }, (_, i) => Math.floor(i / 1_000) * 1e6 + (i % 1_000));
  expect(dispersion(volleys)).toBeGreaterThan(900);
});

test('two arrivals at most have no shape', () => {
  expect(dispersion([])).toBeUndefined();
  expect(dispersion([5])).toBeUndefined();
});

test('a percentile counts what never came as longer than all', () => {
  expect(percentile([3, Number.NaN, 1, 2], 0.75)).toBe(3);
  expect(percentile([3, Number.NaN, 1, 2], 1)).toBeNaN();
  expect(percentile([], 0.5)).toBeUndefined();
});

test('a percentile is not exceeded by its share, and by no smaller value', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1 }), fc.integer({ min: 1, max: 100 }), (values, percent) => {
      const found = percentile(values, percent / 100) ?? Number.NaN;
      expect(values.filter((value) => value <= found).length * 100).toBeGreaterThanOrEqual(percent * values.length);
      expect(values.filter((value) => value < found).length * 100).toBeLessThan(percent * values.length);
    }),
  );
});

test('the server tells what it took for those it answered, in ms', () => {
  const logged = { arrivedUs: Float64Array.of(1_000, 2_000, 3_000), answeredUs: Float64Array.of(1_500, Number.NaN, 5_000) };
  expect([...servedMs(logged)]).toEqual([0.5, 2]);
});

test('the log alone tells response times: the plan began as late as no arrival contradicts', () => {
  const workload = { ratePerSecond: 1_000, lastsMs: 4 };
  // The first was sent 700 µs late; the third waited for the fourth.
  const logged = {
    arrivedUs: Float64Array.of(10_700, 11_000, 13_000, 13_000),
    answeredUs: Float64Array.of(10_800, 11_100, 13_100, 13_200),
  };
  expect([...(respondedMs(logged, workload) ?? [])].map((ms) => Number(ms.toFixed(6)))).toEqual([0.8, 0.1, 1.1, 0.2]);
});

test('the log tells no response times when not all requests came', () => {
  const logged = { arrivedUs: Float64Array.of(1), answeredUs: Float64Array.of(2) };
  expect(respondedMs(logged, { ratePerSecond: 1_000, lastsMs: 4 })).toBeUndefined();
});
