import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, type MethodDefinition, type ServiceDefinition } from '@grpc/grpc-js';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Deployment } from '../../../compose/deployment.ts';
import { planLocal } from '../../../compose/local.ts';
import { runClock, waitUntil } from '../../../core/time.ts';
import { startOtlpReceiver } from '../../../harness/observe/otlp.ts';
import type { Span } from '../../../harness/observe/otlp-decode.ts';
import { loadContract } from '../../../system/contracts/load.ts';
import { codes } from '../../../system/errors.ts';
import { orderId } from '../../../system/services/orders/order-id.ts';
import { orderStore } from '../../../system/services/orders/store.ts';
import { openingBalanceCents } from '../../../system/services/payment/payment.ts';
import { openSql } from '../../../system/stores/sql.ts';
import { tuningOf } from '../../../system/tuning.ts';
import { testRuntime } from '../../support/runtime.ts';

const undo = new AsyncDisposableStack();
const spans: Span[] = [];
let mall: Deployment;
let books: Connection;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mall-test-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const clock = runClock();
  const otlp = await startOtlpReceiver({ epochMs: clock.nowMs(), store: { add: (batch) => spans.push(...batch) } });
  undo.defer(otlp.close);
  const plan = await planLocal({
    replicas: { gateway: 2, user: 1, product: 1, inventory: 2, orders: 2, payment: 1 },
    folder,
    otlp: otlp.address,
    signal: new AbortController().signal,
    undo,
    progress: () => undefined,
  });
  const trueAddress = new Map(plan.wires.map(({ name, upstream }) => [name, upstream]));
  await plan.startServers();
  mall = await plan.startMall({
    addressOf: (wire) => trueAddress.get(wire) ?? '',
    epochOffsetNs: clock.epochOffsetNs,
    tuning: tuningOf,
    stock: { 'sku-1': 1, 'sku-2': 100 },
    shoppers: 14,
  });
  books = await mysql.createConnection({ ...mall.mysql, supportBigNumbers: true });
  undo.defer(() => books.end());
});
afterAll(() => undo.disposeAsync());

test('who registers can log in, be found and be renamed', async () => {
  const newcomer = { mobile: '15912345678', name: '小明', password: 'a secret' };
  const registered = await post('/api/v1/user/register', newcomer);
  expect([registered.status, registered.body.data]).toEqual([200, { id: expect.any(Number), mobile: newcomer.mobile, name: '小明' }]);
  expect((await post('/api/v1/user/register', newcomer)).body.code).toBe(codes.userExists);
  expect((await post('/api/v1/user/register', { ...newcomer, mobile: '12345678901' })).body.code).toBe(codes.mobileFormat);
  expect((await post('/api/v1/user/login', { ...newcomer, password: 'another' })).body.code).toBe(codes.password);
  expect((await post('/api/v1/user/login', { mobile: '15900000000', password: 'a secret' })).body.code).toBe(codes.userMissing);

  const login = await post('/api/v1/user/login', newcomer);
  const headers = { authorization: `Bearer ${login.body.data.token}` };
  const url = `/api/v1/user/${registered.body.data.id}`;
  expect((await get(url, headers)).body.data.name).toBe('小明');
  expect((await ask('PUT', '/api/v1/user/info', { headers, body: { name: 'Ming' } })).body.data.name).toBe('Ming');
  expect((await get(url, headers)).body.data.name).toBe('Ming');
  expect((await get('/api/v1/user/1', headers)).status).toBe(401);
});

test('nobody reads an old name after a rename, however many read meanwhile', async () => {
  const shopper = await logIn(5);
  const nameNow = async () => (await get('/api/v1/user/5', shopper)).body.data.name;
  for (let round = 0; round < 10; round += 1) {
    const name = `Name ${round}`;
    const readers = Array.from({ length: 8 }, nameNow);
    const renamed = await ask('PUT', '/api/v1/user/info', { headers: shopper, body: { name } });
    expect([renamed.body.data.name, await nameNow()]).toEqual([name, name]);
    await Promise.all(readers);
    expect(await nameNow()).toBe(name);
  }
});

