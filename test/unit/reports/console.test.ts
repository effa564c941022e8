import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { verdictTable } from '../../../reports/console.ts';
import { sampleRecord } from '../../support/records/sample.ts';

const record = sampleRecord();

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

test('tells how the load went: what was sent, how late the generator was, and how long the machine paused', () => {
  const of = (change: Partial<typeof record.generator>) =>
    verdictTable(
      { ...record, generator: { ...record.generator, planned: 100, sent: 100, dropped: 0, ...change } },
      { colour: false, width: 140 },
    );
  expect(of({})).toContain('\nLoad: 100 of 100 requests sent, generator lag 1.87 ms at p99, longest hiccup 96.3 ms\n');
  expect(of({ sent: 93, dropped: 7 })).toContain('Load: 93 of 100 requests sent, 7 dropped, ');
  expect(of({ stumbles: { count: 3, first: 'no seat' } })).toContain('3 visits ended because the journey threw');
});

test('tells of the load of an older record what it knows', () => {
  const { ground: _, ...older } = record;
  const { stumbles: __, ...generator } = record.generator;
  expect(verdictTable({ ...older, generator }, { colour: false, width: 140 })).toMatch(/^Load: .*, generator lag 1\.87 ms at p99$/m);
});
