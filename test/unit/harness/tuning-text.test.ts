import { expect, test } from 'vitest';
import { changeFrom, checkChanges, textsOf } from '../../../harness/tuning-text.ts';
import type { TuningChanges } from '../../../system/tuning.ts';

test.each<[string, TuningChanges]>([
  ['mall.breaker.judges=cause', { mall: { breaker: { judges: 'cause' } } }],
  ['gateway.shedding.cpuThresholdMilli=950', { gateway: { shedding: { cpuThresholdMilli: 950 } } }],
  ['orders.breaker.enabled=false', { orders: { breaker: { enabled: false } } }],
  ['mall.deadlines.methods./orders.Orders/Create=100', { mall: { deadlines: { methods: { '/orders.Orders/Create': 100 } } } }],
  ['mall.deadlines.routes.GET /api/v1/orders/:id=100', { mall: { deadlines: { routes: { 'GET /api/v1/orders/:id': 100 } } } }],
  ['mall.shedding.priorityRoutes=["POST /api/v1/orders"]', { mall: { shedding: { priorityRoutes: ['POST /api/v1/orders'] } } }],
])('%s is a change, and the change is that text', (text, change) => {
  expect(changeFrom(text)).toEqual(change);
  expect(textsOf(change)).toEqual([text]);
  expect(() => checkChanges(change)).not.toThrow();
});

test('a value may be an object as JSON', () => {
  const change = changeFrom('mall.limits.rates={"POST /api/v1/orders":{"ratePerSecond":5,"burst":10}}');
  expect(change).toEqual({ mall: { limits: { rates: { 'POST /api/v1/orders': { ratePerSecond: 5, burst: 10 } } } } });
});

test('a change may complete another one', () => {
  const rate: TuningChanges = { mall: { limits: { rates: { 'GET /api/v1/products': { ratePerSecond: 5, burst: 10 } } } } };
  const more: TuningChanges = { gateway: { limits: { rates: { 'GET /api/v1/products': { burst: 20 } } } } };
  expect(() => checkChanges(rate, more)).not.toThrow();
  expect(() => checkChanges(more)).toThrow(
    "Expected 'gateway.limits.rates.GET /api/v1/products.ratePerSecond' to be a number from 0.001 to 1000000, got nothing",
  );
});

test.each(['mall.breaker', '=1', ''])("'%s' is not a field and its value", (text) => {
  expect(() => changeFrom(text)).toThrow(`Expected --tune to be a field and its value such as mall.breaker.judges=cause, got '${text}'`);
});
