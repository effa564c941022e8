import { expect, test } from 'vitest';
import { formatBytes, formatCount, formatMoment, formatMs, formatShare } from '../../../reports/format.ts';

test.each([
  [0, '0'],
  [2.54, '2.5'],
  [59.2, '59'],
  [1_234.4, '1,234'],
])('the count %d reads %s', (value, text) => expect(formatCount(value)).toBe(text));

test.each([
  [0, '0 ms'],
  [0.4213, '0.42 ms'],
  [12.34, '12.3 ms'],
  [99.97, '100 ms'],
  [999.4, '999 ms'],
  [999.6, '1 s'],
  [1_254, '1.25 s'],
  [90_000, '90 s'],
  [119_700, '2 min 0 s'],
  [125_000, '2 min 5 s'],
])('%d milliseconds read %s', (ms, text) => expect(formatMs(ms)).toBe(text));

test.each([
  [0, '0%'],
  [0.0001, '<0.1%'],
  [0.123, '12.3%'],
  [0.99996, '>99.9%'],
  [1, '100%'],
])('the share %d reads %s, so that almost is never all', (share, text) => expect(formatShare(share)).toBe(text));

test.each([
  [0, '0:00'],
  [65_400, '1:05'],
  [-3_000, '-0:03'],
  [-200, '0:00'],
])('%d ms on the timeline read %s', (ms, text) => expect(formatMoment(ms)).toBe(text));

test('memory reads in gigabytes, less than one in megabytes', () => {
  expect(formatBytes(8 * 2 ** 30)).toBe('8 GB');
  expect(formatBytes(7.75 * 2 ** 30)).toBe('7.8 GB');
  expect(formatBytes(512 * 2 ** 20)).toBe('512 MB');
});
