import { expect, test } from 'vitest';
import type { RequestOutcome, RequestRow, RunRecord } from '../../../../harness/record.ts';
import { newHistogram, percentilesOf, toBase64 } from '../../../../harness/recording.ts';
import { percentilesSection } from '../../../../reports/html/percentiles.ts';
import { sampleRecord } from '../../../support/records/sample.ts';

const record = sampleRecord();

test('tells response, service, first byte and queue of a route and phase in one row', () => {
  const rows = [row('ok', { responseMs: 12, serviceMs: 10, firstByteMs: 6, queueMs: 1.5, count: 1_000 })];
  expect(cellsOf({ ...record, requests: rows }, 'before')).toEqual([
    ...['1,000', '100%', '12 ms', '12 ms', '12 ms', '12 ms', '12 ms', '12 ms'],
    ...['10 ms', '10 ms', '6 ms', '6 ms', '1.5 ms', 'ok 1,000'],
  ]);
});

test('tells the lag of each phase once, whatever the route: that of its worst second', () => {
  const ground = [point(0, 0.4), point(29_000, 0.6), point(30_000, 80)];
  expect(textOf({ ...record, ground })).toContain('p99 of its worst second: before 0.6 ms · rush 80 ms.');
  expect(textOf(record)).toContain('own fault (p99 of the run 1.87 ms)');
});

test('tells why the first request of an outcome ended so, beside its count and beside its times', () => {
  const rows = [
    row('ok', { responseMs: 12, count: 3 }),
    { ...row('failed', { responseMs: 3, count: 5 }), firstReason: 'expected <b>one</b> host' },
    { ...row('limited', { responseMs: 3, count: 2 }), firstReason: 'status 429' },
  ];
  expect(cellsOf({ ...record, requests: rows }, 'before').at(-1)).toBe(
    'ok 3 · limited 2 · failed 5first failed: expected &lt;b&gt;one&lt;/b&gt; host',
  );
  expect(textOf({ ...record, requests: rows })).toMatch(/browse, before, limited 2 .* – status 429 /);
  expect(textOf(record)).not.toContain('first reason');
});

test('says of a percentile among the given up that it is at least the limit, and of one below what it is', () => {
  const rows = [row('ok', { responseMs: 12, serviceMs: 10, queueMs: 1, count: 97 }), row('timeout', { responseMs: 5_010, count: 3 })];
  const [, , p50, p90, p95, p99, p999, max] = cellsOf({ ...record, requests: rows }, 'before');
  expect([p50, p90, p95, p99, p999, max]).toEqual(['12 ms', '12 ms', '12 ms', '≥ 5 s', '≥ 5 s', '≥ 5 s']);
});

test('names the outcome whose service times it tells where others were awaited, too', () => {
  const one = [row('ok', { responseMs: 12, serviceMs: 10, queueMs: 1, count: 50 })];
  const more = [...one, row('degraded', { responseMs: 20, serviceMs: 18, queueMs: 1, count: 70 })];
  expect(cellsOf({ ...record, requests: one }, 'before')[8]).toBe('10 ms');
  expect(cellsOf({ ...record, requests: more }, 'before')[8]).toBe('18 msof degraded');
});

test('reads a record from before there were service times, lag by the second, and a limit', () => {
  const { timeoutMs: _, ...generator } = record.generator;
  const { ground: __, ...older } = record;
  const rows = [row('ok', { responseMs: 12, count: 10 }), row('timeout', { responseMs: 1_020, count: 10 })];
  const cells = cellsOf({ ...older, generator, requests: rows }, 'before');
  expect(cells.slice(2, 4)).toEqual(['12 ms', '≥ 1.02 s']);
  expect(cells.slice(8, 13)).toEqual(['–of ok', '–', '–', '–', '–']);
  expect(textOf({ ...older, generator, requests: rows })).not.toContain('worst second');
});

test('tells the first byte of those whose service it tells, and nothing where no byte came', () => {
  const silent = row('ok', { responseMs: 12, serviceMs: 10, queueMs: 1, count: 50 });
  const degraded = row('degraded', { responseMs: 20, serviceMs: 18, firstByteMs: 6, queueMs: 1, count: 70 });
  expect(cellsOf({ ...record, requests: [silent] }, 'before').slice(8, 13)).toEqual(['10 ms', '10 ms', '–', '–', '1 ms']);
  expect(cellsOf({ ...record, requests: [silent, degraded] }, 'before').slice(10, 12)).toEqual(['6 ms', '6 ms']);
});

