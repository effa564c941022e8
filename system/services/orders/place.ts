import { MallError } from '../../errors.ts';
import type { Client } from '../../rpc/client.ts';
import type { Runtime } from '../../runtime.ts';
import { inSpan } from '../../telemetry/spans.ts';
import type { Fulfil } from './fulfil.ts';
import { isKey, linesOf, type Order, type OrderLine, priced, totalCentsOf, type WantedLine } from './orders.ts';
import type { OrderStore } from './store.ts';

/**
 * Places an order, once for each key of a user. The order comes back PAID, or PENDING when it is accepted and payment is away.
 * Rejects with a `MallError` for an order that is not accepted.
 */
export function placing(
  runtime: Runtime,
  {
    store,
    user,
    product,
    inventory,
    fulfil,
    newId,
  }: {
    store: OrderStore;
    user: Client<'user'>;
    product: Client<'product'>;
    inventory: Client<'inventory'>;
    fulfil: Fulfil;
    newId: () => string;
  },
) {
  return async function place({ userId, key, wanted }: { userId: number; key: string; wanted: readonly WantedLine[] }): Promise<Order> {
    if (!isKey(key)) throw new MallError('badParameter', 'Expected an idempotency key of 1 to 64 visible ASCII characters');
    const asked = orBadParameter(linesOf(wanted));

    const earlier = await store.byKey({ userId, key });
    if (earlier !== undefined) return earlier;

    const [lines] = await Promise.all([pricesOf(asked), inSpan(runtime, 'verify_user', () => user.get({ id: userId }))]);
    const { available, missing } = await inSpan(runtime, 'check_stock', () => inventory.check({ lines: asked }));
    if (!available) throw new MallError('outOfStock', `Not enough is left of ${missing.map((id) => `'${id}'`).join(', ')}`);
    const order = await inSpan(runtime, 'create_order', () =>
      store.insert({ id: newId(), userId, key, totalCents: totalCentsOf(lines), lines }, placingTakesAtMostMs),
    );
    return order === undefined ? placedMeanwhile({ userId, key }) : fulfil(order, 'placing');
  };

  async function pricesOf(asked: WantedLine[]): Promise<OrderLine[]> {
    const { items } = await product.getMany({ ids: asked.map(({ productId }) => productId) });
    return orBadParameter(priced(asked, new Map(items.map(({ id, priceCents }) => [id, priceCents]))));
  }

  /** The same checkout came twice at once, and the other one was first. */
  async function placedMeanwhile(which: { userId: number; key: string }): Promise<Order> {
    const order = await store.byKey(which);
    if (order === undefined) throw new MallError('orderCreateFailed', 'The order exists already and cannot be read');
    return order;
  }
}

/** After this the sweep takes an order for abandoned; every deadline of a checkout is far below. */
const placingTakesAtMostMs = 10_000;

function orBadParameter<T extends object>(parsed: T | string): T {
  if (typeof parsed === 'string') throw new MallError('badParameter', parsed);
  return parsed;
}
