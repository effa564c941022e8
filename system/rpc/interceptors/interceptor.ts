import { type Context, context, type Span } from '@opentelemetry/api';

/** One call on its way through a chain, whichever side it is on. */
export type Call = {
  readonly request: unknown;
  /** The parent span and the time left, as the call came in; each layer that adds to it replaces it. */
  context: Context;
  /** This call's own span, once the trace layer has made it. */
  span?: Span;
  /** 2 for the first repetition of a call that a retry makes again; absent on the first. */
  readonly attempt?: number;
};

export type Next<C extends Call = Call> = (call: C) => Promise<unknown>;

/** One layer around a call: it answers itself, or asks `next`. A failed call is a rejection; no layer throws at once. */
export type Interceptor<C extends Call = Call> = (call: C, next: Next<C>) => Promise<unknown>;

/** Puts layers around a handler, the outermost first. Done once for each method, so that a call allocates nothing for its chain. */
export function compose<C extends Call>(layers: readonly Interceptor<C>[], handler: Next<C>): Next<C> {
  return layers.reduceRight<Next<C>>((next, layer) => (call) => layer(call, next), handler);
}

/** Makes what the layers have put into the call's context the active one for its handler. */
export function entered<C extends Call>(handler: Next<C>): Next<C> {
  return (call) => context.with(call.context, handler, undefined, call);
}
