import { MallError } from '../../errors.ts';
import type { Handlers } from '../../rpc/server.ts';
import type { placing } from './place.ts';
import type { OrderStore } from './store.ts';

export function ordersHandlers({ store, place }: { store: OrderStore; place: ReturnType<typeof placing> }): Handlers<'orders'> {
  return {
    create: ({ userId, idempotencyKey, lines }) => place({ userId, key: idempotencyKey, wanted: lines }),

    /** An order of somebody else is as missing as one that never was. */
    async get({ id, userId }) {
      const order = await store.byId({ id, userId });
      if (order === undefined) throw new MallError('orderMissing', `There is no order '${id}'`);
      return order;
    },

    list: async ({ userId }) => ({ orders: await store.ofUser({ userId, most: listed }) }),
  };
}

const listed = 50;
