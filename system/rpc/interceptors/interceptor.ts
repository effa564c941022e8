import type { Context, Span } from '@opentelemetry/api';

/** One call on its way through a chain, whichever side it is on. */
export type Call = {
  readonly request: unknown;
  /** The parent span and the time left, as the call came in; each layer that adds to it replaces it. */
  context: Context;
  /** This call's own span, once the trace layer has made it. */
  span?: Span;
};

export type Next<C extends Call = Call> = (call: C) => Promise<unknown>;

/** One layer around a call: it answers itself, or asks `next`. A failed call is a rejection. */
export type Interceptor<C extends Call = Call> = (call: C, next: Next<C>) => Promise<unknown>;

/** Puts layers around a handler, the outermost first. Done once for each method, so that a call allocates nothing for its chain. */
export function compose<C extends Call>(layers: readonly Interceptor<C>[], handler: Next<C>): Next<C> {
  return layers.reduceRight<Next<C>>((next, layer) => (call) => layer(call, next), handler);
}
