import { UsageError } from '../../core/errors.ts';
import type { Item } from '../services/product/product.ts';

/** What a mall starts with: shoppers 1 to `shoppers` with an account each, and how much of which product (all others: plenty). */
export type Seed = { shoppers: number; stock: Readonly<Record<string, number>> };

/** Reads `MALL_SEED`. Throws a `UsageError` for what cannot be seeded, such as stock of a product that does not exist. */
export function readSeed(env: NodeJS.ProcessEnv): Seed {
  const fields = parsed(env.MALL_SEED);
  const { shoppers, stock } = fields;
  if (typeof shoppers !== 'number' || !Number.isInteger(shoppers) || shoppers < 1 || shoppers > mostShoppers)
    throw new UsageError(`Expected the shoppers to seed to be a whole number from 1 to ${mostShoppers}, got ${JSON.stringify(shoppers)}`);
  if (typeof stock !== 'object' || stock === null) throw new UsageError(`Expected stock by product, got ${JSON.stringify(stock)}`);
  for (const [product, available] of Object.entries(stock)) {
    if (!known.has(product))
      throw new UsageError(`Expected stock of a product from 'sku-1' to 'sku-${catalogue.length}', got stock of '${product}'`);
    if (!Number.isSafeInteger(available) || available < 0)
      throw new UsageError(`Expected the stock of '${product}' to be a whole number from 0, got ${JSON.stringify(available)}`);
  }
  return { shoppers, stock: stock as Record<string, number> };
}

/** Everything the mall sells, in the order of its pages. */
export const catalogue: readonly Item[] = Array.from({ length: 200 }, (_, index) => {
  const number = index + 1;
  return {
    id: `sku-${number}`,
    name: `Product ${number}`,
    description: `The product with the number ${number}, as useful as any other.`,
    priceCents: 990 + ((number * 37) % 200) * 100,
  };
});

/** How much is there of a product of which the seed says nothing: more than a run can sell. */
export const plenty = 1_000_000;
/** What every shopper can spend: more than a run can cost. */
export const balanceCents = 10 ** 12;

/** The account of a shopper, by number from 1, which is also its user id. */
export const shopper = (number: number) => ({
  id: number,
  mobile: `138${String(number).padStart(8, '0')}`,
  name: `Shopper ${number}`,
  password: `password-${number}`,
});

const mostShoppers = 10_000;
const known = new Set(catalogue.map(({ id }) => id));

function parsed(text: string | undefined): Record<string, unknown> {
  try {
    return JSON.parse(text ?? '') as Record<string, unknown>;
  } catch (cause) {
    throw new UsageError(`Expected the environment variable MALL_SEED to hold the seed as JSON, got '${text ?? ''}'`, { cause });
  }
}
