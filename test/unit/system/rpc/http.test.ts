import fastify from 'fastify';
import { afterEach, expect, test, vi } from 'vitest';
import { MallError, refused } from '../../../../system/errors.ts';
import { type Govern, httpChain, type RouteHandler, unroutedChain } from '../../../../system/rpc/chain.ts';
import { remainingMs } from '../../../../system/rpc/context.ts';
import type { TuningChange } from '../../../../system/tuning.ts';
import { metricValue, recordSpans, standingClock, type TestRuntime, testRuntime } from '../../../support/runtime.ts';

const spans = recordSpans();
afterEach(() => {
  spans.reset();
  vi.useRealTimers();
});

test('an answer comes in an envelope, with the id of its trace', async () => {
  const { ask } = gateway(async () => ({ id: 'o-1' }));
  const { statusCode, headers, body } = await ask();
  expect([statusCode, body]).toEqual([200, { code: 0, message: 'ok', data: { id: 'o-1' } }]);
  expect(headers['x-trace-id']).toBe(spans.getFinishedSpans()[0]?.spanContext().traceId);
});

test('a handler may answer with another status than 200', async () => {
  const { ask, runtime } = gateway(async (_request, reply) => void reply.code(202));
  expect(await ask()).toMatchObject({ statusCode: 202, body: { code: 0, data: null } });
  const labels = { path: '/api/v1/orders', method: 'POST', code: '202' };
  expect(await metricValue(runtime, 'http_server_requests_code_total', labels)).toBe(1);
});

test('a business failure is told by code and status, without a refusal', async () => {
  const { ask } = gateway(async () => {
    throw new MallError('outOfStock', 'sku-1 is gone');
  });
  const { statusCode, headers, body } = await ask();
  expect([statusCode, body]).toEqual([409, { code: 3004, message: 'sku-1 is gone', trace_id: headers['x-trace-id'] }]);
  expect(headers['x-refused-by']).toBeUndefined();
});

test.each([
  ['breaker', 503],
  ['shedding', 503],
  ['limit', 429],
  ['deadline', 504],
] as const)('a refusal by %s is named in a header', async (by, status) => {
  const { ask } = gateway(async () => {
    throw refused(by);
  });
  const { statusCode, headers } = await ask();
  expect([statusCode, headers['x-refused-by']]).toEqual([status, by]);
});

test('a mistake of ours tells the shopper nothing about it', async () => {
  const { ask, runtime } = gateway(async () => {
    throw new TypeError('x is not a function');
  });
  const { statusCode, body } = await ask();
  expect([statusCode, body.code, body.message]).toEqual([500, 1001, 'The mall made a mistake']);
  expect(runtime.lines).toMatchObject([{ call: 'POST /api/v1/orders' }]);
});

test("the shopper's trace goes on in the gateway", async () => {
  const { ask } = gateway(async () => null);
  const { headers } = await ask({ traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` });
  expect(headers['x-trace-id']).toBe('a'.repeat(32));
  const [span] = spans.getFinishedSpans();
  expect(span?.parentSpanContext).toMatchObject({ spanId: 'b'.repeat(16), isRemote: true });
  expect(span).toMatchObject({
    name: 'POST /api/v1/orders',
    attributes: { 'http.request.method': 'POST', 'http.route': '/api/v1/orders', 'http.response.status_code': 200 },
  });
});

test('a trace that its maker does not sample is told to the shopper and not recorded', async () => {
  const { ask } = gateway(async () => null);
  const { headers } = await ask({ traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00` });
  expect(headers['x-trace-id']).toBe('a'.repeat(32));
  expect(spans.getFinishedSpans()).toEqual([]);
});

test('after three seconds the shopper is not kept waiting', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { ask } = gateway(() => new Promise(() => {}));
  const answer = ask();
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  vi.advanceTimersByTime(3_000);
  const { statusCode, headers } = await answer;
  expect([statusCode, headers['x-refused-by']]).toEqual([504, 'deadline']);
});

test('a route may have a limit of its own', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { ask } = gateway(() => new Promise(() => {}), { tuning: { deadlines: { routes: { 'POST /api/v1/orders': 200 } } } });
  const answer = ask();
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  vi.advanceTimersByTime(200);
  expect((await answer).statusCode).toBe(504);
});

test.each<[Record<string, string>, boolean]>([
  [{ accept: 'text/event-stream' }, true],
  [{ accept: 'text/event-stream, */*' }, false],
  [{ upgrade: 'websocket' }, true],
  [{ upgrade: 'h2c' }, false],
  [{}, false],
])('a request with %j may take as long as it likes: %s', async (headers, isExempt) => {
  const { ask } = gateway(async () => remainingMs(standingClock()));
  const { body } = await ask(headers);
  // What is endless is null in JSON.
  expect(body.data).toBe(isExempt ? null : 3_000);
});

