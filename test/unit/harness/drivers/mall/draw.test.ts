import { expect, test } from 'vitest';
import { seededRandom } from '../../../../../core/random.ts';
import { createJourneys, nextRoute, requestOf } from '../../../../../harness/drivers/mall/draw.ts';
import type { Shoppers } from '../../../../../harness/load.ts';

const draw = (count: number, shoppers: Shoppers, seed = 1) => {
  const next = createJourneys({
    shoppers,
    catalogue: { size: 5 },
    accounts: { count: 3 },
    runTag: 'cafe0001',
    random: seededRandom(seed),
  });
  return Array.from({ length: count }, next);
};

test('shoppers go as far as the mix says', () => {
  const journeys = draw(10_000, { browse: 5, view: 3, checkout: 2 });
  const share = (route: string) => journeys.filter(({ furthest }) => furthest === route).length / journeys.length;
  expect(share('browse')).toBeCloseTo(0.5, 1);
  expect(share('view')).toBeCloseTo(0.3, 1);
  expect(share('checkout')).toBeCloseTo(0.2, 1);
});

test('the wanted product gets its share, the others the rest evenly', () => {
  const journeys = draw(10_000, { browse: 1, view: 1, checkout: 1, wanted: { product: 'sku-3', share: 0.6 } });
  const share = (product: string) => journeys.filter((journey) => journey.product === product).length / journeys.length;
  expect(share('sku-3')).toBeCloseTo(0.6, 1);
  for (const other of ['sku-1', 'sku-2', 'sku-4', 'sku-5']) expect(share(other)).toBeCloseTo(0.1, 1);
});

test('without a wanted product nobody takes sku-1, the one that scenarios make scarce', () => {
  expect(new Set(draw(1_000, { browse: 1, view: 1, checkout: 1 }).map(({ product }) => product))).toEqual(
    new Set(['sku-2', 'sku-3', 'sku-4', 'sku-5']),
  );
});

test('pages are 1 to 5, accounts are those that exist, keys are unique', () => {
  const journeys = draw(1_000, { browse: 1, view: 1, checkout: 1 });
  expect([...new Set(journeys.map(({ page }) => page))].sort()).toEqual([1, 2, 3, 4, 5]);
  expect([...new Set(journeys.map(({ account }) => account))].sort()).toEqual([1, 2, 3]);
  expect(new Set(journeys.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1_000);
});

test('the same seed draws the same shoppers', () => {
  const mix = { browse: 1, view: 1, checkout: 1 };
  expect(draw(100, mix, 4)).toEqual(draw(100, mix, 4));
  expect(draw(100, mix, 4)).not.toEqual(draw(100, mix, 5));
});

test.each([
  ['browse', 'browse', undefined],
  ['browse', 'view', 'view'],
  ['view', 'view', undefined],
  ['browse', 'checkout', 'view'],
  ['view', 'checkout', 'checkout'],
  ['checkout', 'checkout', undefined],
] as const)('after %s a shopper who goes as far as %s goes on to %s', (route, furthest, next) => {
  expect(nextRoute(route, furthest)).toBe(next);
});

test('every step is a request of the mall', () => {
  const journey = { furthest: 'checkout', page: 2, product: 'sku-4', account: 1, idempotencyKey: 'cafe0001-7' } as const;
  expect(requestOf('browse', journey, 'secret')).toEqual({ method: 'GET', path: '/api/v1/products?page=2' });
  expect(requestOf('view', journey, 'secret')).toMatchObject({ method: 'GET', path: '/api/v1/products/sku-4' });
  expect(requestOf('checkout', journey, 'secret')).toEqual({
    method: 'POST',
    path: '/api/v1/orders',
    headers: {
      authorization: 'Bearer secret',
      'idempotency-key': 'cafe0001-7',
      'content-type': 'application/json',
    },
    body: '{"items":[{"product_id":"sku-4","quantity":1}]}',
  });
});
