import { expect, test } from 'vitest';
import { autocannon, measuredByAutocannon } from '../../../../../bench/truth/contestants/autocannon.ts';

/** autocannon 9.0.0, against a server that resets, closes, hangs and refuses; what is not read left out. */
const unwell = {
  url: 'http://127.0.0.1:8102/',
  connections: 10,
  duration: 3.04,
  errors: 11,
  timeouts: 5,
  mismatches: 0,
  non2xx: 7,
  resets: 0,
  '1xx': 0,
  '2xx': 107,
  '5xx': 7,
  latency: { average: 481.1, min: 1, max: 1125, p50: 471, p90: 938, p97_5: 1049, p99: 1077, p99_9: 1116, totalCount: 12850 },
  requests: { average: 38, total: 114, sent: 182 },
};

test('time limits are told from other errors, and refusals are no answers', () => {
  expect(measuredByAutocannon(unwell)).toEqual({
    percentilesMs: { p50: 471, p90: 938, p99: 1_077, p999: 1_116, max: 1_125 },
    sent: 182,
    answered: 107,
    errors: { errors: 6, 'not 2xx': 7 },
    timeouts: 5,
  });
});

test('has no percentiles when nobody was answered', () => {
  const latency = { p50: 0, p90: 0, p99: 0, p99_9: 0, max: 0, totalCount: 0 };
  expect(measuredByAutocannon({ ...unwell, latency }).percentilesMs).toEqual({});
});

test('knows its version', async () => {
  expect(await autocannon.version()).toMatch(/^9\.\d+\.\d+$/);
});
