import { expect, test } from 'vitest';
import { measuredByVegeta } from '../../../../../bench/truth/contestants/vegeta.ts';

/** Shaped as the manual of vegeta 12 shows its JSON report. */
const unwell = {
  latencies: {
    total: 237119463,
    mean: 2371194,
    '50th': 2854306,
    '90th': 3212000,
    '95th': 3478629,
    '99th': 3530000,
    max: 1000660505,
    min: 1949023,
  },
  bytes_in: { total: 1760, mean: 17.6 },
  bytes_out: { total: 0, mean: 0 },
  duration: 989999944,
  wait: 3507222,
  requests: 100,
  rate: 101.01010672380401,
  success: 0.88,
  status_codes: { '0': 8, '200': 88, '503': 4 },
  errors: [
    'Get "http://127.0.0.1:8102/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
    '503 Service Unavailable',
  ],
};

test('nanoseconds become milliseconds, and what got no answer is an error of unknown kind', () => {
  expect(measuredByVegeta(unwell)).toEqual({
    percentilesMs: { p50: 2.854306, p90: 3.212, p99: 3.53, max: 1000.660505 },
    sent: 100,
    answered: 88,
    errors: { 'no answer': 8, '503': 4 },
    notes: unwell.errors,
  });
});

test('a run without errors has no notes', () => {
  expect(measuredByVegeta({ ...unwell, status_codes: { '200': 100 }, errors: [] })).not.toHaveProperty('notes');
});
