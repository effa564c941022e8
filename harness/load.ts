import type { Rate } from '../core/units.ts';
import type { Route } from '../system/topology.ts';

/** Open load: shoppers arrive whether or not the mall keeps up. Rates are shoppers a second, or multiples of the probed capacity. */
export type Load = { kind: 'steady'; rate: Rate } | { kind: 'ramp'; from: Rate; to: Rate };

/** The same rate throughout the phase: `steady('100/s')`, `steady('0.4x')`. */
export const steady = (rate: Rate): Load => ({ kind: 'steady', rate });

/** A rate that grows or falls in a straight line over the phase: `ramp('0.4x', '2.5x')`. */
export const ramp = (from: Rate, to: Rate): Load => ({ kind: 'ramp', from, to });

/**
 * How far shoppers go. Each one browses; those who `view` also look at a product; those who `checkout` also order it.
 * `{ browse: 5, view: 3, checkout: 2 }`: of ten shoppers five leave after browsing, three after a look, two buy.
 */
export type Shoppers = Record<Route, number> & {
  /** Share of shoppers who want this one product; the others spread evenly over the rest of the catalogue. */
  wanted?: { product: string; share: number };
};

/** In words: `0.4x → 2.5x` or `100/s`. */
export const sentenceOf = (load: Load) => (load.kind === 'steady' ? load.rate : `${load.from} → ${load.to}`);

/** The rates at the start and the end of the phase, as written. */
export const ratesOf = (load: Load): { from: Rate; to: Rate } => (load.kind === 'steady' ? { from: load.rate, to: load.rate } : load);

/** How many requests of each route one shopper makes on average: all browse, some go on to view, some of those check out. */
export function requestsPerShopper(shoppers: Shoppers): Record<Route, number> {
  const all = shoppers.browse + shoppers.view + shoppers.checkout;
  return { browse: 1, view: (shoppers.view + shoppers.checkout) / all, checkout: shoppers.checkout / all };
}
