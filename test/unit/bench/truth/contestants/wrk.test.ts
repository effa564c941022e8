import { describe, expect, test } from 'vitest';
import { measuredByWrk, wrk, wrk2 } from '../../../../../bench/truth/contestants/wrk.ts';

/** wrk 4.1.0, against a server that resets, closes, hangs and refuses. */
const unwell = `Running 3s test @ http://127.0.0.1:8102/
  1 threads and 10 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.11ms  701.10us   5.09ms   83.44%
    Req/Sec   785.00      1.10k    1.56k   100.00%
  Latency Distribution
     50%    2.19ms
     75%    2.36ms
     90%    2.56ms
     99%    3.90ms
  157 requests in 3.00s, 6.12KB read
  Socket errors: connect 0, read 18, write 0, timeout 0
  Non-2xx or 3xx responses: 9
Requests/sec:     52.26
Transfer/sec:      2.04KB
`;

/** wrk 4.1.0, against a server that answers nobody. */
const silent = `Running 3s test @ http://127.0.0.1:8103/
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     0.00us    0.00us   0.00us    -nan%
    Req/Sec     0.00      0.00     0.00      -nan%
  Latency Distribution
     50%    0.00us
     75%    0.00us
     90%    0.00us
     99%    0.00us
  0 requests in 3.03s, 0.00B read
Requests/sec:      0.00
Transfer/sec:       0.00B
`;

/** In the words of wrk2, which has more percentiles and the same units. */
const corrected = `Running 30s test @ http://127.0.0.1:80/index.html
  2 threads and 100 connections
  Thread calibration: mean lat.: 9747 usec, rate sampling interval: 21 msec
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.46ms    1.93ms   1.20s    67.03%
    Req/Sec     1.05k     1.12k    2.50k    64.84%
  Latency Distribution (HdrHistogram - Recorded Latency)
 50.000%  850.00us
 75.000%    7.59ms
 90.000%    8.92ms
 99.000%  856.60ms
 99.900%    1.02s
 99.990%    1.02m
100.000%    1.20s

  60018 requests in 30.00s, 19.81MB read
Requests/sec:   2000.28
Transfer/sec:    676.18KB
`;

describe('wrk', () => {
  test('does not count refusals as answers, and tells each kind of error', () => {
    expect(measuredByWrk(unwell)).toEqual({
      percentilesMs: { p50: 2.19, p90: 2.56, p99: 3.9, max: 5.09 },
      answered: 148,
      errors: { 'not 2xx or 3xx': 9, read: 18 },
      timeouts: 0,
    });
  });

  test('has no percentiles when nobody was answered', () => {
    expect(measuredByWrk(silent)).toEqual({ percentilesMs: {}, answered: 0, errors: {}, timeouts: 0 });
  });

  test('has its times in milliseconds, whatever their unit', () => {
    expect(measuredByWrk(corrected).percentilesMs).toEqual({ p50: 0.85, p90: 8.92, p99: 856.6, p999: 1_020, max: 1_200 });
  });

  test('is not read where it says something else', () => {
    expect(() => measuredByWrk('unable to connect to 127.0.0.1:1 Connection refused')).toThrow(/unable to connect/);
  });

  test.each([
    ['a ramp', { toPerSecond: 200 }, 'knows no ramps'],
    ['Poisson arrivals', { arrivals: 'poisson' }, 'knows no Poisson arrivals'],
    ['half a second', { lastsMs: 1_500 }, 'lasts whole seconds only'],
    ['a rate that never changes', { toPerSecond: 100 }, undefined],
  ] as const)('says what it cannot do: %s', (_what, change, answer) => {
    const workload = { url: 'http://127.0.0.1:1/', lastsMs: 1_000, ratePerSecond: 100, connections: 1, timeoutMs: 1_000 };
    for (const one of [wrk, wrk2]) expect(one.refuses?.({ ...workload, arrivals: 'uniform', ...change })).toBe(answer);
  });
});
