import { describe, expect, test } from 'vitest';
import { atMost, exactly, isRight, toRead, within } from '../../../../bench/truth/figure.ts';
import { cpuUsPerFurtherRequest, type Result, rowsOf, type Spread, spreadOf, type TruthTable } from '../../../../bench/truth/result.ts';
import { asMarkdown, missedBy, outcomeFor, untriedBy } from '../../../../bench/truth/table.ts';

const one = (value: number): Spread => ({ median: value, low: value, high: value });
const costing = (requests: number, cpuMs: number, rssMb: number) => ({
  cost: { requests: one(requests), cpuMs: one(cpuMs), cpuUsPerRequest: one((cpuMs * 1_000) / requests), rssPeakMb: one(rssMb) },
});
const result = (contestant: string, more: Partial<Result>): Result => ({
  contestant,
  valid: 3,
  invalid: 0,
  failed: [],
  rows: [],
  notes: [],
  ...more,
});
const p99 = (values: number[], byLog?: number) =>
  rowsOf(values.map((said) => [{ name: 'p99', unit: 'ms' as const, said, target: within(920, { by: 10 }), byLog }]));
const tableOf = (scripts: TruthTable['scripts'], contestants = ['ours', 'other']): TruthTable => ({
  header: { machine: '2 × CPU', node: 'v24', date: '2026-01-01', repeats: 3, pingMs: 0.02 },
  contestants: contestants.map((name) => ({ name, version: '1.0.0' })),
  scripts,
});
const lineOf = (markdown: string, start: string) => markdown.split('\n').find((line) => line.startsWith(`| ${start}`)) ?? '';

test('a figure is right only when every valid play had it right', () => {
  const script = {
    name: 'stall',
    about: '',
    results: [result('ours', { rows: p99([921, 922, 950]) }), result('other', { rows: p99([919, 920, 921]) })],
  };
  const line = lineOf(asMarkdown(tableOf([script]), { command: 'x' }), 'p99');
  expect(line).toContain('922 (921 – 950) ✗ 1 of 3');
  expect(line).toContain('920 (919 – 921) ✓');
  expect(missedBy(tableOf([script]), 'ours')).toEqual(['stall: p99']);
  expect(missedBy(tableOf([script]), 'other')).toEqual([]);
});

test('another that is right where the first is wrong, or cheaper, is named', () => {
  const script = {
    name: 'stall',
    about: '',
    results: [
      result('ours', { rows: p99([100]), ...costing(1_000, 50, 90) }),
      result('other', { rows: p99([920]), ...costing(1_000, 20, 100) }),
    ],
  };
  expect(asMarkdown(tableOf([script]), { command: 'x' })).toContain(
    '- other: right in stall p99; less CPU per request in 1 of 1 scripts (in the middle 0.4 of it)\n',
  );
});

test('what the log says stands beside the truth when it is another', () => {
  const table = (byLog: number) => tableOf([{ name: 'stall', about: '', results: [result('ours', { rows: p99([920], byLog) })] }]);
  expect(lineOf(asMarkdown(table(930), { command: 'x' }), 'p99')).toContain('920 ms (log: 930)');
  expect(lineOf(asMarkdown(table(920.01), { command: 'x' }), 'p99')).not.toContain('log');
});

test('a script that cannot be played is told, and is not wrong', () => {
  const table = tableOf([
    { name: 'stall', about: '', results: [result('ours', {}), result('other', { valid: 0, refused: 'knows no ramps' })] },
  ]);
  expect([missedBy(table, 'other'), outcomeFor(table, 'other')]).toEqual([[], 'met']);
  expect(asMarkdown(table, { command: 'x' })).toContain('- other: cannot play this: knows no ramps');
});

