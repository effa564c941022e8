import * as hdr from 'hdr-histogram-js';
import { expect, test } from 'vitest';
import type { RequestOutcome, RequestRow } from '../../../../harness/record.ts';
import { servedDistribution } from '../../../../reports/html/distribution.ts';

test('merges what was served, ok and degraded, and nothing else', () => {
  const served = servedDistribution([row('ok', [10, 20]), row('degraded', [30, 40]), row('shed', [1, 1, 1, 1, 1])]);
  expect(served?.count).toBe(4);
  expect(served?.maxMs).toBeCloseTo(40, 1);
  expect(served?.atShare(0.5)).toBeCloseTo(20, 1);
  expect(served?.atShare(1)).toBeLessThanOrEqual(served?.maxMs ?? 0);
});

test('is undefined where nothing was served, also where a histogram is empty or missing', () => {
  expect(servedDistribution([])).toBeUndefined();
  expect(servedDistribution([row('ok', []), { ...row('ok', []), histogram: '' }, row('timeout', [9])])).toBeUndefined();
});

function row(outcome: RequestOutcome, latenciesMs: number[]): RequestRow {
  const histogram = hdr.build();
  for (const ms of latenciesMs) histogram.recordValue(ms * 1_000);
  return { phase: 'rush', route: 'view', outcome, count: latenciesMs.length, histogram: hdr.encodeIntoCompressedBase64(histogram) };
}
