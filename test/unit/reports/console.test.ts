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

test('what was told or observed moves no cursor', () => {
  const verdicts = record.verdicts.map((verdict) => ({ ...verdict, observed: 'a\u001b[2Jb' }));
  const table = verdictTable({ ...record, verdicts, why: 'c\u0007' }, { colour: false, width: 100 });
  expect(table).toContain('a [2Jb');
  expect(table).not.toMatch(/(?!\n)\p{Cc}/u);
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
  expect(of({ stumbles: { count: 1, first: 'no seat' } })).toContain('1 visit ended because the journey threw');
});

test('tells where the load went, and what was set of its visitors', () => {
  const table = verdictTable(
    { ...record, target: { address: 'grpc://127.0.0.1:50051', proto: ['shop.proto'] }, visitors: 'time limit 30 s, 2 threads' },
    { colour: false, width: 200 },
  ).replaceAll(/\s+/g, ' ');
  expect(table).toMatch(/ Load on grpc:\/\/127\.0\.0\.1:50051: [\d,]+ of .*, visitors: time limit 30 s, 2 threads /);
});

test('tells why requests failed that no verdict tells of, each outcome in a line, and of no refusal by design', () => {
  const requests = (['ok', 'shed', 'failed', 'refused'] as const).flatMap((outcome) =>
    ['rush', 'before'].map((phase) => ({
      phase,
      route: 'view',
      outcome,
      count: 1_000,
      histogram: '',
      firstReason: `${outcome} in ${phase}`,
    })),
  );
  const linesOf = (verdicts: typeof record.verdicts) =>
    verdictTable({ ...record, requests, verdicts }, { colour: false, width: 200 }).match(/^[\d,]+ .*first .*$/gm);
  const failed = "2,000 failed, first view in 'before': failed in before";
  const refused = "2,000 refused, first view in 'before': refused in before";
  expect(linesOf(record.verdicts)).toEqual([failed, refused]);
  const told = { phase: 'before', sentence: 'few fail', outcome: 'missed', observed: '9% (first: failed in before)' } as const;
  expect(linesOf([told])).toEqual([refused]);
});

test('tells of the load of an older record what it knows', () => {
  const { ground: _, ...older } = record;
  const { stumbles: __, ...generator } = record.generator;
  expect(verdictTable({ ...older, generator }, { colour: false, width: 140 })).toMatch(/^Load: .*, generator lag 1\.87 ms at p99$/m);
});