test('a play that did not get to its end is missed, however right the others were', () => {
  const failed = ['stampede ended with code 1', 'stampede ended with code 1'];
  const table = tableOf([{ name: 'stall', about: '', results: [result('ours', { valid: 1, failed, rows: p99([920]) })] }]);
  expect([missedBy(table, 'ours'), outcomeFor(table, 'ours')]).toEqual([['stall: failed twice'], 'missed']);
  const markdown = asMarkdown(table, { command: 'x' });
  expect(markdown).toContain('0 of 3.');
  expect(lineOf(markdown, 'repeats valid')).toContain('1, and 2 failed');
  expect(markdown).toContain('- ours: failed twice: stampede ended with code 1\n');
});

describe('a script of which every play', () => {
  const failing = result('ours', { valid: 0, failed: ['gone', 'gone', 'away'] });
  const invalid = result('ours', { valid: 0, invalid: 4 });
  const wrong = result('ours', { rows: p99([100]) });
  const right = result('ours', { rows: p99([920]) });
  test.each<[string, Result[], string, string[]]>([
    ['failed is missed', [failing, right], 'missed', ['one: failed 3 times']],
    ['was invalid is unknown', [invalid, right], 'unknown', []],
    ['was invalid hides nothing that another got wrong', [invalid, wrong], 'missed', ['two: p99']],
    ['failed is not told as unknown beside one that is', [invalid, failing], 'missed', ['two: failed 3 times']],
    ['was right is met', [right, right], 'met', []],
  ])('%s', (_, [one = right, two = right], outcome, missed) => {
    const table = tableOf([
      { name: 'one', about: '', results: [one] },
      { name: 'two', about: '', results: [two] },
    ]);
    expect([outcomeFor(table, 'ours'), missedBy(table, 'ours')]).toEqual([outcome, missed]);
    expect(untriedBy(table, 'ours')).toEqual(one === invalid ? ['one: no valid repeat'] : []);
  });
});

test('invalid repeats, and contestants that are not installed, are in the head', () => {
  const scripts = [{ name: 'stall', about: '', results: [result('ours', { valid: 3, invalid: 2 })] }];
  const table = {
    ...tableOf(scripts),
    contestants: [
      { name: 'ours', version: '1.0.0' },
      { name: 'oha', version: undefined },
    ],
  };
  const markdown = asMarkdown(table, { command: 'x' });
  expect(markdown).toContain('2 of 5');
  expect(markdown).toContain('Not installed here: oha.');
});

test('who does not tell what is asked for has missed it', () => {
  const rows = rowsOf([[{ name: 'lag p99', unit: 'ms', said: undefined, target: atMost(1) }]]);
  expect(missedBy(tableOf([{ name: 'uniform', about: '', results: [result('ours', { rows })] }]), 'ours')).toEqual(['uniform: lag p99']);
});

test('who keeps no rate has no cost of a further request', () => {
  const scripts = ['floor', 'uniform'].map((name) => ({ name, about: '', results: [result('ours', costing(1_000_000, 6_000, 1))] }));
  expect(cpuUsPerFurtherRequest({ scripts }, 'ours')).toBeUndefined();
});

test('one more request costs what two rates differ by, whatever starting costs', () => {
  const scripts = [
    { name: 'floor', about: '', results: [result('ours', costing(4_000, 900, 1))] },
    { name: 'uniform', about: '', results: [result('ours', costing(16_000, 1_500, 1))] },
  ];
  expect(cpuUsPerFurtherRequest({ scripts }, 'ours')).toBe(50);
  expect(cpuUsPerFurtherRequest({ scripts: scripts.slice(1) }, 'ours')).toBeUndefined();
});

test('the middle of an even number of plays lies between the two in the middle', () => {
  expect(spreadOf([4, undefined, 1, 3, 2])).toEqual({ median: 2.5, low: 1, high: 4 });
  expect(spreadOf([undefined])).toBeUndefined();
});

test('a figure that nobody told, or is held to, is neither right nor wrong', () => {
  expect(isRight({ said: undefined, target: exactly(1) })).toBeUndefined();
  expect(isRight({ said: 5, target: toRead(1) })).toBeUndefined();
  expect(isRight({ said: 0.3, target: atMost(0.2) })).toBe(false);
});
