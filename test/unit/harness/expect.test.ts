import { expect, test } from 'vitest';
import { requestsFor } from '../../../harness/expect/latency.ts';
import { amplification, balance, breaker, errors, latency, orders, recovery, shedding, stock, traces } from '../../../harness/index.ts';
import type { Audit, Calls, FaultImpact, Ground, Impact, Observations, SheddingPoint } from '../../../harness/observe/observations.ts';
import type { RequestOutcome } from '../../../harness/record.ts';
import { newHistogram } from '../../../harness/recording.ts';

const window = { fromMs: 10_000, untilMs: 30_000 };
const audit: Audit = {
  products: [{ product: 'sku-1', seeded: 500, available: 100, reserved: 400, paid: 400 }],
  missingOrders: [],
  acknowledged: 400,
  paidOrders: 400,
  paidWithoutPayment: [],
  chargedWrongly: [],
  unsettled: 0,
};

const wellGround: Ground = {
  ...{ intended: 100, arrived: 100, planned: 0, dropped: 0, lagMsP99: 0, hiccupMsP999: 0 },
  ...{ loopUtilization: 0.1, stealShare: 0, throttledShare: 0 },
};

/** Observations in which nothing happened but what a test says. */
function seen(facts: {
  servedMs?: readonly number[];
  byOutcome?: Partial<Record<RequestOutcome, number>>;
  reasons?: Partial<Record<RequestOutcome, string>>;
  lagMsP99?: number;
  /** Requests that nobody answered within 5 s. */
  timeouts?: number;
  ground?: Partial<Ground>;
  dropped?: number;
  calls?: Partial<Calls>;
  refusedBefore?: number;
  counted?: number;
  impacts?: FaultImpact[];
  shedding?: SheddingPoint[];
  silent?: string[];
  deaths?: { instance: string; how: string }[];
  repeated?: { count: number; different: number };
  bySpan?: [number, number][];
  byCounter?: [number, number][];
  looked?: number;
  whole?: number;
  lost?: { instance: string; lost: number | 'killed' }[];
  audit?: Audit | undefined;
  calm?: Observations;
}): Observations {
  const [served, awaited] = [newHistogram(), newHistogram()];
  for (const ms of facts.servedMs ?? []) served.recordValue(ms * 1_000);
  awaited.add(served);
  for (let count = facts.timeouts ?? 0; count > 0; count--) awaited.recordValue(5_000_000);
  const byOutcome = facts.byOutcome ?? { ok: served.totalCount };
  const count = Object.values(byOutcome).reduce((sum, number) => sum + number, 0);
  return {
    window,
    requests: () => ({ count, byOutcome, served, awaited, timeoutMs: 5_000, reasons: facts.reasons ?? {} }),
    ground: () => ({ ...wellGround, planned: count, lagMsP99: facts.lagMsP99 ?? 0, dropped: facts.dropped ?? 0, ...facts.ground }),
    calls: (_edge, within) => ({
      count: 0,
      failed: 0,
      sentSinceLastRefusal: 0,
      retried: 0,
      ...facts.calls,
      refused: (facts.calls?.refused ?? 0) + (within?.fromMs === 0 ? (facts.refusedBefore ?? 0) : 0),
    }),
    impacts: () => facts.impacts ?? [],
    countedRefusals: () => facts.counted,
    shedding: (_service, within = window) => ({
      points: (facts.shedding ?? []).filter(({ atMs }) => atMs >= within.fromMs && atMs < within.untilMs),
      silent: facts.silent ?? [],
    }),
    deaths: () => facts.deaths ?? [],
    repeated: () => facts.repeated ?? { count: 0, different: 0 },
    picks: () => ({ bySpan: new Map(facts.bySpan), byCounter: new Map(facts.byCounter) }),
    traces: () => ({
      looked: facts.looked ?? 0,
      whole: facts.whole ?? 0,
      broken: [],
      answered: facts.looked ?? 0,
      through: () => ({ passed: facts.whole ?? 0, strayed: [] }),
    }),
    lostSpans: () => facts.lost ?? [],
    audit: facts.audit,
    phase: () => facts.calm ?? seen({}),
  };
}

