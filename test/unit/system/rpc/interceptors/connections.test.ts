import fastify from 'fastify';
import { expect, test } from 'vitest';
import { httpChain, type RouteHandler } from '../../../../../system/rpc/chain.ts';
import type { TuningChange } from '../../../../../system/tuning.ts';
import { metricValue, recordSpans, standingClock, testRuntime } from '../../../../support/runtime.ts';

const spans = recordSpans();
const [orders, products] = ['/api/v1/orders', '/api/v1/products'];

test('beyond so many requests in progress a route turns further ones away, and only that route', async () => {
  const { ask, held } = gateway({ connections: 2 });
  const first = [ask(orders), ask(orders)];
  await held(2);
  const { statusCode, headers, body } = await ask(orders);
  expect([statusCode, headers['x-refused-by'], body.code]).toEqual([503, 'connections', 1001]);
  const elsewhere = ask(products);
  (await held(3)).forEach((release) => void release());
  expect((await Promise.all([...first, elsewhere])).map((reply) => reply.statusCode)).toEqual([200, 200, 200]);
});

test('a request that has ended makes room, however it ended', async () => {
  const { ask, held } = gateway({ connections: 1 });
  const failing = ask(orders);
  const [release] = await held(1);
  release?.(new TypeError('x is not a function'));
  expect((await failing).statusCode).toBe(500);
  const next = ask(orders);
  const [, releaseNext] = await held(2);
  releaseNext?.();
  expect((await next).statusCode).toBe(200);
});

test('who was turned away is traced, logged and counted, and neither breaker nor shedder hears of it', async () => {
  spans.reset();
  const { ask, held, runtime } = gateway({ connections: 1 });
  const only = ask(orders);
  const [release] = await held(1);
  for (let index = 0; index < 60; index += 1) await ask(orders);
  release?.();
  await only;
  const codes = { path: orders, method: 'GET' };
  expect(await metricValue(runtime, 'http_server_requests_code_total', { ...codes, code: '503' })).toBe(60);
  expect(await metricValue(runtime, 'mall_breaker_requests_total')).toBe(1);
  expect(await metricValue(runtime, 'mall_shedding_requests_total')).toBe(1);
  const limiter = { name: `connections:GET ${orders}`, source: 'process' };
  expect(await metricValue(runtime, 'mall_limiter_requests_total', { ...limiter, result: 'granted' })).toBe(1);
  expect(await metricValue(runtime, 'mall_limiter_requests_total', { ...limiter, result: 'refused' })).toBe(60);
  expect(runtime.lines.filter(({ level, route }) => level === 50 && route === `GET ${orders}`)).toHaveLength(60);
  const refusals = spans.getFinishedSpans().map(({ attributes }) => attributes['mall.refused_by']);
  expect(refusals.filter((by) => by === 'connections')).toHaveLength(60);
});

test.each<[string, NonNullable<TuningChange['limits']>]>([
  ['0 is none', { connections: 0 }],
  ['limits are switched off', { enabled: false, connections: 1 }],
])('there is no limit where %s', async (_what, limits) => {
  const { ask, held } = gateway(limits);
  const all = [ask(orders), ask(orders), ask(orders)];
  (await held(3)).forEach((release) => void release());
  expect((await Promise.all(all)).map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
});

/** Two routes whose requests are held until they are released, with an error or without. */
function gateway(limits: NonNullable<TuningChange['limits']>) {
  const runtime = testRuntime('gateway', { clock: standingClock(), tuning: { limits } });
  const releases: ((error?: Error) => void)[] = [];
  const held: RouteHandler = () =>
    new Promise((resolve, reject) => void releases.push((error) => (error === undefined ? resolve(null) : reject(error))));
  const govern = httpChain(runtime);
  const app = fastify();
  for (const url of [orders, products]) app.get(url, govern(`GET ${url}`, held));
  return {
    runtime,
    async ask(url: string) {
      const response = await app.inject({ url });
      return { statusCode: response.statusCode, headers: response.headers, body: response.json() };
    },
    /** Resolves when so many have been held, with how to release them. */
    async held(count: number) {
      while (releases.length < count) await new Promise((resolve) => setImmediate(resolve));
      return releases;
    },
  };
}
