import { expect, test } from 'vitest';
import { createCallCounts } from '../../../../harness/observe/calls.ts';
import { type FaultTimes, impactsOf, routeImpactsOf } from '../../../../harness/observe/impact.ts';
import type { Impact } from '../../../../harness/observe/observations.ts';
import { type ShopperRequests, shopperRequests } from '../../../../harness/observe/shoppers.ts';
import { newHistogram, toBase64 } from '../../../../harness/recording.ts';
import { type Edge, edges, type Route } from '../../../../system/topology.ts';
import { aCall } from './a-span.ts';

/** The timeline begins when the mall has been running for 20 s; the fault is on from 30 s to 40 s, and the run ends at 60 s. */
const timeline = { fromMs: 20_000, untilMs: 60_000 };
const fault: FaultTimes = { subject: 'orders->payment', askedMs: 29_998, fromMs: 30_000, untilMs: 40_000 };
type State = 'fine' | 'slow' | 'failing' | 'refused';
/** How the edge does in some second of the run. */
type Story = (second: number) => State;

test('an edge that was hurt and came back', () => {
  const [impact] = impacts({ 'orders->payment': (second) => (second < 30 || second >= 43 ? 'fine' : second < 32 ? 'failing' : 'refused') });
  expect(impact).toMatchObject({
    edge: 'orders->payment',
    // 50 calls a second.
    wanted: 500,
    failed: 100,
    refused: 400,
    sent: 100,
    amplification: 0.2,
    recovered: 'yes',
    calmAfterMs: 3_000,
    watchedMs: 20_000,
    troubledShareAfter: 0,
  });
  // A call that fails takes 5 ms here, and one that is refused none.
  expect(impact?.firstErrorAfterMs).toBeCloseTo(5, 6);
  expect(impact?.firstRefusalAfterMs).toBeCloseTo(2_000, 6);
  expect(impact?.lastErrorAfterMs).toBeCloseTo(2_980, 6);
});

test('an edge that stays down after the fault is gone has not recovered', () => {
  const [impact] = impacts({ 'orders->payment': (second) => (second < 30 ? 'fine' : 'failing') });
  expect(impact).toMatchObject({ recovered: 'no', troubledShareAfter: 1, watchedMs: 20_000 });
  expect(impact?.calmAfterMs).toBeUndefined();
});

test('an edge that stays slow after the fault is gone has not recovered either', () => {
  const [impact] = impacts({ 'orders->payment': (second) => (second < 30 ? 'fine' : 'slow') });
  expect(impact).toMatchObject({ failed: 0, recovered: 'no', troubledShareAfter: 1 });
  expect(impact?.lastErrorAfterMs).toBeUndefined();
  const { before = 0, during = 0, after = 0 } = impact?.latencyMsP95 ?? {};
  expect([before > 4 && before < 6, during > 95, after > 95]).toEqual([true, true, true]);
});

test('a hiccup long after does not put off the way back, a relapse does', () => {
  const story: Story = (second) => (second >= 30 && second < 41 ? 'failing' : 'fine');
  expect(impacts({ 'orders->payment': story }, { hiccupMs: 55_000 })[0]).toMatchObject({ recovered: 'yes', calmAfterMs: 1_000 });
  expect(impacts({ 'orders->payment': (second) => (second === 55 ? 'failing' : story(second)) })[0]).toMatchObject({
    recovered: 'yes',
    calmAfterMs: 16_000,
  });
});

test('a calm that has only just begun when the run ends may be a pause', () => {
  const story: Story = (second) => (second < 30 || second >= 59 ? 'fine' : 'failing');
  const [impact] = impacts({ 'orders->payment': story });
  expect(impact).toMatchObject({ recovered: 'unknown', watchedMs: 20_000 });
  expect(impact?.calmAfterMs).toBeUndefined();
});

test('errors count by when they came, also of calls that were under way when the fault began or ended', () => {
  const seen = createCallCounts();
  const failing = (startMs: number, endMs: number) => seen.count(aCall('orders->payment', { startMs, endMs, failed: true }));
  failing(29_000, 29_500);
  failing(29_900, 29_999);
  failing(39_000, 41_500);
  const [impact] = impactsOf(fault, { all: [fault], seen, timeline });
  expect(impact).toMatchObject({ failed: 1, firstErrorAfterMs: 0, lastErrorAfterMs: 1_500 });
});

test('an edge that nothing happened to is back at once', () => {
  expect(impacts({ 'orders->payment': () => 'fine' })).toMatchObject([
    { failed: 0, refused: 0, amplification: 1, recovered: 'yes', calmAfterMs: 0 },
  ]);
});

test.each<[string, { story?: Story; others?: FaultTimes[]; from?: number }]>([
  ['there was no calm before', { story: () => 'failing', from: 30 }],
  ['the calm before was too short', { others: [{ ...fault, askedMs: 21_500, fromMs: 21_500, untilMs: 22_000 }] }],
  [
    'another fault begins a second after',
    { others: [{ ...fault, subject: 'user->redis', askedMs: 41_000, fromMs: 41_000, untilMs: 50_000 }] },
  ],
  ['another fault goes on', { others: [{ ...fault, subject: 'user->redis', askedMs: 35_000, fromMs: 35_000, untilMs: 59_000 }] }],
])('whether an edge that fails on has recovered is unknown where %s', (_case, { story, others = [], from = 20 }) => {
  const failsOn: Story = (second) => (second < 30 ? 'fine' : 'failing');
  expect(impacts({ 'orders->payment': story ?? failsOn }, { others, from })[0]?.recovered).toBe('unknown');
});

