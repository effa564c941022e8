import type { Random } from '../../core/random.ts';
import { type Route, routeNames } from '../../system/topology.ts';

/** The shopper's own span: parent of everything the mall does for the request. */
export type ShopperSpan = { traceId: string; spanId: string; traceparent: string };

/**
 * Makes a new trace for every request, always sampled (https://www.w3.org/TR/trace-context/#traceparent-header).
 * A trace id is the run's tag (8 hex digits), the route (2), and 22 digits of chance: spans tell their run and route without a lookup.
 * A repeated checkout goes another way through the mall than a first one, so its traces have the number of no route.
 */
export function createShopperSpans({ runTag, random }: { runTag: string; random: Random }): (what: Route | 'repetition') => ShopperSpan {
  if (!/^[0-9a-f]{8}$/.test(runTag)) throw new TypeError(`Expected 'runTag' to be 8 hex digits, got '${runTag}'`);
  const word = () => hex(Math.floor(random() * 2 ** 32), 8);
  const prefixes = { browse: '', view: '', checkout: '', repetition: `${runTag}ff` } satisfies Record<Route | 'repetition', string>;
  for (const [index, route] of routeNames.entries()) prefixes[route] = runTag + hex(index, 2);

  return function shopperSpan(what) {
    const traceId = prefixes[what] + word() + word() + word().slice(0, 6);
    // A span id must not be all zeros.
    const spanId = `${word()}${hex(1 + Math.floor(random() * (2 ** 32 - 1)), 8)}`;
    return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` };
  };
}

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
