import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql, { type Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { claimPorts } from '../../../compose/ports.ts';
import { planServers, type Servers } from '../../../compose/servers.ts';
import { startWatchdog } from '../../../compose/watchdog.ts';
import { type Auditor, openAuditor } from '../../../harness/observe/audit.ts';
import { schema as inventory } from '../../../system/services/inventory/schema.ts';
import { schema as orders } from '../../../system/services/orders/schema.ts';
import { schema as payment } from '../../../system/services/payment/schema.ts';

const [runTag, probeTag] = ['cafe0001', 'ffffffff'];
const undo = new AsyncDisposableStack();
let servers: Servers;
let books: Connection;
let auditor: Auditor;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'audit-test-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const watchdog = await startWatchdog();
  undo.defer(() => watchdog.close());
  const ports = await claimPorts({ random: Math.random });
  undo.defer(() => ports.close());
  servers = await planServers({ given: {}, ports });
  await servers.start({
    env: process.env,
    cacheFolder: join(import.meta.dirname, '../../../.cache'),
    logFolder: folder,
    signal: new AbortController().signal,
    undo,
    watchdog,
    progress: () => undefined,
    namespace: 'mall',
  });
  books = await mysql.createConnection(servers.mysql);
  undo.defer(() => books.end());
});
afterAll(() => undo.disposeAsync());

/** Two users with 10,000 cents each, ten pieces of a product that costs 300, and one order of the probe that was paid before. */
beforeEach(async () => {
  for (const [service, statements] of Object.entries({ inventory, orders, payment })) {
    await books.query(`DROP DATABASE IF EXISTS mall_${service}`);
    await books.query(`CREATE DATABASE mall_${service}`);
    await books.query(`USE mall_${service}`);
    for (const statement of statements) await books.query(statement);
  }
  await books.query('INSERT INTO mall_payment.accounts (user_id, balance_cents) VALUES (1, 10000), (2, 10000)');
  await books.query("INSERT INTO mall_inventory.stock (product_id, available) VALUES ('sku-1', 10), ('sku-2', 10)");
  auditor = await openAuditor({ mysql: servers.mysql, namespace: 'mall' }, { runTag });
  await sell('probe', { tag: probeTag });
  return () => auditor.close();
});

test('good books are not accused, and orders of the probe do not count as paid', async () => {
  const before = await auditor.read([]);
  expect(before).toEqual({
    products: [
      { product: 'sku-1', seeded: 10, available: 9, reserved: 1, paid: 1 },
      { product: 'sku-2', seeded: 10, available: 10, reserved: 0, paid: 0 },
    ],
    acknowledged: 0,
    missingOrders: [],
    paidOrders: 0,
    paidWithoutPayment: [],
    chargedWrongly: [],
    unsettled: 0,
  });
  await sell('a');
  await sell('b', { user: 2 });
  await cancel('c');
  expect(await auditor.read([{ orderId: 'a' }, { orderId: 'b' }])).toEqual({
    ...before,
    products: [{ product: 'sku-1', seeded: 10, available: 7, reserved: 3, paid: 3 }, before.products[1]],
    acknowledged: 2,
    paidOrders: 2,
  });
});

test('payments that were there before the first shopper are no debt of theirs', async () => {
  await using later = await audited();
  await sell('a');
  expect((await later.read([])).chargedWrongly).toEqual([]);
});

test('an account that was lowered twice for one order is a double charge', async () => {
  await sell('a');
  await books.query('UPDATE mall_payment.accounts SET balance_cents = balance_cents - 300 WHERE user_id = 1');
  expect((await auditor.read([])).chargedWrongly).toEqual(['user 1: the account lost 900 cents, the payments say 600']);
});

test('an order that was paid and cost nobody anything is seen', async () => {
  await sell('a', { user: 2 });
  await books.query('UPDATE mall_payment.accounts SET balance_cents = 10000 WHERE user_id = 2');
  expect((await auditor.read([])).chargedWrongly).toEqual(['user 2: the account lost 0 cents, the payments say 300']);
  await books.query('DELETE FROM mall_payment.accounts WHERE user_id = 2');
  expect((await auditor.read([])).chargedWrongly).toEqual(['user 2: there is no account, the payments say 300 cents']);
});

test('money that was taken for a cancelled order, for none, or from somebody else is seen by its order', async () => {
  await sell('cancelled');
  await sell('unknown');
  await sell('stranger');
  await books.query("UPDATE mall_orders.orders SET status = 'CANCELLED' WHERE id = 'cancelled'");
  await books.query("DELETE FROM mall_orders.orders WHERE id = 'unknown'");
  await books.query("UPDATE mall_orders.orders SET user_id = 2 WHERE id = 'stranger'");
  expect((await auditor.read([])).chargedWrongly.sort()).toEqual(['cancelled', 'stranger', 'unknown']);
});

test('a paid order without a payment, or with one of another amount, is seen', async () => {
  await sell('free');
  await sell('dear');
  await books.query("DELETE FROM mall_payment.payments WHERE order_id = 'free'");
  await books.query("UPDATE mall_orders.orders SET total_cents = 299 WHERE id = 'dear'");
  expect((await auditor.read([])).paidWithoutPayment.sort()).toEqual(['dear', 'free']);
});

test('two orders under one key are seen where the database let them pass', async () => {
  await books.query('ALTER TABLE mall_orders.orders DROP INDEX once');
  await sell('a', { key: 'twice' });
  await sell('b', { key: 'twice' });
  expect((await auditor.read([])).chargedWrongly).toEqual(['a']);
});

