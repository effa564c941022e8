import { expect, test } from 'vitest';
import { bodyLimit, checkLimits, openLimits } from '../../../../system/gateway/limits.ts';
import { type TuningChange, tuningOf } from '../../../../system/tuning.ts';
import { testRuntime } from '../../../support/runtime.ts';

const routes = [
  { name: 'GET /api/v1/products', hasUser: false },
  { name: 'POST /api/v1/orders', hasUser: true },
];
const rate = { ratePerSecond: 5, burst: 10 };
const quota = { seconds: 60, quota: 100 };
const limitsOf = (limits: NonNullable<TuningChange['limits']>) => tuningOf('gateway', { mall: { limits } }).limits;

test.each<[NonNullable<TuningChange['limits']>, string]>([
  [
    { rates: { 'GET /api/v1/order': rate } },
    "Expected 'limits.rates' to be of routes of the gateway (GET /api/v1/products, POST /api/v1/orders), got 'GET /api/v1/order'",
  ],
  [{ quotas: { 'POST /api/v1/products': quota } }, "'limits.quotas'"],
  [
    { rates: { 'GET /api/v1/products': { ...rate, per: 'user' } } },
    'Expected \'limits.rates.GET /api/v1/products.per\' to be route or client, because nobody is logged in there, got "user"',
  ],
  [{ enabled: false, quotas: { 'GET /api/v1/products': { ...quota, per: 'user' } } }, "'limits.quotas.GET /api/v1/products.per'"],
])('%j is no limit of this gateway', (limits, complaint) => {
  expect(() => checkLimits(limitsOf(limits), routes)).toThrow(complaint);
});

test('limits of routes that are there are welcome, of their users too', () => {
  const limits = limitsOf({
    rates: { 'POST /api/v1/orders': { ...rate, per: 'user' }, 'GET /api/v1/products': { ...rate, per: 'client' } },
    quotas: { 'POST /api/v1/orders': quota },
  });
  expect(() => checkLimits(limits, routes)).not.toThrow();
});

test.each<[string, NonNullable<TuningChange['limits']>]>([
  ['no route has a limit', {}],
  ['limits are switched off', { enabled: false, rates: { 'POST /api/v1/orders': rate } }],
])('where %s, Redis is not opened', (_what, limits) => {
  const runtime = testRuntime('gateway', { tuning: { limits } });
  const limitOf = openLimits(runtime);
  expect(routes.map(({ name }) => limitOf(name))).toEqual([undefined, undefined]);
  expect(runtime.metrics.stores.redisPools).toEqual([]);
});

test.each<[NonNullable<TuningChange['limits']>, number]>([
  [{}, 1_048_576],
  [{ bytes: 100 }, 100],
  [{ bytes: 0 }, 8 * 1_048_576],
  [{ bytes: 100, enabled: false }, 8 * 1_048_576],
])('with %j a body may have %i bytes', (limits, bytes) => {
  expect(bodyLimit(limitsOf(limits))).toBe(bytes);
});
