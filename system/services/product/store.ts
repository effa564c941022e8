import type { BloomFilter } from '../../stores/bloom.ts';
import type { Cache } from '../../stores/cache.ts';
import type { Sql } from '../../stores/sql.ts';
import type { Item } from './product.ts';

export type ProductStore = ReturnType<typeof productStore>;

/**
 * The catalogue in MySQL; pages and products are read through the cache. Nobody changes it while the mall runs. A filter of its ids, where
 * there is one, answers for products that never existed.
 */
export function productStore({ sql, cache, filter }: { sql: Sql; cache: Cache; filter?: BloomFilter | undefined }) {
  return {
    async page({ page, pageSize }: { page: number; pageSize: number }): Promise<Item[]> {
      const first = (page - 1) * pageSize + 1;
      const load = async () => {
        const items = await sql.query<Item>(`${select} WHERE position BETWEEN ? AND ? ORDER BY position`, [first, first + pageSize - 1]);
        return items.length === 0 ? undefined : items;
      };
      // Pages beyond the last are without number; remembering them would fill the cache.
      return (await cache.read(`product:page:${page}:${pageSize}`, load, { keepsMissing: false })) ?? [];
    },

    async byId(id: string): Promise<Item | undefined> {
      if (filter !== undefined && !(await filter.mayContain(id))) return undefined;
      return cache.read(`product:${id}`, async () => (await sql.query<Item>(`${select} WHERE id = ?`, [id]))[0]);
    },
  };
}

/** What a filter is filled with. */
export async function idsOf(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ id: string }>('SELECT id FROM products');
  return rows.map(({ id }) => id);
}

const select = 'SELECT id, name, description, price_cents AS priceCents FROM products';
