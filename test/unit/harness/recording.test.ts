import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HistogramLogReader } from 'hdr-histogram-js';
import { expect, onTestFinished, test } from 'vitest';
import { bucketOf } from '../../../core/histogram.ts';
import { fromHistogram } from '../../../harness/drivers/ledger/ledger.ts';
import {
  fromBase64,
  histogramOf,
  msAtPercentile,
  newHistogram,
  outcomesOf,
  paceOf,
  percentilesOf,
  type Recording,
  toBase64,
  writeHlog,
} from '../../../harness/recording.ts';

const histogram = (...valuesMs: number[]) => {
  const filled = newHistogram();
  for (const ms of valuesMs) filled.recordValue(ms * 1_000);
  return toBase64(filled);
};

const parts = { service: histogram(), firstByte: histogram(), queue: histogram() };

const recording: Recording = {
  startMs: 1_700_000_000_000,
  routes: ['browse', 'view', 'checkout'],
  phases: [
    { name: 'before', fromMs: 0, untilMs: 2_000, intended: 4, shoppers: 4, planned: 4, sent: 4, dropped: 0, lag: histogram(1) },
    { name: 'rush', fromMs: 2_000, untilMs: 3_000, intended: 3, shoppers: 3, planned: 3, sent: 2, dropped: 1, lag: histogram(9) },
  ],
  totals: [
    { phase: 'before', route: 'browse', outcome: 'ok', count: 3, histogram: histogram(10, 20, 30), ...parts },
    { phase: 'before', route: 'view', outcome: 'shed', count: 1, histogram: histogram(2), ...parts },
    { phase: 'rush', route: 'browse', outcome: 'ok', count: 2, histogram: histogram(400, 800), ...parts },
    { phase: 'rush', route: 'browse', outcome: 'dropped', count: 1, histogram: histogram(), ...parts },
  ],
  seconds: [
    { phase: 'before', route: 'browse', outcome: 'ok', atMs: 0, count: 1, histogram: histogram(10) },
    { phase: 'before', route: 'browse', outcome: 'ok', atMs: 1_000, count: 2, histogram: histogram(20, 30) },
    { phase: 'before', route: 'view', outcome: 'shed', atMs: 1_000, count: 1, histogram: histogram(2) },
    { phase: 'rush', route: 'browse', outcome: 'ok', atMs: 2_000, count: 2, histogram: histogram(400, 800) },
    { phase: 'rush', route: 'browse', outcome: 'dropped', atMs: 2_000, count: 1, histogram: histogram() },
  ],
  pace: [
    { phase: 'before', atMs: 0, planned: 1, sent: 1, dropped: 0, lag: histogram(1) },
    { phase: 'before', atMs: 1_000, planned: 3, sent: 3, dropped: 0, lag: histogram(2) },
    { phase: 'rush', atMs: 2_000, planned: 3, sent: 2, dropped: 1, lag: histogram(9) },
  ],
  checkouts: { kept: [], overflow: 0 },
  ground: [],
  repeated: { asked: 0, count: 0, different: 0 },
  exemplars: [],
  generator: {
    threads: 1,
    peakInFlight: 1,
    peakConnections: 1,
    priorityRaised: false,
    cpuMs: 1,
    timeoutMs: 5_000,
    stumbles: { count: 0 },
  },
};

test.each([
  [{}, 6, 800],
  [{ phase: 'before' }, 4, 30],
  [{ route: 'browse' as const }, 5, 800],
  [{ outcomes: ['ok' as const, 'degraded' as const], phase: 'before' }, 3, 30],
  [{ fromMs: 1_000, untilMs: 2_000 }, 3, 30],
  [{ fromMs: 1_000, route: 'browse' as const }, 4, 800],
  [{ untilMs: 1_000 }, 1, 10],
])('the selection %o holds %i answers, the slowest of %i ms', (selection, count, maxMs) => {
  const selected = histogramOf(recording, selection);
  expect(selected.totalCount).toBe(count);
  expect(percentilesOf(selected)?.max ?? 0).toBeGreaterThan(0.996 * maxMs);
  expect(percentilesOf(selected)?.max ?? 0).toBeLessThan(1.004 * maxMs);
});

test('outcomes are counted, also those that never got an answer', () => {
  expect(outcomesOf(recording)).toEqual({ ok: 5, shed: 1, dropped: 1 });
  expect(outcomesOf(recording, { phase: 'rush' })).toEqual({ ok: 2, dropped: 1 });
  expect(outcomesOf(recording, { fromMs: 3_000 })).toEqual({});
});

test('the pace of a phase, of a window and of the whole', () => {
  const counts = (selection: Parameters<typeof paceOf>[1]) => {
    const { planned, sent, dropped, lag } = paceOf(recording, selection);
    return [planned, sent, dropped, lag.totalCount];
  };
  expect(counts({})).toEqual([7, 6, 1, 2]);
  expect(counts({ phase: 'rush' })).toEqual([3, 2, 1, 1]);
  expect(counts({ fromMs: 1_000, untilMs: 2_000 })).toEqual([3, 3, 0, 1]);
});

test('percentiles are milliseconds, from the middle of their buckets', () => {
  const filled = newHistogram();
  for (let ms = 1; ms <= 1_000; ms++) filled.recordValue(ms * 1_000);
  const { p50, p90, p99, max } = percentilesOf(filled) ?? { p50: 0, p90: 0, p99: 0, max: 0 };
  expect(p50 / 500).toBeCloseTo(1, 2);
  expect(p90 / 900).toBeCloseTo(1, 2);
  expect(p99 / 990).toBeCloseTo(1, 2);
  expect(max / 1_000).toBeCloseTo(1, 2);
  expect(msAtPercentile(filled, 100)).toBe(max);
  expect(percentilesOf(newHistogram())).toBeUndefined();
});

test('histograms of different range merge exactly', () => {
  const long = newHistogram();
  long.recordValue(50_000_000);
  const short = newHistogram();
  short.recordValue(5);
  short.add(long);
  expect(short.totalCount).toBe(2);
  expect(short.getValueAtPercentile(50)).toBe(5);
  const [at5, at50M] = [5, 50_000_000].map((us) => bucketOf(us));
  expect([...fromHistogram(short).entries()].filter(([, times]) => times > 0)).toEqual([
    [at5, 1],
    [at50M, 1],
  ]);
});

test('a histogram survives its journey as text', () => {
  const copy = fromBase64(histogram(1, 2, 3, 40_000));
  expect(copy.totalCount).toBe(4);
  expect(percentilesOf(copy)?.p50).toBeCloseTo(2, 2);
  expect(toBase64(copy)).toBe(histogram(1, 2, 3, 40_000));
  expect(fromBase64(histogram()).totalCount).toBe(0);
});

test('the log has a file for each route, which its own reader understands', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hlog-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const files = await writeHlog(folder, recording);
  expect(files).toEqual(['browse', 'view', 'checkout'].map((route) => join(folder, `${route}.hlog`)));

  const reader = new HistogramLogReader(await readFile(join(folder, 'browse.hlog'), 'utf8'));
  const intervals = [];
  for (let interval = reader.nextIntervalHistogram(); interval !== null; interval = reader.nextIntervalHistogram())
    intervals.push(interval);
  expect(intervals.map(({ tag, totalCount }) => [tag, totalCount])).toEqual([
    ['ok', 1],
    ['ok', 2],
    ['ok', 2],
    ['dropped', 0],
  ]);
});
