import jwt from '@fastify/jwt';
import { trace } from '@opentelemetry/api';
import fastify from 'fastify';
import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { runClock } from '../../../../core/time.ts';
import { codes, MallError, refused } from '../../../../system/errors.ts';
import { addFallbacks } from '../../../../system/gateway/hooks.ts';
import { addRoutes, type Services } from '../../../../system/gateway/routes.ts';
import { monotonicNs } from '../../../../system/governance/clock.ts';
import { httpChain } from '../../../../system/rpc/chain.ts';
import type { Runtime } from '../../../../system/runtime.ts';
import { createMetrics } from '../../../../system/telemetry/metrics.ts';
import { tuningOf } from '../../../../system/tuning.ts';

const orderId = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const placed: { userId?: unknown; idempotencyKey?: string; lines?: unknown }[] = [];
let placedStatus = 'PAID';

const services: Services = {
  user: {
    register: async ({ mobile = '', name = '' }) => ({ id: 7, mobile, name }),
    login: async ({ mobile = '' }) => ({ id: 7, mobile, name: 'Ming' }),
    get: async ({ id }) => ({ id: Number(id), mobile: '13800000007', name: 'Ming' }),
    updateInfo: async ({ id, name = '' }) => ({ id: Number(id), mobile: '13800000007', name }),
  },
  product: {
    list: async () => ({ items: [{ id: 'sku-1', name: 'One', description: '', priceCents: 990 }] }),
    async get({ id }) {
      throw id === 'sku-shed' ? refused('shedding') : new MallError('badParameter', `There is no product '${id}'`, { notFound: true });
    },
    getMany: async () => ({ items: [] }),
  },
  orders: {
    async create(request) {
      placed.push(request);
      const lines = [{ productId: 'sku-1', quantity: 2, priceCents: 990 }];
      return { id: orderId, userId: 7, status: placedStatus, totalCents: 1980, lines };
    },
    async get({ id }) {
      throw new MallError('orderMissing', `There is no order '${id}'`);
    },
    list: async () => ({ orders: [] }),
  },
};

let keys = 0;
const app = await gateway();
afterAll(() => app.close());
const token = app.jwt.sign({ user_id: 7 }, { expiresIn: '1h' });
const mine = { authorization: `Bearer ${token}` };
const basket = { items: [{ product_id: 'sku-1', quantity: 2 }] };

test('a login answers with a token that opens the own account', async () => {
  const login = await app.inject({ method: 'POST', url: '/api/v1/user/login', payload: { mobile: '13800000007', password: 'password-7' } });
  const { data } = login.json();
  expect(data).toEqual({ token: expect.any(String), expires_in: 7200, user: { id: 7, mobile: '13800000007', name: 'Ming' } });
  const account = await app.inject({ url: '/api/v1/user/7', headers: { authorization: `Bearer ${data.token}` } });
  expect([account.statusCode, account.json()]).toEqual([
    200,
    { code: 0, message: 'ok', data: { id: 7, mobile: '13800000007', name: 'Ming' } },
  ]);
});

test.each<[string, Record<string, string>, number]>([
  ['without a token', {}, codes.tokenFailed],
  ['with a token of another mall', { authorization: `Bearer ${token.slice(0, -3)}abc` }, codes.tokenFailed],
  [
    'with a token that has expired',
    { authorization: `Bearer ${app.jwt.sign({ user_id: 7, iat: 1 }, { expiresIn: '1s' })}` },
    codes.tokenExpired,
  ],
])('orders are closed %s', async (_what, headers, code) => {
  const reply = await app.inject({ url: '/api/v1/orders', headers });
  expect([reply.statusCode, reply.json().code]).toEqual([401, code]);
});

test.each(['/api/v1/user/8', '/api/v1/orders?user_id=8'])('%s is closed for another user', async (url) => {
  const reply = await app.inject({ url, headers: mine });
  expect([reply.statusCode, reply.json().code]).toEqual([401, codes.tokenFailed]);
});

test.each([
  ['PAID', 200],
  ['PENDING', 202],
  ['CREATED', 409],
  ['CANCELLED', 409],
])('an order that is %s is answered with %i', async (status, httpStatus) => {
  placedStatus = status;
  const reply = await app.inject({ method: 'POST', url: '/api/v1/orders', headers: mine, payload: basket });
  expect(reply.statusCode).toBe(httpStatus);
});

