import { setTimeout as sleep } from 'node:timers/promises';
import { MallError } from '../../errors.ts';
import type { Client } from '../../rpc/client.ts';
import type { Runtime } from '../../runtime.ts';
import { inSpan } from '../../telemetry/spans.ts';
import type { Fulfilment } from './fulfil.ts';
import { isFor, isKey, linesOf, type Order, type OrderLine, priced, totalCentsOf, type WantedLine } from './orders.ts';
import type { OrderStore } from './store.ts';

/**
 * Places an order, once for each key of a user. A new order comes back PAID, or PENDING when it is accepted and payment is away. A repeated
 * call comes back with the first call's order, whatever became of it, CREATED when that is not known within 800 ms.
 * Rejects with a `MallError` for an order that is not accepted, and for a key that belongs to another basket.
 */
export function placing(
  runtime: Pick<Runtime, 'tracer' | 'clock'>,
  {
    store,
    user,
    product,
    inventory,
    fulfil,
    newId,
    pause = sleep,
  }: {
    store: Pick<OrderStore, 'byKey' | 'insert'>;
    user: Pick<Client<'user'>, 'get'>;
    product: Pick<Client<'product'>, 'getMany'>;
    inventory: Pick<Client<'inventory'>, 'check'>;
    fulfil: Fulfilment['fulfil'];
    newId: () => string;
    pause?: (ms: number) => Promise<void>;
  },
) {
  return async function place({ userId, key, wanted }: { userId: number; key: string; wanted: readonly WantedLine[] }): Promise<Order> {
    if (!isKey(key)) throw new MallError('badParameter', 'Expected an idempotency key of 1 to 64 visible ASCII characters');
    const asked = orBadParameter(linesOf(wanted));

    const earlier = await store.byKey({ userId, key });
    if (earlier !== undefined) return again(earlier, { userId, key, asked });

    const [lines] = await Promise.all([pricesOf(asked), inSpan(runtime, 'verify_user', () => user.get({ id: userId }))]);
    const { available, missing } = await inSpan(runtime, 'check_stock', () => inventory.check({ lines: asked }));
    if (!available) throw new MallError('outOfStock', `Not enough is left of ${missing.map((id) => `'${id}'`).join(', ')}`);
    const order = await inSpan(runtime, 'create_order', () =>
      store.insert({ id: newId(), userId, key, totalCents: totalCentsOf(lines), lines }, placingTakesAtMostMs),
    );
    if (order !== undefined) return fulfil(order);

    // The same checkout came twice at once, and the other one was first.
    const first = await store.byKey({ userId, key });
    if (first === undefined) throw new MallError('orderCreateFailed', 'The order exists already and cannot be read');
    return again(first, { userId, key, asked });
  };

  async function pricesOf(asked: WantedLine[]): Promise<OrderLine[]> {
    const { items } = await product.getMany({ ids: asked.map(({ productId }) => productId) });
    return orBadParameter(priced(asked, new Map(items.map(({ id, priceCents }) => [id, priceCents]))));
  }

  /** The first call's order. While that is CREATED it is neither a yes nor a no, so whoever asks again waits a little for what it becomes. */
  async function again(first: Order, { asked, ...which }: { userId: number; key: string; asked: WantedLine[] }): Promise<Order> {
    if (!isFor(first, asked)) throw new MallError('orderStatus', `The idempotency key belongs to order '${first.id}' of another basket`);
    let order = first;
    for (let looks = 0; order.status === 'CREATED' && looks < mostLooks; looks += 1) {
      await pause(lookEveryMs);
      order = (await store.byKey(which)) ?? order;
    }
    return order;
  }
}

/** After this the sweep takes an order up. Every deadline of a checkout lies before; who is later finds its claim gone and charges nothing. */
const placingTakesAtMostMs = 4_000;
const lookEveryMs = 100;
const mostLooks = 8;

function orBadParameter<T extends object>(parsed: T | string): T {
  if (typeof parsed === 'string') throw new MallError('badParameter', parsed);
  return parsed;
}
