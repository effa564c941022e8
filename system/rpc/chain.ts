import { propagation, ROOT_CONTEXT, SpanKind } from '@opentelemetry/api';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { grpcStatusOf, httpStatusOf, isConsidered, isTurnedAway } from '../errors.ts';
import { isFailureCode } from '../governance/failures.ts';
import type { Shedder } from '../governance/shedder.ts';
import type { Runtime } from '../runtime.ts';
import { observedBreaker, observedShedder } from '../telemetry/governance.ts';
import { attributes } from '../telemetry/names.ts';
import { failed, succeeded } from './envelope.ts';
import { breaker } from './interceptors/breaker.ts';
import { deadline } from './interceptors/deadline.ts';
import { type Call, compose, type Interceptor } from './interceptors/interceptor.ts';
import { metrics, observeHttp, observeRpc } from './interceptors/metrics.ts';
import { recover } from './interceptors/recover.ts';
import { shedding } from './interceptors/shedding.ts';
import { concludeHttp, concludeRpc, trace } from './interceptors/trace.ts';
import { isRpcFailure } from './status.ts';

/*
 * The order in which a call is governed, outermost first, as in go-zero. Reading down a list is following a call inwards:
 * what stands lower is seen, measured and judged by all that stands above it.
 *
 *   shopper → httpLayers → clientLayers → network → serverLayers → handler → clientLayers → …
 */

export type HttpCall = Call & { readonly reply: FastifyReply };
/** What the gateway does for a route; its answer is the `data` of the envelope. It may set a status other than 200: `reply.code(202)`. */
export type RouteHandler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
type FastifyHandler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
/** Puts a chain around a handler; the name is the route's: `POST /api/v1/orders`. */
export type Govern = (name: string, handler: RouteHandler) => FastifyHandler;

export function httpLayers(runtime: Runtime, { route, shedder }: { route: string; shedder: Shedder }): Interceptor<HttpCall>[] {
  const [method = '', path = ''] = route.split(' ');
  // Unlike go-zero's, what was turned away by design, here or further in, is no failure of the route: else one open breaker would open
  // those in front of it, and a service that sheds what it cannot bear would get nothing at all.
  const hasFailed = (thrown: unknown) => httpStatusOf(thrown) >= 500 && !isConsidered(thrown) && !isTurnedAway(thrown);
  return [
    httpTrace(runtime, route),
    metrics<HttpCall>(runtime, observeHttp(runtime.metrics.httpServer, { method, path })),
    ...unlessWithoutBreaker(runtime, () =>
      breaker<HttpCall>(runtime, { guard: observedBreaker(runtime, { name: route, kind: 'http' }), hasFailed }),
    ),
    // An answer that came too late, or not at all, does not tell how fast the service can be.
    shedding<HttpCall>({ shedder, isNoMeasure: (thrown) => [503, 504].includes(httpStatusOf(thrown)) }),
    deadline<HttpCall>(runtime, { budgetMs: 3_000 }),
    recover<HttpCall>(runtime, { name: route }),
  ];
}

/** For requests that reach no route. As in go-zero they are not measured, and say nothing about how the routes are doing. */
function unroutedLayers(runtime: Runtime, { name }: { name: string }): Interceptor<HttpCall>[] {
  return [httpTrace(runtime, name), recover<HttpCall>(runtime, { name })];
}

export function serverLayers(
  runtime: Runtime,
  { path, shedder, timeoutMs = 2_000 }: { path: string; shedder: Shedder; timeoutMs?: number },
): Interceptor[] {
  return [
    trace(runtime, { ...rpcSpan(path), kind: SpanKind.SERVER, conclude: concludeRpc((thrown) => isFailureCode(grpcStatusOf(thrown))) }),
    recover(runtime, { name: path }),
    // Unlike go-zero's, a handler that failed unexpectedly is counted: it passes here before it is recovered from.
    metrics(runtime, observeRpc(runtime.metrics.rpcServer, path)),
    ...unlessWithoutBreaker(runtime, () =>
      breaker(runtime, { guard: observedBreaker(runtime, { name: path, kind: 'server' }), hasFailed: isRpcFailure }),
    ),
    shedding({ shedder }),
    deadline(runtime, { budgetMs: timeoutMs }),
  ];
}

/** `edge` is `orders->payment`. The transport comes below; it picks the replica. There are no retries. */
export function clientLayers(
  runtime: Runtime,
  { edge, path, timeoutMs = 2_000 }: { edge: string; path: string; timeoutMs?: number },
): Interceptor[] {
  const span = rpcSpan(path, { [attributes.edge]: edge });
  return [
    trace(runtime, { ...span, kind: SpanKind.CLIENT, conclude: concludeRpc(() => true) }),
    metrics(runtime, observeRpc(runtime.metrics.rpcClient, path)),
    ...unlessWithoutBreaker(runtime, () =>
      breaker(runtime, { guard: observedBreaker(runtime, { name: `${edge}${path}`, kind: 'client' }), hasFailed: isRpcFailure }),
    ),
    deadline(runtime, { budgetMs: timeoutMs, enforcedBelow: true }),
  ];
}

/**
 * Wraps the gateway's route handlers for fastify; all routes share one shedder.
 * `const govern = httpChain(runtime); app.post('/api/v1/orders', govern('POST /api/v1/orders', createOrder))`
 */
export function httpChain(runtime: Runtime): Govern {
  const shedder = observedShedder(runtime, { kind: 'api' });
  return (route, handler) => enveloped(httpLayers(runtime, { route, shedder }), handler);
}

/** The same for what answers requests that reach no route. */
export function unroutedChain(runtime: Runtime): Govern {
  return (name, handler) => enveloped(unroutedLayers(runtime, { name }), handler);
}

function enveloped(layers: readonly Interceptor<HttpCall>[], handler: RouteHandler): FastifyHandler {
  const answer = compose<HttpCall>(layers, (call) => handler(call.request as FastifyRequest, call.reply));
  return async function governed(request, reply) {
    const call: HttpCall = { request, reply, context: propagation.extract(ROOT_CONTEXT, request.headers) };
    try {
      return succeeded(reply, await answer(call), call.span);
    } catch (error) {
      return failed(reply, error, call.span);
    }
  };
}

function httpTrace(runtime: Runtime, name: string): Interceptor<HttpCall> {
  const [method = '', path = ''] = name.split(' ');
  return trace<HttpCall>(runtime, {
    name,
    kind: SpanKind.SERVER,
    attributes: { [attributes.httpMethod]: method, [attributes.httpRoute]: path },
    conclude: concludeHttp,
  });
}

function rpcSpan(path: string, more: object = {}) {
  const name = path.slice(1);
  const [service = '', method = ''] = name.split('/');
  return {
    name,
    attributes: { [attributes.rpcSystem]: 'grpc', [attributes.rpcService]: service, [attributes.rpcMethod]: method, ...more },
  };
}

function unlessWithoutBreaker<T>({ config }: Runtime, make: () => T): T[] {
  return config.tuning.breaker.enabled ? [make()] : [];
}