test('an order is told in snake case', async () => {
  placedStatus = 'PAID';
  const reply = await app.inject({ method: 'POST', url: '/api/v1/orders', headers: mine, payload: basket });
  expect(reply.json().data).toEqual({
    id: orderId,
    user_id: 7,
    status: 'PAID',
    total_cents: 1980,
    items: [{ product_id: 'sku-1', quantity: 2, price_cents: 990 }],
  });
});

test('the idempotency key is the one of the shopper, or a new one for each checkout', async () => {
  placed.length = 0;
  for (const key of [{ 'idempotency-key': 'my-key' }, {}, {}])
    await app.inject({ method: 'POST', url: '/api/v1/orders', headers: { ...mine, ...key }, payload: basket });
  expect(placed.map(({ idempotencyKey }) => idempotencyKey)).toEqual(['my-key', `key-${keys - 1}`, `key-${keys}`]);
  expect(placed[0]).toMatchObject({ userId: 7, lines: [{ productId: 'sku-1', quantity: 2 }] });
});

test.each([
  ['POST', '/api/v1/orders', { items: [] }],
  ['POST', '/api/v1/orders', {}],
  ['POST', '/api/v1/orders', { items: [{ product_id: 'sku-1', quantity: 0 }] }],
  ['POST', '/api/v1/orders', { items: [{ product_id: "sku-1'; --", quantity: 1 }] }],
  ['POST', '/api/v1/user/register', { mobile: '13800000007' }],
  ['GET', '/api/v1/products?page=0', undefined],
  ['GET', '/api/v1/products?page=10001', undefined],
  ['GET', '/api/v1/products?page=x', undefined],
  ['GET', '/api/v1/products?page_size=1000', undefined],
  ['GET', '/api/v1/user/me', undefined],
  ['GET', '/api/v1/orders/1', undefined],
] as const)('%s %s with %j is a bad parameter', async (method, url, payload) => {
  const reply = await app.inject({ method, url, headers: mine, ...(payload !== undefined && { payload }) });
  expect([reply.statusCode, reply.json()]).toEqual([
    400,
    { code: codes.badParameter, message: expect.any(String), trace_id: expect.any(String) },
  ]);
});

test('what is not there is missing, whatever it is', async () => {
  const url = await app.inject({ url: '/api/v2/unknown?secret=1' });
  const product = await app.inject({ url: '/api/v1/products/sku-none' });
  const order = await app.inject({ url: `/api/v1/orders/${orderId}`, headers: mine });
  expect([url, product, order].map(({ statusCode }) => statusCode)).toEqual([404, 404, 404]);
  expect(url.json().message).toBe('There is nothing at GET /api/v2/unknown');
  expect(order.json().code).toBe(codes.orderMissing);
});

test('a body that is not JSON is a bad parameter', async () => {
  const headers = { ...mine, 'content-type': 'application/json' };
  const reply = await app.inject({ method: 'POST', url: '/api/v1/orders', headers, payload: '{"items":' });
  expect([reply.statusCode, reply.json().code]).toEqual([400, codes.badParameter]);
});

test('a refusal by design is named in a header', async () => {
  const reply = await app.inject({ url: '/api/v1/products/sku-shed' });
  expect([reply.statusCode, reply.headers['x-refused-by']]).toEqual([503, 'shedding']);
});

test.each(['/api/v1/products', '/api/v1/nowhere', '/api/v1/products?page=x', '/api/v1/orders'])(
  '%s is answered with a trace id',
  async (url) => {
    expect((await app.inject({ url })).headers['x-trace-id']).toMatch(/^[0-9a-f]{32}$/);
  },
);

/** The gateway without a network: its real routes, hooks and chain around services in memory. */
async function gateway() {
  const metrics = createMetrics();
  const clock = runClock(0n);
  const runtime: Partial<Runtime> = {
    config: { service: 'gateway', replica: 1, tuning: tuningOf('gateway'), namespace: 'test' } as unknown as Runtime['config'],
    instance: 'gateway.1',
    clock,
    clockNs: monotonicNs,
    turnNs: monotonicNs,
    random: () => 0.5,
    log: pino({ enabled: false }),
    metrics,
    tracer: trace.getTracer('test'),
    cpuMilli: () => 0,
  };
  const govern = httpChain(runtime as Runtime);
  const made = fastify();
  await made.register(jwt, { secret: 'a-secret-of-the-test' });
  addFallbacks(made, govern);
  addRoutes(made, { govern, services, newKey: () => `key-${++keys}` });
  return made.ready().then(() => made);
}
