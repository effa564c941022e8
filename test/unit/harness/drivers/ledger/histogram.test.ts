import fc from 'fast-check';
import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { expect, test } from 'vitest';
import { bucketCount, bucketOf, longestUs } from '../../../../../core/histogram.ts';
import {
  createLedgerReader,
  createLedgerWriter,
  fromHistogram,
  histogramOfRow,
  type LedgerMessage,
  measure,
  toHistogram,
} from '../../../../../harness/drivers/ledger/ledger.ts';

const times = fc.array(fc.oneof(fc.integer({ min: 0, max: longestUs }), fc.integer({ min: 0, max: 2_000 })), { maxLength: 200 });
const percentiles = [0, 1, 50, 90, 95, 99, 99.9, 100];

test('counts survive the way into a histogram, into text, and back', () => {
  fc.assert(
    fc.property(times, (values) => {
      const counts = countsOf(values);
      const histogram = toHistogram(counts);
      expect(histogram.totalCount).toBe(values.length);
      expect(fromHistogram(histogram)).toEqual(counts);
      expect(fromHistogram(decodeFromCompressedBase64(encodeIntoCompressedBase64(histogram)))).toEqual(counts);
    }),
  );
});

test('a row becomes the histogram that its values would have made', () => {
  fc.assert(
    fc.property(times, (values) => {
      fc.pre(values.length > 0);
      const theirs = build({ numberOfSignificantValueDigits: 2, autoResize: true });
      for (const us of values) theirs.recordValue(us);
      const [row] = rowsOf(values);
      const ours = row === undefined ? undefined : histogramOfRow(row);
      expect(ours?.totalCount).toBe(values.length);
      expect(ours?.maxValue).toBe(theirs.maxValue);
      expect(ours?.mean).toBe(theirs.mean);
      expect(percentiles.map((at) => ours?.getValueAtPercentile(at))).toEqual(percentiles.map((at) => theirs.getValueAtPercentile(at)));
    }),
  );
});

test('values that are longer than the longest bucket are counted there', () => {
  const histogram = build({ numberOfSignificantValueDigits: 2, autoResize: true });
  histogram.recordValueWithCount(2 * longestUs, 3);
  expect(fromHistogram(histogram)[bucketCount - 1]).toBe(3);
});

test('a histogram with other buckets is refused', () => {
  expect(() => fromHistogram(build({ numberOfSignificantValueDigits: 3, autoResize: true }))).toThrow('two significant digits');
});

function countsOf(values: readonly number[]): Float64Array {
  const counts = new Float64Array(bucketCount);
  for (const us of values) counts[bucketOf(us)] = (counts[bucketOf(us)] ?? 0) + 1;
  return counts;
}

function rowsOf(values: readonly number[]) {
  const reader = createLedgerReader();
  const messages: LedgerMessage[] = [];
  const writer = createLedgerWriter({ routes: 1, outcomes: 1, post: (message) => messages.push(message) });
  for (const us of values) writer.record(0, measure.response, 0, 0, us);
  writer.sealAll();
  for (const message of messages) reader.accept(0, message, writer.released);
  return reader.rows();
}
