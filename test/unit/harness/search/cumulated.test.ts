import { expect, test } from 'vitest';
import { seededRandom } from '../../../../core/random.ts';
import { newHistogram } from '../../../../harness/recording.ts';
import { cumulated, timesDrawn } from '../../../../harness/search/cumulated.ts';

test('what is drawn answers like the histogram into which all of it was recorded', () => {
  const random = seededRandom(9);
  const seconds = Array.from({ length: 7 }, (_, second) => Array.from({ length: second * 13 }, () => Math.floor(60_000_000 ** random())));
  const ready = cumulated(seconds.map(histogramOf));
  for (let time = 0; time < 50; time += 1) {
    const often = seconds.map(() => Math.floor(4 * random()));
    const whole = histogramOf(seconds.flatMap((second, index) => Array.from({ length: often[index] ?? 0 }, () => second).flat()));
    const drawn = timesDrawn(ready, often);
    expect(drawn.totalCount).toBe(whole.totalCount);
    for (const percentile of [0.01, 1, 7, 50, 90, 95, 99, 99.9, 100]) {
      expect(drawn.getValueAtPercentile(percentile)).toBe(whole.getValueAtPercentile(percentile));
    }
  }
});

test('7 % of 100 times are 7 of them, also in floating point', () => {
  const ready = cumulated([histogramOf(Array.from({ length: 100 }, (_, index) => index + 1))]);
  expect(timesDrawn(ready, [1]).getValueAtPercentile(7)).toBe(7);
});

test.each([
  ['no second', [], []],
  ['seconds without a request', [[], []], [1, 1]],
  ['nothing drawn', [[5]], [0]],
])('%s has no times', (_, seconds: number[][], often) => {
  const drawn = timesDrawn(cumulated(seconds.map(histogramOf)), often);
  expect([drawn.totalCount, drawn.getValueAtPercentile(99)]).toEqual([0, 0]);
});

function histogramOf(values: readonly number[]) {
  const histogram = newHistogram();
  for (const value of values) histogram.recordValue(value);
  return histogram;
}