test('who has just registered can buy: the account is opened with the first charge', async () => {
  const newcomer = { mobile: '15912345679', name: 'New', password: 'a secret' };
  const { id } = (await post('/api/v1/user/register', newcomer)).body.data;
  const { token } = (await post('/api/v1/user/login', newcomer)).body.data;
  const shopper = { authorization: `Bearer ${token}` };
  const orders = await Promise.all(Array.from({ length: 3 }, () => checkout(shopper, [{ product_id: 'sku-12', quantity: 1 }])));
  expect(orders.map(({ body }) => body.data.status)).toEqual(['PAID', 'PAID', 'PAID']);
  const spent = orders.reduce((sum, { body }) => sum + body.data.total_cents, 0);
  expect(await rows('SELECT balance_cents AS cents FROM mall_payment.accounts WHERE user_id = ?', [id])).toEqual([
    { cents: openingBalanceCents - spent },
  ]);
});

test('the catalogue is read page by page and product by product', async () => {
  const second = await get('/api/v1/products?page=2');
  expect(second.body.data.items).toHaveLength(20);
  expect(second.body.data.items[0]).toMatchObject({ id: 'sku-21', name: 'Product 21' });
  expect((await get('/api/v1/products?page=11')).body.data.items).toEqual([]);
  const { id, price_cents } = (await get('/api/v1/products/sku-3')).body.data;
  expect([id, price_cents > 0]).toEqual(['sku-3', true]);
  expect((await get('/api/v1/products/sku-201')).status).toBe(404);
});

test('a checkout is paid, found again, and told only to who made it', async () => {
  const shopper = await logIn(1);
  const order = await checkout(shopper, [
    { product_id: 'sku-4', quantity: 1 },
    { product_id: 'sku-3', quantity: 2 },
  ]);
  expect([order.status, order.body.data.status]).toEqual([200, 'PAID']);
  const { id, total_cents, items } = order.body.data;
  expect(total_cents).toBe(
    items.reduce((sum: number, line: { quantity: number; price_cents: number }) => sum + line.quantity * line.price_cents, 0),
  );

  expect((await get(`/api/v1/orders/${id}`, shopper)).body.data).toEqual(order.body.data);
  expect((await get('/api/v1/orders?user_id=1', shopper)).body.data.orders).toEqual([order.body.data]);
  expect((await get(`/api/v1/orders/${id}`, await logIn(2))).body.code).toBe(codes.orderMissing);
  expect(await rows('SELECT amount_cents AS cents FROM mall_payment.payments WHERE order_id = ?', [id])).toEqual([{ cents: total_cents }]);
  expect(await available('sku-3')).toBe(1_000_000 - 2);
});

test('the spans of a checkout form one trace through every service, with the steps of the business', async () => {
  const reply = await checkout(await logIn(1), [{ product_id: 'sku-5', quantity: 1 }]);
  const traceId = reply.headers.get('x-trace-id');
  const steps = ['verify_user', 'check_stock', 'create_order', 'reduce_stock', 'initiate_payment', 'complete_order'];
  const found = () => spans.filter((span) => span.traceId === traceId);
  // Every process sends its spans in batches of its own: a child may come before its parent.
  const rootsOf = (trace: typeof spans) => {
    const ids = new Set(trace.map(({ spanId }) => spanId));
    return trace.filter(({ parentId }) => parentId === null || !ids.has(parentId)).map(({ name }) => name);
  };
  const describe = () => `Expected all spans of ${traceId}, got ${found().length} below ${rootsOf(found()).join(', ')}`;
  const trace = await waitUntil({ timeoutMs: 20_000, describe }, () => {
    const names = new Set(found().map(({ name }) => name));
    const instances = new Set(found().map(({ instance }) => instance.split('.')[0]));
    const isWhole = [...steps, 'POST /api/v1/orders'].every((name) => names.has(name)) && instances.size === 6;
    return isWhole && rootsOf(found()).length === 1 ? found() : undefined;
  });
  expect(rootsOf(trace)).toEqual(['POST /api/v1/orders']);
  expect(JSON.stringify(trace.map(({ attributes }) => [...Object.values(attributes ?? {})]))).not.toContain('13800000001');
});

test('a checkout that is repeated is one order, charged once', async () => {
  const shopper = await logIn(3);
  const key = randomUUID();
  const basket = [{ product_id: 'sku-6', quantity: 1 }];
  const replies = await Promise.all(Array.from({ length: 6 }, () => checkout(shopper, basket, key)));
  const last = await checkout(shopper, basket, key);
  expect(new Set([...replies, last].map(({ body }) => body.data.id)).size).toBe(1);
  expect(last.body.data.status).toBe('PAID');
  expect(await rows('SELECT COUNT(*) AS count FROM mall_payment.payments WHERE user_id = 3')).toEqual([{ count: 1 }]);
  expect(await available('sku-6')).toBe(1_000_000 - 1);

  const other = await checkout(shopper, [{ product_id: 'sku-6', quantity: 2 }], key);
  expect([other.status, other.body.code]).toEqual([409, codes.orderStatus]);
});

