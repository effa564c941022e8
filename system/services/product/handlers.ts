import { MallError } from '../../errors.ts';
import type { Handlers } from '../../rpc/server.ts';
import { largestPage, lastPage, pageOf } from './product.ts';
import type { ProductStore } from './store.ts';

export function productHandlers(store: ProductStore): Handlers<'product'> {
  return {
    async list({ page, pageSize }) {
      const asked = pageOf({ page, pageSize });
      if (asked === undefined) throw new MallError('badParameter', `Expected a page from 1 to ${lastPage} of 1 to ${largestPage} products`);
      return { items: await store.page(asked) };
    },

    async get({ id }) {
      const item = await store.byId(id);
      if (item === undefined) throw new MallError('badParameter', `There is no product '${id}'`, { notFound: true });
      return item;
    },

    async getMany({ ids }) {
      if (ids.length > largestPage) throw new MallError('badParameter', `Expected at most ${largestPage} products, got ${ids.length}`);
      const items = await Promise.all(ids.map((id) => store.byId(id)));
      return { items: items.filter((item) => item !== undefined) };
    },
  };
}