test('routes with priority are still served while the others are shed, by a shedder of their own', async () => {
  const runtime = testRuntime('gateway', {
    clock: standingClock(),
    cpuMilli: () => 940,
    tuning: { shedding: { priorityRoutes: ['POST /api/v1/orders'] } },
  });
  const govern = httpChain(runtime);
  const app = fastify();
  const releases: (() => void)[] = [];
  const hold = () => new Promise<void>((resolve) => releases.push(resolve));
  app.post('/api/v1/orders', govern('POST /api/v1/orders', hold));
  app.get('/api/v1/products', govern('GET /api/v1/products', hold));
  const statusesOf = async (method: 'GET' | 'POST', url: string) => {
    // Without history ten in flight are normal, and at this CPU six: the average has to have seen more.
    const first = Array.from({ length: 60 }, () => app.inject({ method, url }));
    await vi.waitFor(() => expect(releases).toHaveLength(60));
    for (const release of releases.splice(0, 30)) release();
    await Promise.all(first.slice(0, 30));
    const last = app.inject({ method, url });
    await new Promise(setImmediate);
    for (const release of releases.splice(0)) release();
    await Promise.all(first);
    return (await last).statusCode;
  };
  expect(await statusesOf('GET', '/api/v1/products')).toBe(503);
  expect(await statusesOf('POST', '/api/v1/orders')).toBe(200);
});

test('without tracing there is no id to tell, and everything else is as it was', async () => {
  const { ask, runtime } = gateway(async () => 'a thing', { tuning: { tracing: { enabled: false } } });
  const { headers, body } = await ask();
  expect([headers['x-trace-id'], body.data]).toEqual([undefined, 'a thing']);
  expect(spans.getFinishedSpans()).toEqual([]);
  expect(await metricValue(runtime, 'http_server_requests_code_total', { code: '200' })).toBe(1);
});

test('a route whose answers fail is given a rest', async () => {
  const { ask, runtime } = gateway(async () => {
    throw new MallError('rpc');
  });
  const refusals = [];
  for (let index = 0; index < 60; index += 1) refusals.push((await ask()).headers['x-refused-by']);
  expect(refusals.filter((by) => by === 'breaker').length).toBeGreaterThan(20);
  expect(await metricValue(runtime, 'mall_breaker_trips_total', { name: 'POST:///api/v1/orders', kind: 'http' })).toBe(1);
});

test.each(['breaker', 'shedding', 'limit'] as const)(
  'judged by its cause, a refusal by %s, here or further in, does not open the breaker of the route',
  async (by) => {
    const refuse = async () => {
      throw refused(by);
    };
    const { ask, runtime } = gateway(refuse, { tuning: { breaker: { judges: 'cause' } } });
    for (let index = 0; index < 60; index += 1) await ask();
    const route = { name: 'POST:///api/v1/orders', kind: 'http' };
    expect(await metricValue(runtime, 'mall_breaker_requests_total', { ...route, result: 'success' })).toBe(60);
    expect(await metricValue(runtime, 'mall_breaker_trips_total', route)).toBe(0);
  },
);

test('what reaches no route is traced, and neither measured nor refused, however often it fails', async () => {
  const wrong = async () => {
    throw new MallError('badParameter', 'There is nothing here', { notFound: true });
  };
  const { ask, runtime } = gateway(wrong, { chain: unroutedChain });
  const { statusCode, headers, body } = await ask();
  expect([statusCode, body.message, headers['x-trace-id']]).toEqual([
    404,
    'There is nothing here',
    spans.getFinishedSpans()[0]?.spanContext().traceId,
  ]);

  const failing = gateway(async () => Promise.reject(new TypeError('x is not a function')), { chain: unroutedChain });
  for (let index = 0; index < 60; index += 1) expect(await failing.ask()).toMatchObject({ statusCode: 500, body: { code: 1001 } });
  expect(failing.runtime.lines).toHaveLength(60);
  for (const { metrics } of [runtime, failing.runtime]) {
    const text = await metrics.registry.metrics();
    expect(text).not.toMatch(/^(http_server_requests|mall_breaker|mall_shedding)\w+\{/m);
  }
});

function gateway(
  handler: RouteHandler,
  { chain = httpChain, tuning = {} }: { chain?: (runtime: TestRuntime) => Govern; tuning?: TuningChange } = {},
) {
  const runtime = testRuntime('gateway', { clock: standingClock(), tuning });
  const app = fastify();
  app.post('/api/v1/orders', chain(runtime)('POST /api/v1/orders', handler));
  return {
    runtime,
    async ask(headers: Record<string, string> = {}) {
      const response = await app.inject({ method: 'POST', url: '/api/v1/orders', headers });
      return { statusCode: response.statusCode, headers: response.headers, body: response.json() };
    },
  };
}