/** A fault that was undone at `untilMs` of the timeline, and what it did to orders->payment. */
const faultOn = (subject: string, untilMs: number, impact: Partial<Impact>): FaultImpact => ({
  ...{ sentence: `${subject}: cut`, subject, fromMs: untilMs - 5_000, untilMs },
  impacts: [
    {
      ...{ edge: 'orders->payment', wanted: 100, sent: 100, failed: 10, refused: 0 },
      ...{ latencyMsP95: {}, recovered: 'unknown', watchedMs: 10_000, ...impact },
    },
  ],
});

const times = (count: number, ms: number) => Array.from({ length: count }, () => ms);

test.each([
  [0.5, 20],
  [0.95, 200],
  [0.99, 1_000],
])('the %f quantile needs %i requests', (quantile, needed) => {
  expect(requestsFor(quantile)).toBe(needed);
});

test('a percentile is judged when there are enough requests, and unknown when there are not', () => {
  const claim = latency('checkout').p95.below('250ms');
  expect(claim.judge(seen({ servedMs: times(200, 100) })).outcome).toBe('met');
  expect(claim.judge(seen({ servedMs: times(200, 300) })).outcome).toBe('missed');
  expect(claim.judge(seen({ servedMs: times(199, 100) }))).toEqual({
    outcome: 'unknown',
    observed: '199 requests were served or given up, 200 are needed for this percentile',
  });
});

test('shoppers that the load generator left out make a percentile unknown, even a good one', () => {
  const claim = latency('checkout').p95.below('250ms');
  expect(claim.judge(seen({ servedMs: times(200, 100), dropped: 1 })).outcome).toBe('unknown');
});

test.each<[string, Partial<Ground>, string]>([
  ['was late', { lagMsP99: 12.6 }, 'the load generator itself was 12.6 ms late at p99'],
  ['stood on a machine that paused', { hiccupMsP999: 25.1 }, 'the machine itself paused: for 25.1 ms at p99.9'],
  ['lost visitors', { arrived: 99 }, '99 of 100 visitors of the plan arrived'],
  [
    'had a journey that threw',
    { stumbles: { count: 3, first: 'no id', phase: 'rush' } },
    "the journey itself threw 3 times, first in 'rush': no id",
  ],
  ['had no time left', { loopUtilization: 0.81 }, 'busy for 81.0% of a second'],
  ['stood on a host that others used', { stealShare: 0.021 }, 'the host took 2.10% of the CPU time for others'],
  ['used its quota up', { throttledShare: 0.021 }, 'was used up for 2.10% of the time'],
  [
    'counted other answers than the gateways',
    { counted: { answered: 90, sent: 100, byServer: 103 } },
    '100 requests were sent and 90 answered, but the gateways counted 103',
  ],
])('a percentile is neither met nor missed when the load generator %s', (_, ground, why) => {
  const claim = latency('checkout').p95.below('250ms');
  for (const ms of [100, 300]) {
    const { outcome, observed } = claim.judge(seen({ servedMs: times(200, ms), ground }));
    expect(outcome).toBe('unknown');
    expect(observed).toContain(why);
  }
});

test.each<Partial<Ground>>([
  { lagMsP99: 12.5 },
  { hiccupMsP999: 25 },
  { loopUtilization: 0.8 },
  { stealShare: 0.02, throttledShare: 0.02 },
  { counted: { answered: 90, sent: 100, byServer: 90 } },
  { counted: { answered: 90, sent: 100, byServer: 102 } },
])('a percentile is judged when the ground is %o', (ground) => {
  expect(
    latency('checkout')
      .p95.below('250ms')
      .judge(seen({ servedMs: times(200, 100), ground })).outcome,
  ).toBe('met');
});

test('a limit of a few milliseconds still allows for a millisecond of lag', () => {
  const claim = latency('browse').p95.below('5ms');
  expect(claim.judge(seen({ servedMs: times(200, 1), lagMsP99: 1 })).outcome).toBe('met');
  expect(claim.judge(seen({ servedMs: times(200, 1), lagMsP99: 1.1 })).outcome).toBe('unknown');
});