test('a product that was sold twice shows in its row: more is paid than was taken from the shelf', async () => {
  await sell('a', { product: 'sku-2' });
  await sell('b', { product: 'sku-2' });
  await books.query("UPDATE mall_inventory.stock SET available = available + 1 WHERE product_id = 'sku-2'");
  await books.query("DELETE FROM mall_inventory.reservation_lines WHERE order_id = 'b'");
  expect((await auditor.read([])).products[1]).toEqual({ product: 'sku-2', seeded: 10, available: 9, reserved: 1, paid: 2 });
});

test('an order that a shopper was told about and nobody knows is missing', async () => {
  await sell('a');
  expect(await auditor.read([{ orderId: 'a' }, { orderId: 'b' }])).toMatchObject({ acknowledged: 2, missingOrders: ['b'] });
});

test.each(['CREATED', 'PENDING', 'CANCELLING'])('an order that is %s is not settled', async (status) => {
  await sell('a');
  expect(await auditor.unsettled()).toBe(0);
  await books.query("UPDATE mall_orders.orders SET status = ? WHERE id = 'a'", [status]);
  expect(await auditor.unsettled()).toBe(1);
  // It may have been charged a moment ago: what is open is not wrong.
  expect(await auditor.read([])).toMatchObject({ unsettled: 1, chargedWrongly: [] });
});

test('a sale that is under way is not accused', async () => {
  await using register = await cashier();
  await register.beginTransaction();
  await register.query("INSERT INTO mall_payment.payments (order_id, user_id, amount_cents, status) VALUES ('a', 1, 300, 'PAID')");
  expect((await auditor.read([])).chargedWrongly).toEqual([]);
  await register.rollback();
});

test('a connection that was lost is made anew', async () => {
  expect(await auditor.unsettled()).toBe(0);
  const [processes] = await books.query('SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = ?', [
    servers.mysql.user,
  ]);
  const ids = (processes as { id: number }[]).map(({ id }) => id);
  expect(ids.length).toBeGreaterThan(0);
  for (const id of ids) await books.query(`KILL ${id}`);
  // Whether the loss has been noticed yet is chance; after one failed question it has.
  await auditor.unsettled().catch(() => undefined);
  expect(await auditor.unsettled()).toBe(0);
});

test('books that cannot be read are one sentence with the address', async () => {
  const gone = { mysql: { ...servers.mysql, port: 1 }, namespace: 'mall' };
  await expect(openAuditor(gone, { runTag })).rejects.toThrow(/^The books of the mall at 127\.0\.0\.1:1 could not be read: [^\n]+$/);
  await books.query('DROP DATABASE mall_orders');
  await expect(auditor.read([])).rejects.toThrow(/could not be read: .*mall_orders/);
  await expect(auditor.unsettled()).rejects.toThrow(/could not be read: .*mall_orders/);
});

/** A sale of one piece as the three services write it. */
async function sell(id: string, { user = 1, product = 'sku-1', tag = runTag, key = id } = {}): Promise<void> {
  await books.query("INSERT INTO mall_orders.orders (id, user_id, idempotency_key, status, total_cents) VALUES (?, ?, ?, 'PAID', 300)", [
    id,
    user,
    `${tag}-${key}`,
  ]);
  await books.query('INSERT INTO mall_orders.order_lines (order_id, product_id, quantity, price_cents) VALUES (?, ?, 1, 300)', [
    id,
    product,
  ]);
  await books.query("INSERT INTO mall_inventory.reservations (order_id, state) VALUES (?, 'REDUCED')", [id]);
  await books.query('INSERT INTO mall_inventory.reservation_lines (order_id, product_id, quantity) VALUES (?, ?, 1)', [id, product]);
  await books.query('UPDATE mall_inventory.stock SET available = available - 1 WHERE product_id = ?', [product]);
  await books.query("INSERT INTO mall_payment.payments (order_id, user_id, amount_cents, status) VALUES (?, ?, 300, 'PAID')", [id, user]);
  await books.query('UPDATE mall_payment.accounts SET balance_cents = balance_cents - 300 WHERE user_id = ?', [user]);
}

/** An order that took a piece and gave it back. */
async function cancel(id: string): Promise<void> {
  await books.query(
    "INSERT INTO mall_orders.orders (id, user_id, idempotency_key, status, total_cents) VALUES (?, 1, ?, 'CANCELLED', 300)",
    [id, `${runTag}-${id}`],
  );
  await books.query("INSERT INTO mall_orders.order_lines (order_id, product_id, quantity, price_cents) VALUES (?, 'sku-1', 1, 300)", [id]);
  await books.query("INSERT INTO mall_inventory.reservations (order_id, state) VALUES (?, 'RESTORED')", [id]);
  await books.query("INSERT INTO mall_inventory.reservation_lines (order_id, product_id, quantity) VALUES (?, 'sku-1', 1)", [id]);
}

async function audited(): Promise<Auditor & AsyncDisposable> {
  const opened = await openAuditor({ mysql: servers.mysql, namespace: 'mall' }, { runTag });
  return Object.assign(opened, { [Symbol.asyncDispose]: opened.close });
}

async function cashier(): Promise<Connection & AsyncDisposable> {
  const connection = await mysql.createConnection(servers.mysql);
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.end() });
}
