import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { Live } from '../../../reports/console.ts';
import { liveLine, verdictTable } from '../../../reports/console.ts';
import { sampleRecord } from '../../support/records/sample.ts';

const record = sampleRecord();
const live: Live = {
  phase: 'rush',
  elapsedMs: 42_000,
  totalMs: 90_000,
  plannedPerSecond: 1_512,
  answeredPerSecond: 1_498,
  inFlight: 81,
  latencyMs: { p50: 31.23, p99: 412.7 },
  outcomes: { ok: 300, limited: 1, shed: 120, degraded: 30, timeout: 3 },
  faults: ['orders->payment: slowed by 1s ± 200ms'],
};

test('tells every expectation with its mark under its phase', () => {
  const table = verdictTable(record, { colour: false, width: 200 });
  expect(table.match(/^\S.*$/gm)?.slice(0, 4)).toEqual(['before', 'rush', 'after', 'always']);
  expect(table).toMatch(/✓ the p95 of checkout is below 250ms +96\.4 ms/);
  expect(table).toMatch(/✗ the p95 of checkout is within 1\.5 times that of before +1\.7 times/);
  expect(table).toMatch(/\? 99% of the traces of checkout are complete +no spans/);
});

test('tells every sentence and what was observed in full, one below the other where there is no room beside', () => {
  const table = verdictTable(record, { colour: false, width: 60 }).replaceAll(/\s+/g, ' ');
  for (const { sentence, observed } of record.verdicts) expect(table).toContain(`${sentence} ${observed}`);
});

test('ends with the outcome, why, and where the report is', () => {
  const table = verdictTable(record, { colour: false, width: 200, report: 'runs/flash-sale/report.html' });
  expect(table.trimEnd().split('\n').at(-1)).toBe('  runs/flash-sale/report.html');
  expect(table.replaceAll(/\s+/g, ' ')).toContain(`✗ flash sale: missed. ${record.why}`);
});

test('calls a run of unknown outcome inconclusive', () => {
  expect(verdictTable({ ...record, outcome: 'unknown' }, { colour: false, width: 100 })).toContain('? flash sale: inconclusive.');
});

test.each([20, 40, 60, 80, 120, 200])('keeps every line of the verdicts within %d columns', (width) => {
  for (const line of verdictTable(record, { colour: true, width }).split('\n')) {
    expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(width);
  }
});

test('says the same with colour and without', () => {
  expect(stripVTControlCharacters(verdictTable(record, { colour: true, width: 100 })).replaceAll(/ +$/gm, '')).toBe(
    verdictTable(record, { colour: false, width: 100 }),
  );
});

test('tells a second of the run on one line, the commonest troubles first', () => {
  expect(liveLine(live, { colour: false, width: 200 })).toBe(
    'rush · 0:42/1:30 · 1,498 of 1,512/s · p50 31.2 ms · p99 413 ms · 81 in flight · shed 120 · degraded 30 · timeout 3 · ! orders->payment: slowed by 1s ± 200ms',
  );
});

test.each([1, 5, 20, 40, 80, 120])('keeps the live line within %d columns by leaving out what matters least', (width) => {
  const line = stripVTControlCharacters(liveLine(live, { colour: true, width }));
  expect(line.length).toBeLessThanOrEqual(width);
  expect('rush'.startsWith(line.slice(0, 4))).toBe(true);
});

test('shows a dash while nothing was answered', () => {
  const { latencyMs: _, ...silent } = live;
  expect(liveLine({ ...silent, answeredPerSecond: 0, outcomes: {} }, { colour: false, width: 200 })).toContain('p50 – · p99 –');
});