test('those who gave up waiting are part of a percentile, with at least the time they waited', () => {
  const claim = (limit: '250ms' | '6s') => latency('checkout').p95.below(limit);
  expect(claim('250ms').judge(seen({ servedMs: times(190, 100), timeouts: 10 })).outcome).toBe('met');
  expect(claim('250ms').judge(seen({ servedMs: times(189, 100), timeouts: 11 }))).toEqual({
    outcome: 'missed',
    observed: 'at least 5000.0 ms over 200 requests',
  });
  expect(claim('6s').judge(seen({ servedMs: times(189, 100), timeouts: 11 })).outcome).toBe('unknown');
});

test('a phase in which too many gave up waiting is nothing to compare with', () => {
  const calm = seen({ servedMs: times(180, 100), timeouts: 20 });
  const { outcome, observed } = latency('checkout')
    .p95.within(2, 'before')
    .judge(seen({ servedMs: times(200, 100), calm }));
  expect([outcome, observed]).toEqual(['unknown', "in 'before': at least 5000.0 ms, there is nothing to compare with"]);
});

test('a late load generator in the calm phase makes a comparison with it unknown', () => {
  const calm = seen({ servedMs: times(200, 100), lagMsP99: 30 });
  expect(
    latency('checkout')
      .p95.within(1.5, 'before')
      .judge(seen({ servedMs: times(200, 100), calm })).outcome,
  ).toBe('unknown');
});

test('a percentile is compared with the same one of another phase', () => {
  const claim = latency('checkout').p95.within(1.5, 'before');
  const calm = seen({ servedMs: times(200, 100) });
  expect(claim.judge(seen({ servedMs: times(200, 149), calm })).outcome).toBe('met');
  expect(claim.judge(seen({ servedMs: times(200, 160), calm })).outcome).toBe('missed');
  expect(claim.judge(seen({ servedMs: times(200, 100), calm: seen({}) })).observed).toMatch(/^in 'before'/);
});

test('sold out is an answer, every refusal is an error', () => {
  const claim = errors('checkout').below('1%');
  expect(claim.judge(seen({ byOutcome: { ok: 50, outOfStock: 50 } })).outcome).toBe('met');
  const shed = claim.judge(seen({ byOutcome: { ok: 99, shed: 1 } }));
  expect(shed).toEqual({ outcome: 'missed', observed: '1.00% of 100 (1 shed)' });
  expect(claim.judge(seen({})).outcome).toBe('unknown');
});

test.each<[Partial<Record<RequestOutcome, number>>, string]>([
  [{ failed: 207 }, '100.0% of 207 (207 failed, first: self-signed certificate)'],
  [{ shed: 7, failed: 1, reset: 2 }, '100.0% of 10 (7 shed, 1 failed, 2 reset, first reset: The connection was closed)'],
  [{ shed: 10 }, '100.0% of 10 (10 shed)'],
  [{ refused: 10 }, '100.0% of 10 (10 refused)'],
])('of errors %j the commonest that does not explain itself is told why', (byOutcome, observed) => {
  const reasons = { failed: 'self-signed certificate', reset: 'The connection was closed', shed: 'status 503' };
  expect(errors('checkout').below('1%').judge(seen({ byOutcome, reasons })).observed).toBe(observed);
});

test.each<[string, Partial<Ground>]>([
  ['the load generator itself was 251.0 ms late at p99', { lagMsP99: 251 }],
  ['the machine itself paused: for 501.0 ms at p99.9 of every millisecond', { hiccupMsP999: 501 }],
])('errors that timeouts decide are unknown when %s, for it may have let them wait', (why, ground) => {
  const claim = errors('checkout').below('1%');
  const judged = (byOutcome: Partial<Record<RequestOutcome, number>>) => claim.judge(seen({ byOutcome, ground }));
  expect(judged({ ok: 97, timeout: 2, shed: 0, wrongAnswer: 1 }).outcome).toBe('missed');
  expect(judged({ ok: 998, timeout: 1, wrongAnswer: 1 }).outcome).toBe('met');
  expect(judged({ ok: 980, timeout: 12, wrongAnswer: 8 })).toEqual({
    outcome: 'unknown',
    observed: `2.00% of 1000 (12 timeout, 8 wrong answer), but ${why}`,
  });
});