test('of many who take an order over one gets it, and whoever had it before changes nothing', async () => {
  const runtime = testRuntime('orders', {
    config: {
      mysql: `${mall.mysql.host}:${mall.mysql.port}`,
      mysqlUser: mall.mysql.user,
      mysqlPassword: mall.mysql.password,
      namespace: mall.namespace,
    },
  });
  try {
    const store = orderStore({ sql: await openSql(runtime), clock: runtime.clock });
    const id = anOrderId();
    const lines = [{ productId: 'sku-13', quantity: 1, priceCents: 100 }];
    const hourMs = 3_600_000;
    const first = await store.insert({ id, userId: 999, key: 'race', totalCents: 100, lines }, hourMs);
    if (first === undefined) throw new Error('Expected a new order');
    const claims = await Promise.all(Array.from({ length: 8 }, (_, index) => store.claim(first, 2 * hourMs + index)));
    const [winner, ...others] = claims.filter((claim) => claim !== undefined);
    expect([winner?.id, others]).toEqual([id, []]);
    expect(await Promise.all([store.startPaying(first), store.startUndo(first), store.finish(first, 'PAID')])).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    if (winner === undefined) return;
    // A statement that is late finds that the order has moved on.
    expect(await store.startUndo(winner)).toMatchObject({ status: 'CANCELLING' });
    expect(await store.startPaying(winner)).toBe(undefined);
    expect(await store.finish({ ...winner, status: 'CANCELLING' }, 'CANCELLED')).toMatchObject({ status: 'CANCELLED' });
    expect(await store.byId({ id, userId: 999 })).toMatchObject({ status: 'CANCELLED', claimMs: 0 });
  } finally {
    await runtime.stop();
  }
});

test('a payment is answered only to who made it: another user or amount is refused', async () => {
  const order = anOrderId();
  const receipt = { orderId: order, amountCents: 100, status: 'PAID' };
  expect(await charge({ orderId: order, userId: 6, amountCents: 100 })).toEqual(receipt);
  expect(await charge({ orderId: order, userId: 6, amountCents: 100 })).toEqual(receipt);
  await expect(charge({ orderId: order, userId: 6, amountCents: 101 })).rejects.toMatchObject({ code: codes.orderStatus });
  await expect(charge({ orderId: order, userId: 7, amountCents: 100 })).rejects.toMatchObject({ code: codes.orderStatus });
});

test('of many who want the last piece one gets it', async () => {
  const shoppers = await Promise.all(Array.from({ length: 12 }, (_, index) => logIn(index + 1)));
  const replies = await Promise.all(shoppers.map((shopper) => checkout(shopper, [{ product_id: 'sku-1', quantity: 1 }])));
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
  const others = replies.filter(({ status }) => status !== 200);
  expect(new Set(others.map(({ status, body }) => `${status} ${body.code}`))).toEqual(new Set([`409 ${codes.outOfStock}`]));
  expect(await available('sku-1')).toBe(0);
  expect(await rows("SELECT SUM(quantity) AS taken FROM mall_inventory.reservation_lines WHERE product_id = 'sku-1'")).toEqual([
    { taken: '1' },
  ]);
});

test('who cannot pay gets nothing and the stock is as before', async () => {
  await books.query(here('UPDATE mall_payment.accounts SET balance_cents = 1 WHERE user_id = 4'));
  const shopper = await logIn(4);
  const key = randomUUID();
  const reply = await checkout(shopper, [{ product_id: 'sku-7', quantity: 1 }], key);
  expect([reply.status, reply.body.code]).toEqual([409, codes.insufficientBalance]);
  expect(await available('sku-7')).toBe(1_000_000);
  expect(await rows('SELECT status FROM mall_orders.orders WHERE user_id = 4 AND idempotency_key = ?', [key])).toEqual([
    { status: 'CANCELLED' },
  ]);
  // This shopper may have got the last piece of another product before.
  const made = 'SELECT payments.order_id FROM mall_payment.payments JOIN mall_orders.orders ON orders.id = payments.order_id';
  expect(await rows(`${made} WHERE orders.idempotency_key = ?`, [key])).toEqual([]);
  expect((await checkout(shopper, [{ product_id: 'sku-7', quantity: 1 }], key)).body.code).toBe(codes.orderStatus);
});

