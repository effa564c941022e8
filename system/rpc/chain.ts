import { propagation, ROOT_CONTEXT, SpanKind } from '@opentelemetry/api';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { messageOf } from '../../core/errors.ts';
import { cancelled, grpcStatusOf, httpStatusOf } from '../errors.ts';
import { isFailureCode } from '../governance/failures.ts';
import { backoffMs, createRetryBudget, type RetryBudget } from '../governance/retry.ts';
import { priorityThresholdMilli, type Shedder } from '../governance/shedder.ts';
import type { Runtime } from '../runtime.ts';
import { observedBreaker, observedShedder } from '../telemetry/governance.ts';
import { attributes } from '../telemetry/names.ts';
import { withDeadline } from './context.ts';
import { failed, succeeded } from './envelope.ts';
import { breaker } from './interceptors/breaker.ts';
import { connections } from './interceptors/connections.ts';
import { deadline } from './interceptors/deadline.ts';
import { type Call, compose, entered, type Interceptor } from './interceptors/interceptor.ts';
import { metrics, observeHttp, observeRpc } from './interceptors/metrics.ts';
import { recover } from './interceptors/recover.ts';
import { retry } from './interceptors/retry.ts';
import { shedding } from './interceptors/shedding.ts';
import { concludeHttp, concludeRpc, trace } from './interceptors/trace.ts';
import { httpFailures, isUnanswered, rpcFailures } from './status.ts';

/*
 * The order in which a call is governed, outermost first, as in go-zero (governance.md 6). Reading down a list is following a call inwards:
 * what stands lower is seen, measured and judged by all that stands above it. A mechanism that is switched off leaves its place empty.
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
  const { tuning } = runtime.config;
  return [
    ...when(tuning.tracing.enabled, () => httpTrace(runtime, route)),
    metrics<HttpCall>(runtime, observeHttp(runtime.metrics.httpServer, { method, path })),
    ...when(tuning.limits.enabled && tuning.limits.connections > 0, () =>
      connections<HttpCall>(runtime, { route, most: tuning.limits.connections }),
    ),
    ...when(tuning.breaker.enabled, () =>
      breaker<HttpCall>(runtime, {
        guard: observedBreaker(runtime, { name: `${method}://${path}`, kind: 'http' }),
        hasFailed: httpFailures(tuning.breaker.judges),
        reasonOf: (thrown) => `${httpStatusOf(thrown)} ${messageOf(thrown)}`,
      }),
    ),
    // An answer that came too late, or not at all, does not tell how fast the service can be.
    shedding<HttpCall>({ shedder, isNoMeasure: (thrown) => [503, 504].includes(httpStatusOf(thrown)) }),
    ...when(tuning.deadlines.enabled, () =>
      deadline<HttpCall>(runtime, { budgetMs: limitOf(tuning.deadlines.routes[route] ?? tuning.deadlines.httpMs), isExempt: isStream }),
    ),
    recover<HttpCall>(runtime, { name: route }),
  ];
}

/** For requests that reach no route. As in go-zero they are not measured, and say nothing about how the routes are doing. */
function unroutedLayers(runtime: Runtime, { name }: { name: string }): Interceptor<HttpCall>[] {
  return [...when(runtime.config.tuning.tracing.enabled, () => httpTrace(runtime, name)), recover<HttpCall>(runtime, { name })];
}

export function serverLayers(runtime: Runtime, { path, shedder }: { path: string; shedder: Shedder }): Interceptor[] {
  const { tuning } = runtime.config;
  return [
    ...when(tuning.tracing.enabled, () =>
      trace(runtime, { ...rpcSpan(path), kind: SpanKind.SERVER, conclude: concludeRpc((thrown) => isFailureCode(grpcStatusOf(thrown))) }),
    ),
    recover(runtime, { name: path }),
    // Unlike go-zero's, a handler that failed unexpectedly is counted: it passes here before it is recovered from.
    metrics(runtime, observeRpc(runtime.metrics.rpcServer, path)),
    ...when(tuning.breaker.enabled, () =>
      breaker(runtime, {
        guard: observedBreaker(runtime, { name: path, kind: 'server' }),
        hasFailed: rpcFailures(tuning.breaker.judges),
      }),
    ),
    // As in go-zero, a call that ran out of time is measured here like any other.
    shedding({ shedder }),
    ...when(tuning.deadlines.enabled, () =>
      deadline(runtime, { budgetMs: limitOf(tuning.deadlines.methods[path] ?? tuning.deadlines.serverMs) }),
    ),
  ];
}

/**
 * `edge` is `orders->payment`. The transport comes below; it picks the replica. Each retry is a call of its own to all that stands lower; a
 * `budget` comes with a method that may be repeated.
 */