test('timeouts of a generator and a machine that were in time are the fault of nobody else', () => {
  const claim = errors('checkout').below('1%');
  const ground = { lagMsP99: 250, hiccupMsP999: 500 };
  expect(claim.judge(seen({ byOutcome: { ok: 98, timeout: 2 }, ground })).outcome).toBe('missed');
});

test('a breaker opens with its first refusal, in time or too late', () => {
  const claim = breaker('orders->payment').opens({ within: '5s' });
  expect(claim.judge(seen({ calls: { count: 10, refused: 1, firstRefusalMs: 14_000 } })).outcome).toBe('met');
  expect(claim.judge(seen({ calls: { count: 10, refused: 1, firstRefusalMs: 16_000 } })).outcome).toBe('missed');
  expect(claim.judge(seen({ calls: { count: 10 } })).outcome).toBe('missed');
  expect(claim.judge(seen({})).outcome).toBe('unknown');
});

test('a breaker whose refusals are missing from the spans is unknown, not closed', () => {
  const stays = breaker('orders->payment').stays('closed');
  expect(stays.judge(seen({ calls: { count: 10 } })).outcome).toBe('met');
  expect(stays.judge(seen({ calls: { count: 10 }, counted: 0 })).outcome).toBe('met');
  expect(stays.judge(seen({ calls: { count: 10 }, counted: 3 }))).toEqual({
    outcome: 'unknown',
    observed: 'spans show no refusal, the breaker itself counted 3',
  });
  expect(stays.judge(seen({ calls: { count: 10 }, lost: [{ instance: 'orders.1', lost: 5 }] })).outcome).toBe('unknown');
  expect(stays.judge(seen({ calls: { count: 10 }, lost: [{ instance: 'user.1', lost: 5 }] })).outcome).toBe('met');
  expect(stays.judge(seen({ calls: { count: 4 } })).outcome).toBe('unknown');
});

test('a breaker closes when it once refused and then lets calls through', () => {
  const claim = breaker('orders->payment').closes({ within: '5s' });
  expect(claim.judge(seen({ calls: { count: 10 }, refusedBefore: 3 })).outcome).toBe('met');
  expect(claim.judge(seen({ calls: { count: 10, refused: 2, lastRefusalMs: 12_000, sentSinceLastRefusal: 8 } })).outcome).toBe('met');
  expect(claim.judge(seen({ calls: { count: 10, refused: 2, lastRefusalMs: 12_000 } })).outcome).toBe('unknown');
  expect(claim.judge(seen({ calls: { count: 10, refused: 2, lastRefusalMs: 16_000, sentSinceLastRefusal: 8 } })).outcome).toBe('missed');
  expect(claim.judge(seen({ calls: { count: 10 } })).observed).toBe('it never opened, so it could not close');
});

test('shedding is a share of what was judged, and stops when nothing is shed any more', () => {
  const point = (atMs: number, shed: number): SheddingPoint => ({ atMs, judged: 100, shed });
  const between = shedding('gateway').between('5%', '60%');
  expect(between.judge(seen({ shedding: [point(10_000, 10)] })).outcome).toBe('met');
  expect(between.judge(seen({ shedding: [point(10_000, 4)] })).outcome).toBe('missed');
  expect(between.judge(seen({ shedding: [point(10_000, 61)] })).outcome).toBe('missed');
  expect(between.judge(seen({})).outcome).toBe('unknown');

  const stops = shedding('gateway').stops({ within: '5s' });
  expect(stops.judge(seen({ shedding: [point(14_000, 10), point(16_000, 0)] })).outcome).toBe('met');
  expect(stops.judge(seen({ shedding: [point(14_000, 10), point(16_000, 1)] })).outcome).toBe('missed');
  expect(stops.judge(seen({ shedding: [point(14_000, 0), point(16_000, 0)] })).outcome).toBe('unknown');
});

