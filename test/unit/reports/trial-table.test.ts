import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { type TrialRow, trialLine, trialTable } from '../../../reports/trial-table.ts';
import { displayWidth } from '../../../reports/width.ts';

const sentence = '95% of served checkout requests finish within 250ms';
const row = (number: number, ratePerSecond: number, outcome: TrialRow['outcome']): TrialRow => ({
  ...{ number, ratePerSecond, outcome, lastedMs: 8_000, failedShare: outcome === 'missed' ? 0.034 : 0 },
  latencyMs: { route: 'checkout', p50: 12.3, p99: 180 },
  verdicts: [
    {
      sentence,
      outcome,
      observed: '141 ms over 320 requests',
      percentile: { quantile: 0.95, ms: 141 },
      intervalMs: { from: 132, to: 155 },
    },
  ],
});
const search = {
  trials: [
    row(1, 40, 'met'),
    row(2, 1_280, 'missed'),
    row(3, 640, 'undecided'),
    { ...row(4, 640, 'unknown'), verdicts: [{ sentence, outcome: 'unknown' as const, observed: 'late' }] },
  ],
  outcome: 'met' as const,
  why: '412/s (met 3 of 3; 433/s missed 2 of 3, met 1)',
};

test('tells every trial on a line of its own and the answer below', () => {
  expect(trialTable({ ...search, file: 'runs/capacity/search.json' }, { colour: false, width: 200 })).toBe(`
#     rate  for      p50     p95         interval  failed  verdict
1     40/s  8 s  12.3 ms  141 ms  132 ms – 155 ms      0%  ✓ met
2  1,280/s  8 s  12.3 ms  141 ms  132 ms – 155 ms    3.4%  ✗ missed     ${sentence}: 141 ms over 320 requests
3    640/s  8 s  12.3 ms  141 ms  132 ms – 155 ms      0%  ~ undecided  ${sentence}: 141 ms over 320 requests
4    640/s  8 s  12.3 ms       –                –      0%  ? unknown    ${sentence}: late

✓ 412/s (met 3 of 3; 433/s missed 2 of 3, met 1)
  runs/capacity/search.json
`);
});

test.each([40, 80, 120])('keeps every line of the trials within %d columns', (width) => {
  const lines = stripVTControlCharacters(trialTable(search, { colour: true, width }))
    .split('\n')
    .slice(0, -3);
  for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
});

test('leaves the reasons out where hardly a word of them would fit', () => {
  const missedAt = (width: number) => trialTable(search, { colour: false, width }).split('\n')[3];
  expect(missedAt(80)).toBe('2  1,280/s  8 s  12.3 ms  141 ms  132 ms – 155 ms    3.4%  ✗ missed');
  expect(missedAt(100)).toBe('2  1,280/s  8 s  12.3 ms  141 ms  132 ms – 155 ms    3.4%  ✗ missed     95% of served checkout requ…');
});

test('tells one trial on one line while the search goes on, with the reason where it did not meet', () => {
  expect(trialLine(row(1, 40, 'met'))).toBe('40/s: ✓ met · p50 12.3 ms · p95 141 ms · 0% failed');
  expect(trialLine(row(2, 1_280, 'missed'))).toContain(`1,280/s: ✗ missed (${sentence}: 141 ms over 320 requests) · p50`);
});

test('the interval is of the percentile beside it, the first that was asked for', () => {
  const [first, errors, second] = [
    { sentence: 'a', outcome: 'met' as const, observed: '', percentile: { quantile: 0.99, ms: 97 }, intervalMs: { from: 90, to: 110 } },
    { sentence: 'b', outcome: 'met' as const, observed: '' },
    { sentence: 'c', outcome: 'met' as const, observed: '', percentile: { quantile: 0.5, ms: 7 }, intervalMs: { from: 6, to: 8 } },
  ];
  const line = (verdicts: TrialRow['verdicts']) =>
    trialTable({ ...search, trials: [{ ...row(1, 40, 'met'), verdicts }] }, { colour: false, width: 120 })
      .split('\n')
      .slice(1, 3);
  expect(line([errors, first, second])).toEqual([
    '#  rate  for      p50    p99        interval  failed  verdict',
    '1  40/s  8 s  12.3 ms  97 ms  90 ms – 110 ms      0%  ✓ met',
  ]);
  expect(line([second])).toEqual(['#  rate  for   p50     interval  failed  verdict', '1  40/s  8 s  7 ms  6 ms – 8 ms      0%  ✓ met']);
  expect(line([errors])).toEqual(['#  rate  for      p50     p99  failed  verdict', '1  40/s  8 s  12.3 ms  180 ms      0%  ✓ met']);
});

test('what a trial observed moves no cursor', () => {
  const trial = { ...row(1, 40, 'missed'), verdicts: [{ sentence: 'a\u001b[2J', outcome: 'missed' as const, observed: 'b\nc' }] };
  const table = trialTable({ ...search, trials: [trial], why: 'd\u0007' }, { colour: false, width: 120 });
  expect(table).toContain('a [2J: b c');
  expect(table).toContain('\n✓ d \n');
  expect(trialLine(trial)).toContain('(a [2J: b c)');
});
