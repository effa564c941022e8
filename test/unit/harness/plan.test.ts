import { expect, test } from 'vitest';
import { breaker, latency, phase, ramp, type scenario as Scenario, scenario, slow, steady, stock } from '../../../harness/index.ts';
import { requestsPerShopper } from '../../../harness/load.ts';
import { checkPercentiles, describePlan, planRun } from '../../../harness/plan.ts';
import flashSale from '../../../scenarios/flash-sale.ts';

type Rest = Parameters<typeof Scenario>[1];
const calm = phase('calm', { lasts: '10s', load: steady('200/s'), expect: [] });
const told = (rest: Partial<Rest>) =>
  scenario('a test', {
    story: 'Nothing happens.',
    mall: {},
    shoppers: { browse: 1, view: 0, checkout: 1 },
    timeline: [calm],
    always: [stock.neverOversold()],
    ...rest,
  });

test('the flash sale is a valid plan', () => {
  const plan = planRun(flashSale);
  expect(plan.needsCapacity).toBe(true);
  expect(plan.phases.map(({ phase }) => phase.name)).toEqual(['before', 'rush', 'after']);
  expect(describePlan(plan)).toContain('! orders->payment: slowed by 1s');
});

test('phases follow each other without a gap', () => {
  const plan = planRun(told({ timeline: [calm, { ...calm, name: 'again', lasts: '1m' }, { ...calm, name: 'end' }] }));
  expect(plan.phases.map(({ fromMs }) => fromMs)).toEqual([0, 10_000, 70_000]);
  expect(plan.lastsMs).toBe(80_000);
});

test('all shoppers browse, some go on to view and some of those check out', () => {
  expect(requestsPerShopper({ browse: 5, view: 3, checkout: 2 })).toEqual({ browse: 1, view: 0.5, checkout: 0.2 });
});

test.each<[string, Partial<Rest>, string]>([
  ['no phases', { timeline: [] }, "Scenario 'a test' has no phases"],
  ['two phases of one name', { timeline: [calm, calm] }, "Two phases are called 'calm'"],
  ['a service that does not exist', { mall: { replicas: { shop: 2 } as never } }, "got 'shop'"],
  ['no replica at all', { mall: { replicas: { orders: 0 } } }, 'Expected a whole number of orders replicas from 1, got 0'],
  ['half a piece in stock', { mall: { stock: { 'sku-1': 0.5 } } }, "Expected a whole number of pieces of 'sku-1', got 0.5"],
  ['no shoppers', { shoppers: { browse: 0, view: 0, checkout: 0 } }, 'Expected some shoppers'],
  ['a share above one', { shoppers: { browse: 1, view: 1, checkout: 1, wanted: { product: 'sku-1', share: 30 } } }, 'from 0 to 1, got 30'],
  ['a duration without a unit', { timeline: [{ ...calm, lasts: '10' as '10s' }] }, "Phase 'calm': Expected a duration such as"],
  ['a rate without a unit', { timeline: [{ ...calm, load: steady('50' as '50/s') }] }, "Phase 'calm': Expected a rate such as"],
  ['a standstill', { timeline: [{ ...calm, load: ramp('0/s', '5/s') }] }, "Expected a rate above 0, got '0/s'"],
  ['a stop condition that is none', { stopConditions: ['stop' as never] }, "Expected stop conditions such as abortWhen('browse', …)"],
  [
    'a fault on no edge',
    { timeline: [{ ...calm, faults: [slow('user->payment' as 'orders->payment', { by: '1s' })] }] },
    "got 'user->payment'",
  ],
  [
    'a fault on no replica',
    { timeline: [{ ...calm, faults: [slow('orders->payment', { by: '1s', replica: 9 })] }] },
    'There is no replica 9 of payment',
  ],
  [
    'a fault on a replica of a server',
    { timeline: [{ ...calm, faults: [slow('orders->mysql', { by: '1s', replica: 1 })] }] },
    'has no replicas',
  ],
  [
    'a tuning out of range',
    { mall: { tuning: { gateway: { shedding: { cpuThresholdMilli: 1_200 } } } } },
    "Expected 'gateway.shedding.cpuThresholdMilli' to be a whole number from 0 to 999, got 1200",
  ],
  ['a fault without a unit', { timeline: [{ ...calm, faults: [slow('orders->payment', { by: '1' as '1s' })] }] }, "got '1'"],
  [
    'a fault that outlives its phase',
    { timeline: [{ ...calm, faults: [slow('orders->payment', { by: '1s', from: '8s', lasts: '3s' })] }] },
    'ends at 11000 ms',
  ],
  [
    'a claim longer than its phase',
    { timeline: [{ ...calm, expect: [breaker('orders->payment').opens({ within: '11s' })] }] },
    'does not fit into 10 s',
  ],
  [
    'a percentile without its requests',
    { timeline: [{ ...calm, load: steady('20/s'), expect: [latency('checkout').p95.below('1s')] }] },
    'needs 200 checkout requests, the load is sure to give only 70',
  ],
  [
    'a percentile of a route nobody takes',
    { shoppers: { browse: 1, view: 0, checkout: 0 }, timeline: [{ ...calm, expect: [latency('view').p50.below('1s')] }] },
    'sure to give only 0',
  ],
  [
    'a percentile after the end',
    { timeline: [{ ...calm, expect: [latency('browse').p50.below('1s', { from: '10s' })] }] },
    'begins after its 10 s are over',
  ],
  [
    'a comparison with no phase',
    { timeline: [{ ...calm, expect: [latency('browse').p50.within(2, 'befor')] }] },
    'compares with a phase that is not over by then; there are none',
  ],
])('%s is refused in one sentence', (_name, rest, sentence) => {
  expect(() => planRun(told(rest))).toThrow(sentence);
});

test('a percentile that its phase supports is accepted', () => {
  expect(() => planRun(told({ timeline: [{ ...calm, expect: [latency('checkout').p95.below('1s')] }] }))).not.toThrow();
});

test('once the capacity is known, a multiple of it must support its percentiles too', () => {
  const plan = planRun(told({ timeline: [{ ...calm, load: steady('0.5x'), expect: [latency('checkout').p95.below('1s')] }] }));
  expect(() => checkPercentiles(plan, 200)).not.toThrow();
  expect(() => checkPercentiles(plan, 50)).toThrow('sure to give only 91, at a capacity of 50 shoppers/s');
});