test('a replica of which nothing is known makes shedding unknown', () => {
  const points = [{ atMs: 16_000, judged: 100, shed: 10 }];
  expect(
    shedding('gateway')
      .between('5%', '60%')
      .judge(seen({ shedding: points, silent: ['gateway.2'] })),
  ).toEqual({
    outcome: 'unknown',
    observed: 'nothing is known of gateway.2',
  });
});

test('sheds that are spread over a gap between scrapes are added up before they are rounded', () => {
  const points = Array.from({ length: 8 }, (_, second) => ({ atMs: 16_000 + second * 1_000, judged: 100, shed: 0.375 }));
  expect(
    shedding('gateway')
      .stops({ within: '5s' })
      .judge(seen({ shedding: points })).outcome,
  ).toBe('missed');
});

test('shedding of no share at all is missed even where 0% is allowed', () => {
  const claim = shedding('gateway').between('0%', '60%');
  expect(claim.judge(seen({ shedding: [{ atMs: 10_000, judged: 100, shed: 0 }] })).outcome).toBe('missed');
});

test('a replica is avoided when spans and pick counter both say so', () => {
  const claim = balance('orders->inventory').avoids(2, { below: '15%' });
  const judged = (bySpan: [number, number][], byCounter: [number, number][]) => claim.judge(seen({ bySpan, byCounter })).outcome;
  expect(
    judged(
      [
        [1, 45],
        [2, 10],
        [3, 45],
      ],
      [
        [1, 44],
        [2, 11],
        [3, 45],
      ],
    ),
  ).toBe('met');
  expect(
    judged(
      [
        [1, 33],
        [2, 33],
        [3, 34],
      ],
      [
        [1, 33],
        [2, 33],
        [3, 34],
      ],
    ),
  ).toBe('missed');
  expect(
    judged(
      [
        [1, 45],
        [2, 10],
        [3, 45],
      ],
      [
        [1, 33],
        [2, 33],
        [3, 34],
      ],
    ),
  ).toBe('unknown');
  expect(judged([], [[1, 1]])).toBe('unknown');
});

test('a replica that died, or was hardly picked at all, was not avoided', () => {
  const claim = balance('orders->inventory').avoids(2, { below: '15%' });
  const both = (counts: [number, number][]) => ({ bySpan: counts, byCounter: counts });
  const deaths = [{ instance: 'inventory.2', how: 'exit 1' }];
  const rest: [number, number][] = [
    [1, 450],
    [2, 10],
  ];
  expect(claim.judge(seen(both(rest))).outcome).toBe('met');
  expect(claim.judge(seen({ ...both(rest), deaths })).observed).toMatch(/^inventory.2 died \(exit 1\)/);
  expect(claim.judge(seen(both([[1, 450]]))).outcome).toBe('unknown');
  expect(claim.judge(seen(both([[1, 5]]))).outcome).toBe('unknown');
});

test('spans that were lost on the way make a trace that strayed unknown', () => {
  const claim = traces('checkout').passThrough('gateway', 'orders');
  expect(claim.judge(seen({ looked: 100, whole: 99 })).outcome).toBe('missed');
  expect(claim.judge(seen({ looked: 100, whole: 99, lost: [{ instance: 'orders.1', lost: 5 }] })).outcome).toBe('unknown');
});

test('traces are complete or not, and unknown when the spans were lost on the way', () => {
  const claim = traces('checkout').complete('99%');
  expect(claim.judge(seen({ looked: 100, whole: 99 })).outcome).toBe('met');
  expect(claim.judge(seen({ looked: 100, whole: 98 })).outcome).toBe('missed');
  expect(claim.judge(seen({ looked: 100, whole: 98, lost: [{ instance: 'orders.1', lost: 5 }] })).outcome).toBe('unknown');
  expect(claim.judge(seen({})).outcome).toBe('unknown');
});