test('an edge that is back has recovered, whatever goes on elsewhere', () => {
  const others = [{ ...fault, subject: 'user->redis', askedMs: 35_000, fromMs: 35_000, untilMs: 59_000 }];
  expect(impacts({ 'orders->payment': (second) => (second >= 30 && second < 41 ? 'failing' : 'fine') }, { others })[0]).toMatchObject({
    recovered: 'yes',
    calmAfterMs: 1_000,
  });
});

test('retries count as load, not as wanted', () => {
  const spans = Array.from({ length: 100 }, (_, index) => [
    aCall('orders->payment', { startMs: 30_000 + index * 50, failed: true }, { 'mall.peer': 'payment.1' }),
    aCall('orders->payment', { startMs: 30_010 + index * 50 }, { 'mall.peer': 'payment.2', 'mall.attempt': 2 }),
  ]).flat();
  const counts = createCallCounts();
  for (const span of spans) counts.count(span);
  expect(impactsOf(fault, { all: [fault], seen: counts, timeline })[0]).toMatchObject({ wanted: 100, sent: 200, amplification: 2 });
});

test('the own edge comes first, then those that were hurt, the most hurt first; the others are left out', () => {
  const found = impacts({
    'orders->payment': () => 'fine',
    'gateway->orders': (second) => (second >= 30 && second < 33 ? 'failing' : 'fine'),
    'gateway->product': (second) => (second >= 30 && second < 39 ? 'failing' : 'fine'),
    'user->redis': () => 'fine',
  });
  expect(found.map(({ edge }) => edge)).toEqual(['orders->payment', 'gateway->product', 'gateway->orders']);
});

test('a fault of a process is told for each edge that leads to it', () => {
  const found = impacts({ 'orders->user': () => 'fine', 'gateway->user': () => 'fine', 'user->redis': () => 'fine' }, { subject: 'user' });
  expect(found.map(({ edge }) => edge).sort()).toEqual(['gateway->user', 'orders->user']);
});

test('few errors hurt, where there were none', () => {
  const counts = createCallCounts();
  for (let startMs = 20_000; startMs < 60_000; startMs += 20) {
    const failed = startMs >= 30_000 && startMs < 40_000 && startMs % 500 === 0;
    counts.count(aCall('gateway->orders', { startMs, endMs: startMs + 5, failed }));
  }
  const found = impactsOf(fault, { all: [fault], seen: counts, timeline });
  expect(found).toMatchObject([{ edge: 'gateway->orders', wanted: 500, failed: 20 }]);
});

test('all edges that were hurt are found, however many there are', () => {
  const story: Story = (second) => (second >= 30 && second < 40 ? 'failing' : 'fine');
  expect(impacts(Object.fromEntries(edges.map((edge) => [edge, story])))).toHaveLength(edges.length);
});

test('what shoppers had of a fault is told for each route that was asked for', () => {
  const quiet: ShopperRequests = { calls: () => ({ count: 0, failed: 0, refused: 0, retried: 0 }), slices: () => [], troubles: () => ({}) };
  const seen = (route: Route) =>
    route === 'checkout' ? shoppersOf((second) => (second >= 31 && second < 42 ? 'failing' : 'fine')) : quiet;
  expect(routeImpactsOf(fault, { all: [fault], seen, timeline })).toMatchObject([
    {
      route: 'checkout',
      ...{ wanted: 500, failed: 450, firstErrorAfterMs: 1_000, lastErrorAfterMs: 2_000 },
      ...{ recovered: 'yes', calmAfterMs: 2_000, outcomes: { timeout: 450 } },
    },
  ]);
});

test('edges without a call say nothing', () => {
  expect(impacts({})).toEqual([]);
});

function impacts(
  stories: Partial<Record<Edge, Story>>,
  {
    others = [],
    from = 20,
    subject = 'orders->payment',
    hiccupMs,
  }: { others?: FaultTimes[]; from?: number; subject?: string; hiccupMs?: number } = {},
): Impact[] {
  const counts = createCallCounts();
  for (const [edge, story] of Object.entries(stories)) {
    for (let startMs = from * 1_000; startMs < timeline.untilMs; startMs += 20) {
      const isHiccup = hiccupMs !== undefined && startMs >= hiccupMs && startMs < hiccupMs + 300;
      const state = isHiccup ? 'failing' : story(Math.floor(startMs / 1_000));
      const tookMs = { fine: 5, slow: 100, failing: 5, refused: 0 }[state];
      const refused = state === 'refused' ? { 'mall.refused_by': 'breaker' } : { 'mall.peer': 'payment.1' };
      counts.count(aCall(edge, { startMs, endMs: startMs + tookMs, failed: state !== 'fine' && state !== 'slow' }, refused));
    }
  }
  const own = { ...fault, subject };
  return impactsOf(own, { all: [own, ...others], seen: counts, timeline });
}

/** 50 requests a second. */
function shoppersOf(story: Story): ShopperRequests {
  const seconds = Array.from({ length: 40 }, (_, index) => ({
    outcome: story(20 + index) === 'fine' ? ('ok' as const) : ('timeout' as const),
    atMs: 20_000 + index * 1_000,
  }));
  const recorded = newHistogram();
  recorded.recordValueWithCount(20_000, 50);
  return shopperRequests({
    seconds: seconds.map(({ outcome, atMs }) => ({
      phase: '',
      route: 'checkout',
      outcome,
      atMs,
      count: 50,
      histogram: toBase64(recorded),
    })),
  })('checkout');
}
