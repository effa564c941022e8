import { expect, test } from 'vitest';
import { bodyLimit, openLimits } from '../../../../system/gateway/limits.ts';
import { type TuningChange, tuningOf } from '../../../../system/tuning.ts';
import { testRuntime } from '../../../support/runtime.ts';

const rate = { ratePerSecond: 5, burst: 10 };
const limitsOf = (limits: NonNullable<TuningChange['limits']>) => tuningOf('gateway', { mall: { limits } }).limits;

test.each<[string, NonNullable<TuningChange['limits']>]>([
  ['no route has a limit', {}],
  ['limits are switched off', { enabled: false, rates: { 'POST /api/v1/orders': rate } }],
])('where %s, Redis is not opened', (_what, limits) => {
  const runtime = testRuntime('gateway', { tuning: { limits } });
  const limitOf = openLimits(runtime);
  expect(['GET /api/v1/products', 'POST /api/v1/orders'].map(limitOf)).toEqual([undefined, undefined]);
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
