import { describe, expect, test } from 'vitest';
import { type Random, seededRandom } from '../../../../core/random.ts';
import { breaker, errors, latency } from '../../../../harness/index.ts';
import type { Ground, Observations, Window } from '../../../../harness/observe/observations.ts';
import type { RequestOutcome } from '../../../../harness/record.ts';
import { newHistogram } from '../../../../harness/recording.ts';
import { judgeTrial } from '../../../../harness/search/trial.ts';

const within = [latency('checkout').p95.below('250ms'), errors('checkout').below('1%')];

test('meets a target that all of its seconds are far below', () => {
  const judged = judgeTrial({ name: 'trial', seen: seenOf(secondsOf({ usualMs: 100 })), within, seed: 1 });
  expect(judged.outcome).toBe('met');
  expect(judged.verdicts.map(({ outcome, metShare }) => [outcome, metShare])).toEqual([
    ['met', 1],
    ['met', 1],
  ]);
  expect(judged).toMatchObject({ failedShare: 0, latencyMs: { route: 'checkout', p50: expect.closeTo(100, -1) } });
});

test('tells the percentile that was asked for, from where it was asked for', () => {
  const seconds = secondsOf({ usualMs: 100 }).map((second, index) => (index < 2 ? { ...second, ms: second.ms.map(() => 900) } : second));
  const late = [errors('checkout').below('1%'), latency('checkout').p95.below('250ms', { from: '2s' })];
  const { verdicts } = judgeTrial({ name: 'trial', seen: seenOf(seconds), within: late, seed: 1 });
  expect(verdicts.map(({ percentile }) => percentile)).toEqual([undefined, { quantile: 0.95, ms: expect.closeTo(109, -1) }]);
  const nobody = judgeTrial({ name: 'trial', seen: seenOf(seconds.map((second) => ({ ...second, ms: [] }))), within: late, seed: 1 });
  expect(nobody.verdicts.map(({ percentile }) => percentile)).toEqual([undefined, undefined]);
});

test('misses a target that all of its seconds are far beyond', () => {
  const judged = judgeTrial({ name: 'trial', seen: seenOf(secondsOf({ usualMs: 600 })), within, seed: 1 });
  expect(judged.outcome).toBe('missed');
  expect(judged.verdicts[0]).toMatchObject({ outcome: 'missed', metShare: 0 });
});

// A p95 of 1,000 requests bears 50 that are slow. That one second in ten is not drawn in ten draws happens in 35% of all cases, that it is drawn
// at most once in 74%.
test.each([
  [100, 0.35],
  [40, 0.74],
])('is undecided where one second with %d slow requests makes the difference', (slow, share) => {
  const seconds = secondsOf({ usualMs: 100 }).map((second, index) =>
    index === 4 ? { ...second, ms: second.ms.map((ms, request) => (request < slow ? ms * 8 : ms)) } : second,
  );
  const { outcome, verdicts } = judgeTrial({ name: 'trial', seen: seenOf(seconds), within, seed: 1 });
  expect(outcome).toBe('undecided');
  const [{ metShare, intervalMs } = {}] = verdicts;
  expect(Math.abs((metShare ?? 0) - share)).toBeLessThan(0.06);
  expect(intervalMs?.from).toBeLessThan(250);
  expect(intervalMs?.to).toBeGreaterThan(250);
});

test('is missed where requests fail, however fast the others are', () => {
  const seconds = secondsOf({ usualMs: 50 }).map((second) => ({ ...second, shed: 10 }));
  const judged = judgeTrial({ name: 'trial', seen: seenOf(seconds), within, seed: 1 });
  expect(judged.outcome).toBe('missed');
  expect(judged.verdicts.map(({ outcome }) => outcome)).toEqual(['met', 'missed']);
  expect(judged.failedShare).toBeCloseTo(10 / 110, 2);
});