test('says of a first byte that came to a visitor who gave up later when it came', () => {
  const rows = [row('timeout', { responseMs: 5_000, serviceMs: 4_990, firstByteMs: 6, queueMs: 8, count: 3 })];
  expect(textOf({ ...record, requests: rows })).toMatch(/browse, before, timeout 3( ≥ 5 s){8} 6 ms 6 ms 8\.0\d ms/);
});

test('has as many cells in every row of a table as its head has columns', () => {
  const older = record.requests.map(({ firstByteMs: _, ...rest }) => rest);
  const reasoned = record.requests.map((row, index) => (index === 0 ? { ...row, firstReason: 'status 500' } : row));
  for (const requests of [record.requests, older, reasoned]) {
    const { markup = '' } = percentilesSection({ ...record, requests }) ?? {};
    for (const [table] of markup.matchAll(/<table.*?<\/table>/gs)) {
      const widths = [...table.matchAll(/<tr.*?<\/tr>/gs)].map(([line]) =>
        [...line.matchAll(/<t[dh]\b([^>]*)>/g)].reduce((sum, [, how = '']) => sum + Number(/colspan="(\d+)"/.exec(how)?.[1] ?? 1), 0),
      );
      expect(new Set(widths).size).toBe(1);
    }
  }
});

test('tells of each outcome all that is known, of a timeout no more than that it took at least so long', () => {
  const rows = [row('timeout', { responseMs: 5_000, serviceMs: 4_990, queueMs: 8, count: 3 }), row('dropped', { count: 2 })];
  const text = textOf({ ...record, requests: rows });
  expect(text).toMatch(/browse, before, timeout 3( ≥ 5 s){8} – – 8\.0\d ms/);
  expect(text).toMatch(/browse, before, dropped 2( –){11}/);
});

test('draws no curve for a route that nobody was served on', () => {
  const rows = [row('ok', { responseMs: 12, count: 5 }), { ...row('failed', { responseMs: 3, count: 5 }), route: 'view' }];
  const { markup = '' } = percentilesSection({ ...record, requests: rows }) ?? {};
  expect([...markup.matchAll(/<figcaption>(.*?)<\/figcaption>/g)].map(([, route]) => route)).toEqual(['browse']);
});

test('is left out where nobody asked for anything', () => {
  expect(percentilesSection({ ...record, requests: [] })).toBeUndefined();
});

test.each([
  [99, 4],
  [100, 3],
  [1_000, 1],
  [10_000, 0],
])('of %d requests marks %d of p90, p95, p99 and p99.9 as thin', (count, thin) => {
  const { markup = '' } = percentilesSection({ ...record, requests: [row('ok', { responseMs: 1, count })] }) ?? {};
  expect(markup.match(/<td class="thin">/g) ?? []).toHaveLength(thin);
});

type Times = { responseMs?: number; serviceMs?: number; firstByteMs?: number; queueMs?: number };

function row(outcome: RequestOutcome, of: Times & { count: number }): RequestRow {
  const counted = (ms: number | undefined) => {
    const histogram = newHistogram();
    if (ms !== undefined) histogram.recordValueWithCount(ms * 1_000, of.count);
    return histogram;
  };
  const times = [of.responseMs, of.serviceMs, of.firstByteMs, of.queueMs].map((ms) => percentilesOf(counted(ms)));
  const [latencyMs, serviceMs, firstByteMs, queueMs] = times;
  return {
    ...{ phase: 'before', route: 'browse', outcome, count: of.count, histogram: toBase64(counted(of.responseMs)) },
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(serviceMs === undefined ? {} : { serviceMs }),
    ...(firstByteMs === undefined ? {} : { firstByteMs }),
    ...(queueMs === undefined ? {} : { queueMs }),
  };
}

const point = (atMs: number, lagMsP99: number) => ({
  ...{ atMs, lagMsP99, lagMsMax: lagMsP99 },
  ...{ hiccupMsP99: 0.1, hiccupMsMax: 0.2, loopUtilization: 0.1 },
});

/** The texts of the cells of a phase's first row. */
function cellsOf(of: RunRecord, phase: string): string[] {
  const { markup = '' } = percentilesSection(of) ?? {};
  const cells = new RegExp(`<th scope="row">${phase}</th>(.*?)</tr>`, 's').exec(markup)?.[1] ?? '';
  return [...cells.matchAll(/<td[^>]*>(.*?)<\/td>/gs)].map(([, cell = '']) => cell.replaceAll(/<[^>]*>/g, '').trim());
}

const textOf = (of: RunRecord) => (percentilesSection(of)?.markup ?? '').replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
