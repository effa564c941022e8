import { expect, test } from 'vitest';
import { measuredByArtillery } from '../../../../../bench/truth/contestants/artillery.ts';

/** Shaped as the manual of Artillery 2 shows the counters and histograms of its report. */
const unwell = {
  aggregate: {
    counters: {
      'vusers.created_by_name.0': 100,
      'vusers.created': 100,
      'http.requests': 100,
      'http.codes.200': 80,
      'http.codes.503': 6,
      'http.responses': 86,
      'errors.ETIMEDOUT': 4,
      'errors.ECONNRESET': 10,
      'vusers.failed': 14,
      'vusers.completed': 86,
    },
    rates: { 'http.request_rate': 50 },
    summaries: {
      'http.response_time': {
        min: 1,
        max: 438,
        count: 86,
        mean: 22.1,
        p50: 19.9,
        median: 19.9,
        p75: 22.9,
        p90: 26.8,
        p95: 44.3,
        p99: 333.7,
        p999: 383.8,
      },
    },
  },
  intermediate: [],
};

test('time limits are told from other errors, and refusals are no answers', () => {
  expect(measuredByArtillery(unwell)).toEqual({
    percentilesMs: { p50: 19.9, p90: 26.8, p99: 333.7, p999: 383.8, max: 438 },
    sent: 100,
    answered: 80,
    errors: { ECONNRESET: 10, '503': 6 },
    timeouts: 4,
  });
});

test('has no percentiles when nobody was answered', () => {
  const counters = { 'http.requests': 5, 'errors.ETIMEDOUT': 5 };
  expect(measuredByArtillery({ aggregate: { counters } })).toEqual({ percentilesMs: {}, sent: 5, answered: 0, errors: {}, timeouts: 5 });
});