test.each<[string, Partial<Audit>, () => { judge: (facts: Observations) => { outcome: string } }]>([
  ['oversold', { products: [{ product: 'sku-1', seeded: 500, available: -1, reserved: 501, paid: 501 }] }, stock.neverOversold],
  [
    'gone without an order',
    { products: [{ product: 'sku-1', seeded: 500, available: 99, reserved: 400, paid: 400 }] },
    stock.neverOversold,
  ],
  [
    'paid for more than was reserved',
    { products: [{ product: 'sku-1', seeded: 500, available: 100, reserved: 400, paid: 401 }] },
    stock.neverOversold,
  ],
  ['lost an order', { missingOrders: ['a'] }, orders.neverLost],
  ['paid without payment', { paidWithoutPayment: ['a'] }, orders.chargedOnce],
  ['charged a cancelled order', { chargedWrongly: ['a'] }, orders.chargedOnce],
  ['open at the end', { unsettled: 1 }, orders.settled],
])('books that are %s are missed, good ones are met, unread ones unknown', (_name, wrong, expectation) => {
  expect(expectation().judge(seen({ audit })).outcome).toBe('met');
  expect(expectation().judge(seen({ audit: { ...audit, ...wrong } })).outcome).toBe('missed');
  expect(expectation().judge(seen({ audit: undefined })).outcome).toBe('unknown');
});

test('traces that went missing with a process that was killed prove nothing', () => {
  const claim = traces('checkout').passThrough('gateway', 'orders');
  expect(claim.judge(seen({ looked: 10, whole: 9, lost: [{ instance: 'payment.1', lost: 'killed' }] }))).toEqual({
    outcome: 'unknown',
    observed: 'spans were lost on the way from payment.1 (killed); 9 of 10',
  });
});

test('a repeated checkout that made another order is missed', () => {
  expect(orders.chargedOnce().judge(seen({ audit, repeated: { count: 9, different: 0 } })).outcome).toBe('met');
  expect(orders.chargedOnce().judge(seen({ audit, repeated: { count: 9, different: 1 } })).outcome).toBe('missed');
});

test('books without an order are unknown, not good', () => {
  const empty: Audit = {
    ...audit,
    products: [{ product: 'sku-1', seeded: 5, available: 5, reserved: 0, paid: 0 }],
    acknowledged: 0,
    paidOrders: 0,
  };
  for (const expectation of [stock.neverOversold, orders.neverLost, orders.chargedOnce, orders.settled]) {
    expect(expectation().judge(seen({ audit: empty })).outcome).toBe('unknown');
  }
});

test.each<[string, Partial<Impact>, string, string]>([
  [
    'back in time',
    { recovered: 'yes', calmAfterMs: 4_500, lastErrorAfterMs: 4_180 },
    'met',
    'back 4.5 s after it, last error 4.2 s after it',
  ],
  ['never hurt', { recovered: 'yes', calmAfterMs: 0 }, 'met', 'back at once, no error since'],
  ['back too late', { recovered: 'yes', calmAfterMs: 11_000 }, 'missed', 'back only 11.0 s after it'],
  [
    'never back',
    { recovered: 'no', watchedMs: 20_000, troubledShareAfter: 0.34 },
    'missed',
    'metastable: the fault is gone for 20.0 s and 34.0% of calls are still in trouble',
  ],
  [
    'not seen enough',
    { recovered: 'unknown', watchedMs: 900 },
    'unknown',
    'too little was seen before it, or in the 0.9 s after it, to compare',
  ],
])('an edge that is %s', (_case, impact, outcome, observed) => {
  const claim = recovery('orders->payment').happens({ within: '10s' });
  expect(claim.judge(seen({ impacts: [faultOn('orders->payment', 20_000, impact)] }))).toEqual({ outcome, observed });
});

