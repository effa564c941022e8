import { expect, test } from 'vitest';
import { changesWithout, mechanisms, type TuningChanges, tuningOf } from '../../../system/tuning.ts';

test('the defaults are those of go-zero', () => {
  const { breaker, shedding, balancing, deadlines, retries, limits, cache, stop } = tuningOf('orders');
  expect(breaker).toMatchObject({
    enabled: true,
    judges: 'status',
    countsDrops: true,
    windowMs: 10_000,
    multiplier: 1.5,
    toleratedCalls: 5,
  });
  expect(shedding).toMatchObject({ enabled: true, cpuThresholdMilli: 900, cpuMemory: 0.95, priorityRoutes: [] });
  expect(balancing).toEqual({ policy: 'p2c_ewma', keepsState: false, failuresRaiseLoad: false });
  expect(deadlines).toMatchObject({ enabled: true, httpMs: 3_000, serverMs: 2_000, routes: {}, methods: {} });
  expect(retries.attempts).toBe(1);
  expect(limits).toMatchObject({ enabled: true, connections: 10_000, bytes: 1_048_576, rates: {}, quotas: {} });
  expect(cache).toMatchObject({ enabled: true, expirySeconds: 7 * 86_400, missingSeconds: 60, withoutRedis: 'fails' });
  expect(stop).toEqual({ wrapUpMs: 1_000, waitMs: 5_500 });
});

test('a change says only what differs, and one for a service comes after one for the mall', () => {
  const changes: TuningChanges = {
    mall: { breaker: { judges: 'cause' }, shedding: { cpuThresholdMilli: 950 } },
    gateway: { shedding: { cpuThresholdMilli: 800 } },
  };
  expect(tuningOf('gateway', changes)).toMatchObject({ breaker: { judges: 'cause', enabled: true }, shedding: { cpuThresholdMilli: 800 } });
  expect(tuningOf('orders', changes).shedding.cpuThresholdMilli).toBe(950);
});

test('a named deadline leaves the others as they are', () => {
  const { edges } = tuningOf('orders', { mall: { deadlines: { edges: { 'orders->payment': 100 } } } }).deadlines;
  expect(edges).toMatchObject({ 'orders->payment': 100, 'orders->user': 1_000 });
});

test.each(mechanisms)('%s can be switched off, whatever a scenario tuned', (mechanism) => {
  const tuned = tuningOf('gateway', { gateway: { retries: { attempts: 3 } } });
  const without = tuningOf('gateway', { gateway: { retries: { attempts: 3 } } }, ...changesWithout([mechanism]));
  expect(without).not.toEqual(tuned);
});

test.each<[string, string, unknown]>([
  [
    "Expected 'gateway.shedding.cpuThresholdMilli' to be a whole number from 0 to 999, got 1200",
    'gateway',
    { shedding: { cpuThresholdMilli: 1200 } },
  ],
  ['Expected \'mall.breaker.multiplier\' to be a number from 1 to 100, got "2"', 'mall', { breaker: { multiplier: '2' } }],
  ['Expected \'mall.breaker.enabled\' to be true or false, got "no"', 'mall', { breaker: { enabled: 'no' } }],
  ["Expected 'mall.shedding' to be an object, got 5", 'mall', { shedding: 5 }],
  ["Expected 'mall' to have known fields only, got 'sheding'", 'mall', { sheding: {} }],
  [
    'Expected \'mall.balancing.policy\' to be one of p2c_ewma, p2c_inflight, round_robin, got "luck"',
    'mall',
    { balancing: { policy: 'luck' } },
  ],
  ["Expected 'mall' to be an object, got 5", 'mall', 5 as unknown as object],
  [
    'Expected \'mall.breaker\' to be a breaker with a multiplier of at least its leastMultiplier, got {"enabled":true,"judges":"status","countsDrops":true,"windowMs":10000,"multiplier":1,"leastMultiplier":1.1,"toleratedCalls":5,"forcedPassMs":1000}',
    'mall',
    { breaker: { multiplier: 1 } },
  ],
  [
    'Expected \'mall.stop\' to be a stop with a waitMs above its wrapUpMs, got {"wrapUpMs":1000,"waitMs":1000}',
    'mall',
    { stop: { waitMs: 1_000 } },
  ],
  [
    'Expected \'mall.retries\' to be retries with a firstDelayMs of at most their longestDelayMs, got {"attempts":1,"firstDelayMs":5000,"longestDelayMs":1000,"budgetShare":0.1}',
    'mall',
    { retries: { firstDelayMs: 5_000 } },
  ],
  [
    "Expected 'mall.deadlines.edges' to name one of gateway->user, gateway->product, gateway->orders, orders->user, orders->product, orders->inventory, orders->payment, got 'user->payment'",
    'mall',
    { deadlines: { edges: { 'user->payment': 5 } } },
  ],
  [
    'Expected \'mall.limits.rates.POST /api/v1/orders\' to be a limit with a burst of at least half its rate per second (with less the bucket would expire at once), got {"ratePerSecond":10,"burst":4}',
    'mall',
    { limits: { rates: { 'POST /api/v1/orders': { ratePerSecond: 10, burst: 4 } } } },
  ],
  [
    "Expected 'mall.limits.quotas.GET /api/v1/orders.quota' to be a whole number from 1 to 1000000000, got nothing",
    'mall',
    { limits: { quotas: { 'GET /api/v1/orders': { seconds: 1 } } } },
  ],
  ["Expected a tuning of 'mall' or a service (gateway, user, product, inventory, orders, payment), got 'shop'", 'shop', {}],
])('%s', (sentence, place, change) => {
  expect(() => tuningOf('gateway', { [place]: change } as TuningChanges)).toThrow(new TypeError(sentence));
});

test.each([
  ['deadlines.routes', { deadlines: { routes: { 'POST /api/v1/ordres': 5 } } }],
  ['deadlines.methods', { deadlines: { methods: { '/orders.Orders/Craete': 5 } } }],
  ['deadlines.edges', { deadlines: { edges: { 'orders->mysql': 5 } } }],
  ['limits.quotas', { limits: { quotas: { 'GET /nowhere': { seconds: 1, quota: 1 } } } }],
  ['shedding.priorityRoutes', { shedding: { priorityRoutes: ['GET /nowhere'] } }],
])("a name in %s that is not the mall's is an error", (field, change) => {
  expect(() => tuningOf('gateway', { mall: change } as TuningChanges)).toThrow(`Expected 'mall.${field}' to `);
});

test.each(['rates', 'quotas'] as const)('%s per user are for routes with a login', (kind) => {
  const rule = { ratePerSecond: 5, burst: 10, seconds: 60, quota: 100, per: 'user' as const };
  const { ratePerSecond, burst, seconds, quota, per } = rule;
  const limit = kind === 'rates' ? { ratePerSecond, burst, per } : { seconds, quota, per };
  const tune = (route: string) => tuningOf('gateway', { gateway: { limits: { [kind]: { [route]: limit } } } });
  expect(tune('POST /api/v1/orders').limits[kind]).toEqual({
    'POST /api/v1/orders': { ...limit, ...(kind === 'quotas' && { aligned: false }) },
  });
  expect(() => tune('GET /api/v1/products')).toThrow(
    "Expected 'gateway.limits' to be limits 'per' user only on routes that ask for a login",
  );
});
