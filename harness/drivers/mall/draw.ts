import type { Random } from '../../../core/random.ts';
import { type Route, routes } from '../../../system/topology.ts';
import type { HttpAsk } from '../../journey.ts';
import type { Shoppers } from '../../load.ts';

/** What one shopper will do, decided when they arrive: `furthest` is where they leave if nothing goes wrong. */
export type Journey = { furthest: Route; page: number; product: string; account: number; idempotencyKey: string };

/** Who comes: how far they go, out of how many products (`sku-1` to `sku-<size>`) and accounts (1 to `count`) they are drawn. */
export type Population = { shoppers: Shoppers; catalogue: { size: number }; accounts: { count: number } };

/** Draws one shopper after the other. `runTag` keeps the idempotency keys of two runs apart. */
export function createJourneys({ shoppers, catalogue, accounts, runTag, random }: Population & { runTag: string; random: Random }) {
  const { product: wanted, share } = shoppers.wanted ?? { product: 'sku-1', share: 0 };
  const others = Array.from({ length: catalogue.size }, (_, index) => `sku-${index + 1}`).filter((product) => product !== wanted);
  const furthest = { view: shoppers.checkout + shoppers.view, all: shoppers.checkout + shoppers.view + shoppers.browse };
  const below = (count: number) => Math.floor(random() * count);
  let drawn = 0;

  return function nextJourney(): Journey {
    const ticket = random() * furthest.all;
    drawn += 1;
    return {
      furthest: ticket < shoppers.checkout ? 'checkout' : ticket < furthest.view ? 'view' : 'browse',
      page: 1 + below(5),
      product: random() < share ? wanted : (others[below(others.length)] ?? wanted),
      account: 1 + below(accounts.count),
      idempotencyKey: `${runTag}-${drawn}`,
    };
  };
}

/** The step after this one, if the shopper goes on. */
export function nextRoute(route: Route, furthest: Route): Route | undefined {
  if (route === furthest || route === 'checkout') return undefined;
  return route === 'browse' ? 'view' : 'checkout';
}

/** The request that a step is. */
export function requestOf(route: Route, journey: Journey, token: string): HttpAsk {
  const { method, path } = routes[route];
  switch (route) {
    case 'browse':
      return { method, path: `${path}?page=${journey.page}` };
    case 'view':
      return { method, path: path.replace(':id', journey.product) };
    case 'checkout':
      return {
        method,
        path,
        headers: { authorization: `Bearer ${token}`, 'idempotency-key': journey.idempotencyKey, 'content-type': 'application/json' },
        body: JSON.stringify({ items: [{ product_id: journey.product, quantity: 1 }] }),
      };
    default:
      return route satisfies never;
  }
}