// A target of 250 ms, and times that scatter by a tenth.
describe.each<[string, Partial<Ground>]>([
  ['a generator that was 80 ms late', { lagMsP99: 80, hiccupMsP999: 0 }],
  ['a machine that paused for 80 ms', { lagMsP99: 0, hiccupMsP999: 80 }],
])('with %s', (_why, ground) => {
  test.each([
    [100, 'is met, as it was in spite of that', 'met'],
    [600, 'is missed, as it would be without', 'missed'],
    [300, 'is unknown where that makes the difference', 'unknown'],
  ])('a trial of %d ms %s', (usualMs, _what, outcome) => {
    expect(judgeTrial({ name: 'trial', seen: seenOf(secondsOf({ usualMs }), ground), within: within.slice(0, 1), seed: 1 }).outcome).toBe(
      outcome,
    );
  });
});

test('is unknown where a generator that was very late may have made the timeouts itself', () => {
  const seconds = secondsOf({ usualMs: 50 }).map((second) => ({ ...second, gaveUp: 10 }));
  const judged = (ground: Partial<Ground>) =>
    judgeTrial({ name: 'trial', seen: seenOf(seconds, ground), within: within.slice(1), seed: 1 }).outcome;
  expect(judged({})).toBe('missed');
  expect(judged({ lagMsP99: 900 })).toBe('unknown');
});

describe('is unknown, whatever the figures say,', () => {
  test.each<[string, Partial<Ground>]>([
    ['when the generator left requests out', { dropped: 5 }],
    ['when the host took the CPU', { stealShare: 0.1 }],
  ])('%s', (_why, ground) => {
    for (const usualMs of [100, 600]) {
      const seen = seenOf(secondsOf({ usualMs }), ground);
      const { outcome, verdicts } = judgeTrial({ name: 'trial', seen, within: within.slice(0, 1), seed: 1 });
      expect(outcome).toBe('unknown');
      expect(verdicts[0]).not.toHaveProperty('metShare');
    }
  });

  test('when requests that were left out would count as failed ones', () => {
    const seen = seenOf(secondsOf({ usualMs: 100 }), { dropped: 5 });
    expect(judgeTrial({ name: 'trial', seen, within: within.slice(1), seed: 1 }).outcome).toBe('unknown');
  });

  test('when there are too few requests for its percentile', () => {
    const seconds = secondsOf({ usualMs: 100 }).slice(0, 1);
    expect(judgeTrial({ name: 'trial', seen: seenOf(seconds), within, seed: 1 }).outcome).toBe('unknown');
  });
});

test('the same trial and seed are judged the same', () => {
  const seconds = secondsOf({ usualMs: 170 });
  const judged = () => judgeTrial({ name: 'trial', seen: seenOf(seconds), within, seed: 7 });
  expect(judged()).toEqual(judged());
});

test('a trial and a seed give the shares and intervals that adding up every time of each draw gives', () => {
  const random = seededRandom(11);
  const seconds = Array.from({ length: 30 }, (_, index) => ({
    ms: Array.from({ length: 60 }, () => 20 + 400 * random() ** 3),
    shed: index % 7 === 0 ? 2 : 0,
    gaveUp: index % 5 === 0 ? 1 : 0,
  }));
  const limits = [
    latency('checkout').p95.below('368ms'),
    latency('checkout').p50.below('50ms', { from: '4s' }),
    errors('checkout').below('1%'),
  ];
  const { verdicts } = judgeTrial({ name: 'trial', seen: seenOf(seconds, { lagMsP99: 6 }), within: limits, seed: 4 });
  // As a histogram for each draw has it, into which every time of its seconds is recorded.
  expect(verdicts.map(({ outcome, metShare, intervalMs }) => ({ outcome, metShare, intervalMs }))).toEqual([
    { outcome: 'undecided', metShare: 0.776, intervalMs: { from: 357.3755, to: 373.7595 } },
    { outcome: 'missed', metShare: 0, intervalMs: { from: 60.5435, to: 77.0555 } },
    { outcome: 'undecided', metShare: 0.737, intervalMs: undefined },
  ]);
});

test('a minute of 1,000 requests a second is judged before anybody waits for it', () => {
  const random = seededRandom(2);
  const seconds = Array.from({ length: 60 }, () => ({ ms: Array.from({ length: 1_000 }, () => 0.5 + 200 * random() ** 3), shed: 0 }));
  const before = process.cpuUsage();
  judgeTrial({ name: 'trial', seen: seenOf(seconds, { lagMsP99: 30 }), within, seed: 1 });
  const { user } = process.cpuUsage(before);
  // It takes tens of milliseconds; a histogram for each of the thousand trials would take 20 s.
  expect(user / 1_000).toBeLessThan(2_000);
});