export function clientLayers(
  runtime: Runtime,
  { edge, path, budget }: { edge: string; path: string; budget?: RetryBudget | undefined },
): Interceptor[] {
  const { tuning } = runtime.config;
  const budgetMs = tuning.deadlines.enabled ? limitOf(tuning.deadlines.edges[edge] ?? 0) : Number.POSITIVE_INFINITY;
  const retries = budget === undefined ? [] : [clientRetry(runtime, { edge, budget, budgetMs })];
  return [
    ...retries,
    ...when(tuning.tracing.enabled, () =>
      trace(runtime, { ...rpcSpan(path, { [attributes.edge]: edge }), kind: SpanKind.CLIENT, conclude: concludeRpc(() => true) }),
    ),
    metrics(runtime, observeRpc(runtime.metrics.rpcClient, path)),
    ...when(tuning.breaker.enabled, () =>
      breaker(runtime, {
        guard: observedBreaker(runtime, { name: `${edge}${path}`, kind: 'client' }),
        hasFailed: rpcFailures(tuning.breaker.judges),
      }),
    ),
    ...when(tuning.deadlines.enabled, () => deadline(runtime, { budgetMs, enforcedBelow: true })),
  ];
}

/** What all the methods of one client may add by retries; undefined where there are none. */
export function retryBudget({ clockNs, config }: Runtime): RetryBudget | undefined {
  const { attempts, budgetShare } = config.tuning.retries;
  return attempts > 1 ? createRetryBudget({ clockNs, share: budgetShare }) : undefined;
}

/**
 * Wraps the gateway's route handlers for fastify. All routes share one shedder, but for those with priority: they share another, which holds out
 * longer (governance.md 2.4).
 * `const govern = httpChain(runtime); app.post('/api/v1/orders', govern('POST /api/v1/orders', createOrder))`
 */
export function httpChain(runtime: Runtime): Govern {
  const { priorityRoutes, cpuThresholdMilli } = runtime.config.tuning.shedding;
  const shedder = observedShedder(runtime, { kind: 'api' });
  const [priorityShedder = shedder] = when(priorityRoutes.length > 0, () =>
    observedShedder(runtime, { kind: 'api', thresholdMilli: priorityThresholdMilli(cpuThresholdMilli) }),
  );
  return (route, handler) =>
    enveloped(httpLayers(runtime, { route, shedder: priorityRoutes.includes(route) ? priorityShedder : shedder }), handler);
}

/** The same for what answers requests that reach no route. */
export function unroutedChain(runtime: Runtime): Govern {
  return (name, handler) => enveloped(unroutedLayers(runtime, { name }), handler);
}

function enveloped(layers: readonly Interceptor<HttpCall>[], handler: RouteHandler): FastifyHandler {
  const answer = compose<HttpCall>(
    layers,
    entered((call) => handler(call.request as FastifyRequest, call.reply)),
  );
  return async function governed(request, reply) {
    const context = withDeadline(propagation.extract(ROOT_CONTEXT, request.headers), Number.POSITIVE_INFINITY, hangUpOf(reply));
    const call: HttpCall = { request, reply, context };
    try {
      return succeeded(reply, await answer(call), call.span);
    } catch (error) {
      return failed(reply, error, call.span);
    }
  };
}

/** Aborted when the shopper goes away before the answer was written. */
function hangUpOf({ raw }: FastifyReply): AbortController {
  const hangUp = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) hangUp.abort(cancelled());
  });
  return hangUp;
}

function httpTrace(runtime: Runtime, name: string): Interceptor<HttpCall> {
  const [method = '', path = ''] = name.split(' ');
  return trace<HttpCall>(runtime, {
    name,
    kind: SpanKind.SERVER,
    attributes: { [attributes.httpMethod]: method, [attributes.httpRoute]: path, [attributes.urlScheme]: 'http' },
    conclude: concludeHttp,
  });
}

/** What goes on for as long as the shopper likes has no deadline (governance.md 5.1). */
function isStream({ request }: HttpCall): boolean {
  const { accept, upgrade } = (request as FastifyRequest).headers;
  return accept === 'text/event-stream' || upgrade === 'websocket';
}

function clientRetry(runtime: Runtime, { edge, budget, budgetMs }: { edge: string; budget: RetryBudget; budgetMs: number }): Interceptor {
  const { random, config, metrics } = runtime;
  const { attempts, firstDelayMs, longestDelayMs } = config.tuning.retries;
  const counters = { retried: metrics.retries.labels(edge, 'retried'), withheld: metrics.retries.labels(edge, 'withheld') };
  return retry(runtime, {
    attempts,
    budgetMs,
    budget,
    isWorthIt: isUnanswered,
    delayMs: (attempt) => backoffMs(attempt, { random, firstDelayMs, longestDelayMs }),
    onEvent: (event) => counters[event].inc(),
  });
}

function rpcSpan(path: string, more: object = {}) {
  const name = path.slice(1);
  return { name, attributes: { [attributes.rpcSystem]: 'grpc', [attributes.rpcMethod]: name, ...more } };
}

/** In the tuning 0 is no limit of one's own. */
const limitOf = (ms: number): number => (ms === 0 ? Number.POSITIVE_INFINITY : ms);

function when<T>(isOn: boolean, make: () => T): T[] {
  return isOn ? [make()] : [];
}