test('stock is taken and given back once for each order, whatever is repeated and in whatever order', async () => {
  const stocks = () => Promise.all(['sku-8', 'sku-9'].map(available));
  const [first, second, third] = [anOrderId(), anOrderId(), anOrderId()];
  const lines = [
    { productId: 'sku-9', quantity: 3 },
    { productId: 'sku-8', quantity: 2 },
  ];
  await Promise.all(Array.from({ length: 4 }, () => inventory('Reduce', { orderId: first, lines })));
  expect(await stocks()).toEqual([1_000_000 - 2, 1_000_000 - 3]);

  const tooMuch = [...lines, { productId: 'sku-2', quantity: 1_000_001 }];
  await expect(inventory('Reduce', { orderId: second, lines: tooMuch })).rejects.toMatchObject({ code: codes.outOfStock });
  expect(await stocks()).toEqual([1_000_000 - 2, 1_000_000 - 3]);

  await Promise.all(Array.from({ length: 4 }, () => inventory('Restore', { orderId: first })));
  expect(await stocks()).toEqual([1_000_000, 1_000_000]);
  await expect(inventory('Reduce', { orderId: first, lines })).rejects.toMatchObject({ code: codes.orderStatus });

  await inventory('Restore', { orderId: third });
  await expect(inventory('Reduce', { orderId: third, lines })).rejects.toMatchObject({ code: codes.orderStatus });
  expect(await stocks()).toEqual([1_000_000, 1_000_000]);
});

test('the sweep ends what a dead process has left behind: it undoes what was not promised and charges what was', async () => {
  const [created, pending, cancelling] = [anOrderId(), anOrderId(), anOrderId()];
  const reduce = (order: string, product: string, quantity: number) =>
    inventory('Reduce', { orderId: order, lines: [{ productId: product, quantity }] });
  await Promise.all([reduce(created, 'sku-14', 3), reduce(pending, 'sku-10', 2), reduce(cancelling, 'sku-11', 4)]);
  const insert = here(`INSERT INTO mall_orders.orders (id, user_id, idempotency_key, status, total_cents, settle_after_ms) VALUES ?`);
  const lines = [
    [created, 'sku-14', 3, 100],
    [pending, 'sku-10', 2, 100],
    [cancelling, 'sku-11', 4, 100],
  ];
  await books.query(here('INSERT INTO mall_orders.order_lines VALUES ?'), [lines]);
  await books.query(insert, [
    [
      [created, 14, 'created', 'CREATED', 300, Date.now() - 1],
      [pending, 14, 'pending', 'PENDING', 200, Date.now() - 1],
      [cancelling, 14, 'cancelling', 'CANCELLING', 400, Date.now() - 1],
    ],
  ]);
  await waitUntil({ timeoutMs: 20_000, describe: () => 'Expected every order to be ended' }, async () =>
    (await orderStatuses(14)).every((status) => status === 'PAID' || status === 'CANCELLED'),
  );
  expect(await rows("SELECT idempotency_key AS which FROM mall_orders.orders WHERE user_id = 14 AND status = 'PAID'")).toEqual([
    { which: 'pending' },
  ]);
  expect(await Promise.all(['sku-14', 'sku-10', 'sku-11'].map(available))).toEqual([1_000_000, 1_000_000 - 2, 1_000_000]);
  expect(await rows('SELECT order_id AS id, amount_cents AS cents FROM mall_payment.payments WHERE user_id = 14')).toEqual([
    { id: pending, cents: 200 },
  ]);
  await expect(reduce(created, 'sku-14', 3)).rejects.toMatchObject({ code: codes.orderStatus });
});

test('the mall says what is missing: products, users without a token, and a URL', async () => {
  const shopper = await logIn(1);
  expect((await checkout(shopper, [{ product_id: 'sku-999', quantity: 1 }])).body.code).toBe(codes.badParameter);
  expect((await checkout({}, [{ product_id: 'sku-1', quantity: 1 }])).status).toBe(401);
  const nowhere = await get('/api/v1/nowhere');
  expect([nowhere.status, nowhere.headers.get('x-trace-id')]).toEqual([404, expect.stringMatching(/^[0-9a-f]{32}$/)]);
  expect([(await get('/health')).status, (await get('/ready')).status, (await get('/metrics')).status]).toEqual([200, 200, 200]);
});