test('recovery is that from the last fault on the edge, or on the processes it leads to', () => {
  const claim = recovery('orders->payment').happens({ within: '10s' });
  const [back, down] = [{ recovered: 'yes', calmAfterMs: 0 }, { recovered: 'no' }] as const;
  const judged = (...impacts: FaultImpact[]) => claim.judge(seen({ impacts })).outcome;
  expect(judged(faultOn('orders->payment', 10_000, down), faultOn('payment', 15_000, back))).toBe('met');
  expect(judged(faultOn('payment', 15_000, down), faultOn('orders->payment', 10_000, back))).toBe('missed');
  // Those of other edges, and those that go on beyond the phase, say nothing.
  expect(judged(faultOn('orders->payment', 10_000, back), faultOn('orders->user', 15_000, down), faultOn('payment', 31_000, down))).toBe(
    'met',
  );
  expect(judged()).toBe('unknown');
  expect(judged({ ...faultOn('orders->payment', 10_000, back), impacts: [] })).toBe('unknown');
});

test('an edge without faults of its own recovers from the last one elsewhere that hurt it, if any did', () => {
  const claim = recovery('orders->payment').happens({ within: '10s' });
  const judged = (count: number, ...impacts: FaultImpact[]) => claim.judge(seen({ impacts, calls: { count } }));
  const harmless = { ...faultOn('user->redis', 15_000, {}), impacts: [] };
  expect(judged(100, faultOn('orders->mysql', 10_000, { recovered: 'no' }), harmless).outcome).toBe('missed');
  expect(judged(100, harmless)).toEqual({ outcome: 'met', observed: 'none of 1 faults hurt it' });
  expect(judged(2, harmless).outcome).toBe('unknown');
});

test('whether an edge recovers whose calls leave no spans is unknown', () => {
  expect(
    recovery('orders->etcd')
      .happens({ within: '10s' })
      .judge(seen({ impacts: [faultOn('orders->etcd', 10_000, {})] })),
  ).toEqual({
    outcome: 'unknown',
    observed: 'calls to etcd leave no spans',
  });
});

test('retries are judged by the calls that they add', () => {
  const claim = amplification('orders->payment').below(1.2);
  expect(claim.judge(seen({ calls: { count: 110, retried: 10 } }))).toEqual({
    outcome: 'met',
    observed: '1.10: 110 sent for 100 wanted, 10 of them retries',
  });
  expect(claim.judge(seen({ calls: { count: 130, retried: 30 } })).outcome).toBe('missed');
  // What the caller's own breaker refused never reached the callee.
  expect(claim.judge(seen({ calls: { count: 130, retried: 30, refused: 80 } })).outcome).toBe('met');
  expect(claim.judge(seen({ calls: { count: 4, retried: 0 } })).outcome).toBe('unknown');
});

test('limits that nothing could meet are refused', () => {
  expect(() => amplification('orders->payment').below(0)).toThrow('Expected an amplification above 0 for orders->payment, got 0');
  expect(() => errors('checkout').below('0%')).toThrow('cannot fail');
  expect(() => shedding('gateway').between('90%', '2%')).toThrow("got between('90%', '2%')");
  expect(() => latency('browse').p50.below('0ms')).toThrow("Expected a limit above 0 for the latency of browse, got '0ms'");
});

test('a percentile that nobody measures is refused by its name', () => {
  const percentiles: Record<string, unknown> = latency('browse');
  expect(() => percentiles.p42).toThrow("Expected a percentile out of p50, p95, p99, got 'p42'");
  expect(Object.keys(percentiles)).toEqual(['p50', 'p95', 'p99']);
  // What is no expectation is asked for its sentence.
  expect(percentiles.sentence).toBeUndefined();
});

test.each([
  () => latency('browse').p50.below('1s', { form: '1s' } as never),
  () => latency('browse').p50.within(2, 'calm', { form: '1s' } as never),
  () => errors('browse').below('1%', { form: '1s' } as never),
])('a misspelled option of an expectation is refused: %#', (make) => {
  expect(make).toThrow("Expected the options of an expectation to have 'from' only, got 'form'");
});

test('names that the mall does not have are refused when a scenario is read', () => {
  expect(() => latency('chekout' as 'checkout')).toThrow("Expected a route (browse, view, checkout), got 'chekout'");
  expect(() => breaker('user->payment' as 'orders->payment')).toThrow("got 'user->payment'");
  expect(() => shedding('shop' as 'gateway')).toThrow("got 'shop'");
  expect(() => balance('orders->mysql')).toThrow('an edge to a service that has replicas');
});