test('the interval holds the true percentile in 19 of 20 trials, as far as so few seconds can tell', () => {
  const rounds = 120;
  const [mean, deviation] = [200, 30];
  // 95% of a normal distribution lie below this.
  const truth = mean + 1.645 * deviation;
  let held = 0;
  for (let seed = 0; seed < rounds; seed += 1) {
    const random = seededRandom(seed);
    const seconds = Array.from({ length: 12 }, () => ({
      ms: Array.from({ length: 40 }, () => mean + deviation * gaussian(random)),
      shed: 0,
    }));
    const { verdicts } = judgeTrial({ name: 'trial', seen: seenOf(seconds), within: within.slice(0, 1), seed, resamples: 200 });
    const { from, to } = verdicts[0]?.intervalMs ?? { from: Number.NaN, to: Number.NaN };
    // Buckets are 0.8% wide.
    if (from <= truth * 1.008 && to >= truth / 1.008) held += 1;
  }
  expect(held / rounds).toBeGreaterThan(0.85);
});

test('a claim about the rest of a trial looks at the rest only', () => {
  const seconds = secondsOf({ usualMs: 100 }).map((second, index) =>
    index < 3 ? { ms: second.ms.map((ms) => ms * 10), shed: 0 } : second,
  );
  const rest = [latency('checkout').p95.below('250ms', { from: '3s' })];
  expect(judgeTrial({ name: 'trial', seen: seenOf(seconds), within: rest, seed: 1 }).outcome).toBe('met');
  expect(judgeTrial({ name: 'trial', seen: seenOf(seconds), within: within.slice(0, 1), seed: 1 }).outcome).not.toBe('met');
});

test('what asks for more than requests is not asked of a trial', () => {
  expect(() =>
    judgeTrial({ name: 'trial', seen: seenOf(secondsOf({ usualMs: 100 })), within: [breaker('orders->payment').stays('closed')], seed: 1 }),
  ).toThrow();
});

type Second = { ms: number[]; shed: number; gaveUp?: number };

/** Ten seconds of 100 requests, in which times scatter a little. */
function secondsOf({ usualMs }: { usualMs: number }): Second[] {
  const random = seededRandom(3);
  return Array.from({ length: 10 }, () => ({ ms: Array.from({ length: 100 }, () => usualMs * (0.9 + 0.2 * random())), shed: 0 }));
}

const startMs = 20_000;

/** What would have been seen of a trial that begins in the 20th second of its search. */
function seenOf(seconds: readonly Second[], ground: Partial<Ground> = {}): Observations {
  const whole = { fromMs: startMs, untilMs: startMs + seconds.length * 1_000 };
  const requests = (_route: string, { fromMs, untilMs }: Window = whole) => {
    const chosen = seconds.filter((_, index) => startMs + index * 1_000 >= fromMs && startMs + index * 1_000 < untilMs);
    const served = newHistogram();
    for (const { ms } of chosen) for (const each of ms) served.recordValue(Math.round(each * 1_000));
    const shed = chosen.reduce((sum, second) => sum + second.shed, 0);
    const timeout = chosen.reduce((sum, { gaveUp = 0 }) => sum + gaveUp, 0);
    const awaited = newHistogram();
    awaited.add(served);
    if (timeout > 0) awaited.recordValueWithCount(5_000_000, timeout);
    const byOutcome: Partial<Record<RequestOutcome, number>> = {
      ok: served.totalCount,
      ...(shed === 0 ? {} : { shed }),
      ...(timeout === 0 ? {} : { timeout }),
    };
    return { count: awaited.totalCount + shed, byOutcome, served, awaited, timeoutMs: 5_000 };
  };
  const calm: Ground = {
    ...{ intended: 100, arrived: 100, planned: 1_000, dropped: 0, lagMsP99: 0.4, hiccupMsP999: 0.5 },
    ...{ loopUtilization: 0.1, stealShare: 0, throttledShare: 0 },
  };
  return { window: whole, requests, ground: () => ({ ...calm, ...ground }) } as unknown as Observations;
}

/** https://en.wikipedia.org/wiki/Box%E2%80%93Muller_transform */
const gaussian = (random: Random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
