import { expect, test } from 'vitest';
import { measuredByK6 } from '../../../../../bench/truth/contestants/k6.ts';

/** k6 1.8.1 with two virtual users at 50/s, against a server that resets, closes, hangs and refuses; metrics that are not read left out. */
const unwell = {
  metrics: {
    http_req_failed: { type: 'rate', contains: 'default', values: { rate: 0.11627906976744186, passes: 10, fails: 76 } },
    'http_reqs{error_code:1050}': { values: { rate: 1.3083787873108246, count: 5 }, type: 'counter', contains: 'default' },
    'http_req_duration{expected_response:true}': { type: 'trend', contains: 'time', values: { med: 2.315972, max: 10.159018, count: 76 } },
    http_reqs: { type: 'counter', contains: 'default', values: { count: 86, rate: 22.504115141746183 } },
    dropped_iterations: { type: 'counter', contains: 'default', values: { count: 65, rate: 17.00892423504072 } },
    http_req_duration: {
      type: 'trend',
      contains: 'time',
      values: {
        med: 2.315972,
        'p(90)': 2.9128974999999997,
        'p(99)': 1000.3596563499999,
        'p(99.9)': 1000.490524135,
        max: 1000.505065,
        count: 86,
      },
    },
  },
};

test('tells time limits from other failures, and arrivals that were dropped', () => {
  expect(measuredByK6(unwell)).toEqual({
    percentilesMs: { p50: 2.315972, p90: 2.9128974999999997, p99: 1000.3596563499999, p999: 1000.490524135, max: 1000.505065 },
    sent: 86,
    answered: 76,
    errors: { failed: 5 },
    timeouts: 5,
    dropped: 65,
  });
});

test('a metric that is absent counted nothing', () => {
  const { http_req_duration, http_reqs } = unwell.metrics;
  const measured = measuredByK6({ metrics: { http_req_duration, http_reqs } });
  expect(measured).toMatchObject({ sent: 86, answered: 86, errors: {}, timeouts: 0, dropped: 0 });
});

test('an output without metrics is not read', () => {
  expect(() => measuredByK6({})).toThrow(/metrics/);
});
