import { expect, test } from 'vitest';
import { measuredByOha } from '../../../../../bench/truth/contestants/oha.ts';

/** oha 1.16.0, against a server that resets, closes, hangs and refuses; histograms and rates left out. */
const unwell = {
  summary: {
    successRate: 0.8533333333333334,
    total: 3.782506345,
    slowest: 0.003517713,
    fastest: 0.00004177,
    requestsPerSec: 39.65624544114281,
  },
  latencyPercentiles: {
    p10: 0.002100122,
    p25: 0.002158851,
    p50: 0.002186551,
    p75: 0.002229941,
    p90: 0.002319732,
    p95: 0.002436622,
    p99: 0.002908832,
    'p99.9': 0.003517713,
    'p99.99': 0.003517713,
  },
  statusCodeDistribution: { '200': 120, '503': 8 },
  errorDistribution: { 'connection closed before message completed': 8, 'connection error': 7, timeout: 7 },
};

/** oha 1.16.0, against a server that answers nobody. */
const silent = {
  summary: { successRate: 0, total: 1.101730798, slowest: null, fastest: null, average: null, requestsPerSec: 4.538313723349322 },
  latencyPercentiles: { p10: null, p25: null, p50: null, p75: null, p90: null, p95: null, p99: null, 'p99.9': null, 'p99.99': null },
  statusCodeDistribution: {},
  errorDistribution: { timeout: 5 },
};

test('seconds become milliseconds, and every request is an answer, an error or a time limit', () => {
  const measured = measuredByOha(unwell);
  const { p50, p90, p99, p999, max } = measured.percentilesMs;
  expect([p50, p90, p99, p999, max].map((ms) => Number(ms?.toFixed(3)))).toEqual([2.187, 2.32, 2.909, 3.518, 3.518]);
  expect(measured).toMatchObject({
    sent: 150,
    answered: 120,
    errors: { '503': 8, 'connection closed before message completed': 8, 'connection error': 7 },
    timeouts: 7,
  });
});

test('has no percentiles when nobody was answered', () => {
  expect(measuredByOha(silent)).toEqual({ percentilesMs: {}, sent: 5, answered: 0, errors: {}, timeouts: 5 });
});