test('while payment hangs, orders are taken as PENDING, and they are charged once when it is back', async () => {
  const payment = mall.replicas.find(({ service }) => service === 'payment');
  if (payment === undefined) throw new Error('Expected a payment to pause');
  const shopper = await logIn(13);
  const seen = new Set<number>();
  process.kill(payment.pid, 'SIGSTOP');
  try {
    await waitUntil({ timeoutMs: 60_000, describe: () => `Expected a 202, got ${[...seen]}` }, async () => {
      const replies = await Promise.all(Array.from({ length: 5 }, () => checkout(shopper, [{ product_id: 'sku-2', quantity: 1 }])));
      for (const { status, body } of replies) {
        seen.add(status);
        if (status === 202) expect(body.data.status).toBe('PENDING');
      }
      return seen.has(202);
    });
  } finally {
    process.kill(payment.pid, 'SIGCONT');
  }
  expect([...seen].filter((status) => ![200, 202].includes(status))).toEqual([]);

  const placed = await orderStatuses(13);
  await waitUntil({ timeoutMs: 60_000, everyMs: 100, describe: () => 'Expected every order to be settled' }, async () =>
    (await orderStatuses(13)).every((status) => status === 'PAID'),
  );
  expect(await rows('SELECT COUNT(*) AS count FROM mall_payment.payments WHERE user_id = 13')).toEqual([{ count: placed.length }]);
  expect(await available('sku-2')).toBe(100 - placed.length);
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected a span of the sweep' }, () =>
    spans.some(({ name }) => name === 'settle_orders'),
  );
});

// biome-ignore lint/suspicious/noExplicitAny: what comes over the wire is compared, not trusted
type Reply = { status: number; headers: Headers; body: { code: number; message: string; data: any } };
type Sent = { headers?: Record<string, string>; body?: unknown };
let asked = 0;

/** Asks the gateways in turn. */
async function ask(method: string, path: string, { headers = {}, body }: Sent = {}): Promise<Reply> {
  const gateway = mall.gateways[asked++ % mall.gateways.length];
  const reply = await fetch(`http://${gateway}${path}`, {
    method,
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await reply.text();
  return { status: reply.status, headers: reply.headers, body: text.startsWith('{') ? JSON.parse(text) : {} };
}

const get = (path: string, headers: Record<string, string> = {}) => ask('GET', path, { headers });
const post = (path: string, body: unknown) => ask('POST', path, { body });

async function logIn(number: number): Promise<Record<string, string>> {
  const account = { mobile: `138${String(number).padStart(8, '0')}`, password: `password-${number}` };
  const { body } = await post('/api/v1/user/login', account);
  return { authorization: `Bearer ${body.data.token}` };
}

const checkout = (shopper: Record<string, string>, items: { product_id: string; quantity: number }[], key = randomUUID()) =>
  ask('POST', '/api/v1/orders', { headers: { ...shopper, 'idempotency-key': key }, body: { items } });

const anOrderId = () => orderId({ nowMs: Date.now(), entropy: randomBytes(10) });

/** Calls a replica of a service as orders does, and rejects with the business code. */
function rpc(service: 'inventory' | 'payment', method: string, request: object): Promise<unknown> {
  const replica = mall.replicas.find((one) => one.service === service);
  const client = new Client(replica?.address ?? '', credentials.createInsecure());
  const contract: ServiceDefinition = loadContract(service);
  const { path, requestSerialize, responseDeserialize } = contract[method] as MethodDefinition<object, unknown>;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) => {
      client.close();
      if (error === null) resolve(answer);
      else reject({ code: Number(error.metadata.get('mall-code')[0]) });
    });
  });
}

const inventory = (method: 'Reduce' | 'Restore', request: { orderId: string; lines?: { productId: string; quantity: number }[] }) =>
  rpc('inventory', method, request);
const charge = (request: { orderId: string; userId: number; amountCents: number }) => rpc('payment', 'Charge', request);

async function rows(sql: string, params: (string | number)[] = []): Promise<RowDataPacket[]> {
  const [found] = await books.query<RowDataPacket[]>(here(sql), params);
  return found;
}

/** Servers that are shared with other runs know this mall by another name. */
const here = (sql: string) => sql.replaceAll('mall_', `${mall.namespace}_`);

const available = async (product: string) =>
  (await rows('SELECT available FROM mall_inventory.stock WHERE product_id = ?', [product]))[0]?.available;

const orderStatuses = async (userId: number): Promise<string[]> =>
  (await rows('SELECT status FROM mall_orders.orders WHERE user_id = ?', [userId])).map(({ status }) => status);
