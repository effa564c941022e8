import { trace } from '@opentelemetry/api';
import { expect, test } from 'vitest';
import { codes } from '../../../../../system/errors.ts';
import type { Order, OrderStatus } from '../../../../../system/services/orders/orders.ts';
import { placing } from '../../../../../system/services/orders/place.ts';
import type { ClaimedOrder } from '../../../../../system/services/orders/store.ts';

const basket = [
  { productId: 'sku-2', quantity: 1 },
  { productId: 'sku-1', quantity: 2 },
];

test('a new order is written with one line a product, at the prices of the catalogue, and fulfilled', async () => {
  const { place } = desk([]);
  expect(await place({ userId: 7, key: 'k', wanted: basket })).toMatchObject({
    status: 'PAID',
    totalCents: 300,
    lines: [
      { productId: 'sku-1', quantity: 2, priceCents: 100 },
      { productId: 'sku-2', quantity: 1, priceCents: 100 },
    ],
  });
});

test.each<[OrderStatus[], OrderStatus, number]>([
  [['PAID'], 'PAID', 0],
  [['PENDING'], 'PENDING', 0],
  [['CANCELLED'], 'CANCELLED', 0],
  [['CREATED', 'CREATED', 'CREATED', 'PAID'], 'PAID', 300],
  [['CREATED', 'CANCELLING'], 'CANCELLING', 100],
  [['CREATED'], 'CREATED', 800],
])('who asks again while the order becomes %j hears %s, after %i ms', async (statuses, heard, waitedMs) => {
  const { place, waited } = desk(statuses);
  expect(await place({ userId: 7, key: 'k', wanted: basket })).toMatchObject({ id: 'first', status: heard });
  expect(waited()).toBe(waitedMs);
});

test('who is second with the same checkout hears of the order that was first', async () => {
  const { place } = desk(['CREATED', 'PAID'], { isFoundAtOnce: false });
  expect(await place({ userId: 7, key: 'k', wanted: basket })).toMatchObject({ id: 'first', status: 'PAID' });
});

test.each([true, false])('a key cannot be used for another basket (found at once: %s)', async (isFoundAtOnce) => {
  const { place } = desk(['PAID'], { isFoundAtOnce });
  await expect(place({ userId: 7, key: 'k', wanted: [{ productId: 'sku-1', quantity: 2 }] })).rejects.toMatchObject({
    code: codes.orderStatus,
    httpStatus: 409,
  });
});

/** Where orders are placed. When there are `statuses`, the key belongs to an order that has them one after the other. */
function desk(statuses: readonly OrderStatus[], { isFoundAtOnce = true } = {}) {
  const upcoming = [...statuses];
  let status = upcoming.shift();
  let isHidden = !isFoundAtOnce;
  let waitedMs = 0;
  const lines = [
    { productId: 'sku-1', quantity: 2, priceCents: 100 },
    { productId: 'sku-2', quantity: 1, priceCents: 100 },
  ];
  const place = placing(
    { tracer: trace.getTracer('test'), clock: { epochOffsetNs: 0n, nowNs: () => 0n, nowMs: () => 0 } },
    {
      store: {
        async byKey(): Promise<Order | undefined> {
          if (status === undefined || isHidden) return undefined;
          return { id: 'first', userId: 7, status, totalCents: 300, lines };
        },
        async insert(order): Promise<ClaimedOrder | undefined> {
          isHidden = false;
          return status === undefined ? { ...order, status: 'CREATED', claimMs: 1 } : undefined;
        },
      },
      user: { get: async () => ({ id: 7, mobile: '13800000007', name: 'Ming' }) },
      product: {
        getMany: async ({ ids = [] }) => ({ items: ids.map((id) => ({ id, name: id, description: '', priceCents: 100 })) }),
      },
      inventory: { check: async () => ({ available: true, missing: [] }) },
      fulfil: async (order) => ({ ...order, status: 'PAID' }),
      newId: () => 'new',
      async pause(ms) {
        waitedMs += ms;
        status = upcoming.shift() ?? status;
      },
    },
  );
  return { place, waited: () => waitedMs };
}
