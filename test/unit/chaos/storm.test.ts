import fc from 'fast-check';
import { expect, test } from 'vitest';
import { storm } from '../../../chaos/storm.ts';
import { toMs } from '../../../core/units.ts';
import { checkFault } from '../../../harness/check-fault.ts';
import { defaultReplicas } from '../../../system/topology.ts';

const edges = ['orders->payment', 'user->redis', 'product->mysql'] as const;

test('the same seed gives the same faults, another seed others', () => {
  const of = (seed: number) => storm({ seed, edges, rate: '1/s', lasts: '30s' });
  expect(of(7)).toEqual(of(7));
  expect(of(8)).not.toEqual(of(7));
});

test('every fault of every storm is a valid one, begins in it and ends in it', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      for (const fault of storm({ seed, edges, rate: '2/s', lasts: '20s', from: '5s' })) {
        checkFault(fault, { lastsMs: 25_000, replicas: defaultReplicas });
        expect(edges).toContain(fault.edge);
        const [fromMs, lastsMs] = [toMs(fault.from ?? '0ms'), toMs(fault.lasts ?? '0ms')];
        expect(fromMs).toBeGreaterThanOrEqual(5_000);
        expect(fromMs + lastsMs).toBeLessThanOrEqual(25_000);
        expect(lastsMs).toBeGreaterThan(0);
      }
    }),
    { numRuns: 100 },
  );
});

test('they come as often as is asked for, of every kind and on every edge', () => {
  const storms = Array.from({ length: 50 }, (_, seed) => storm({ seed, edges, rate: '0.5/s', lasts: '60s' }));
  const mean = storms.reduce((sum, faults) => sum + faults.length, 0) / storms.length;
  // A Poisson process of 30 a storm: its mean over 50 storms is off by more than 4 once in ten million draws.
  expect(Math.abs(mean - 30)).toBeLessThan(4);
  const all = storms.flat();
  expect([...new Set(all.map(({ kind }) => kind))].sort()).toEqual([
    'blackHole',
    'closeAfter',
    'cut',
    'reset',
    'silent',
    'slice',
    'slow',
    'slowClose',
    'throttle',
  ]);
  expect(new Set(all.map(({ edge }) => edge)).size).toBe(edges.length);
});

test('a storm without a rate or an edge is refused', () => {
  expect(() => storm({ seed: 1, edges: [] as never, rate: '1/s', lasts: '10s' })).toThrow('Expected a storm to have edges, got none');
  expect(() => storm({ seed: 1, edges, rate: '0/s', lasts: '10s' })).toThrow("Expected a storm to have a rate above 0, got '0/s'");
  expect(() => storm({ seed: 1, edges, rate: '0.5x', lasts: '10s' })).toThrow('multiple of the capacity');
});

test('a storm beyond what a record can hold is refused before it is drawn', () => {
  expect(storm({ seed: 1, edges, rate: '10/s', lasts: '100s' }).length).toBeGreaterThan(800);
  expect(() => storm({ seed: 1, edges, rate: '10.1/s', lasts: '100s' })).toThrow('at most 1000 faults');
  expect(() => storm({ seed: 1, edges, rate: '1000000000/s', lasts: '60m' })).toThrow(
    "Expected a storm of at most 1000 faults, got '1000000000/s' for 60m",
  );
});
