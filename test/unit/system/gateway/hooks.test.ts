import { Readable } from 'node:stream';
import jwt from '@fastify/jwt';
import fastify from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { addFallbacks } from '../../../../system/gateway/hooks.ts';
import { addRoutes, type Services } from '../../../../system/gateway/routes.ts';
import { httpChain, unroutedChain } from '../../../../system/rpc/chain.ts';
import { metricValue, recordSpans, testRuntime } from '../../../support/runtime.ts';

const spans = recordSpans();
afterEach(() => spans.reset());

const bodyLimit = 200;
const login = { method: 'POST', url: '/api/v1/user/login', headers: { 'content-type': 'application/json' } } as const;
const body = (bytes: number) => JSON.stringify({ mobile: '', password: '' }).padEnd(bytes, ' ');

test.each([
  ['whose length is declared', () => body(bodyLimit + 1)],
  ['that comes in chunks', () => Readable.from([body(bodyLimit), ' '])],
])('a body that is too large, %s, is 413 in the envelope, traced and counted under its route', async (_what, payload) => {
  const { app, runtime } = await gateway();
  const reply = await app.inject({ ...login, payload: payload() });
  const [span] = spans.getFinishedSpans();
  expect([reply.statusCode, reply.json()]).toEqual([
    413,
    { code: 1009, message: 'The request is too large', trace_id: span?.spanContext().traceId },
  ]);
  expect(span).toMatchObject({ name: 'POST /api/v1/user/login', attributes: { 'http.response.status_code': 413 } });
  const labels = { path: '/api/v1/user/login', method: 'POST', code: '413' };
  expect(await metricValue(runtime, 'http_server_requests_code_total', labels)).toBe(1);
  // As in go-zero it is no failure of the route.
  expect(await metricValue(runtime, 'mall_breaker_requests_total', { result: 'success' })).toBe(1);
});

test.each([
  ['whose length is declared', () => body(bodyLimit)],
  ['that comes in chunks', () => Readable.from([body(bodyLimit)])],
])('a body of just the limit, %s, is read', async (_what, payload) => {
  const { app } = await gateway();
  expect((await app.inject({ ...login, payload: payload() })).statusCode).toBe(400);
});

test('a body that is too large and reaches no route is answered, and appears in no measure', async () => {
  const { app, runtime } = await gateway();
  const reply = await app.inject({ ...login, url: '/nowhere', payload: body(bodyLimit + 1) });
  expect([reply.statusCode, reply.json().code]).toEqual([413, 1009]);
  expect(await metricValue(runtime, 'http_server_requests_code_total')).toBe(0);
});

/** The gateway without a network. No request of these tests gets as far as a service. */
async function gateway() {
  const runtime = testRuntime('gateway');
  const app = fastify({ bodyLimit });
  await app.register(jwt, { secret: runtime.config.jwtSecret });
  addFallbacks(app, unroutedChain(runtime));
  addRoutes(app, { govern: httpChain(runtime), services: { user: {}, product: {}, orders: {} } as Services, newKey: () => 'key' });
  return { app, runtime };
}
