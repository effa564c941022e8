import { createServer, connect as dial, type Socket } from 'node:net';
import { context, ROOT_CONTEXT, SpanStatusCode } from '@opentelemetry/api';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { splitAddress } from '../../../core/address.ts';
import { runClock, waitUntil } from '../../../core/time.ts';
import { codes, MallError } from '../../../system/errors.ts';
import { withDeadline } from '../../../system/rpc/context.ts';
import { DuplicateKeyError, openSql, type Sql } from '../../../system/stores/sql.ts';
import { inSpan } from '../../../system/telemetry/spans.ts';
import { metricValue, recordSpans, type TestRuntime, testRuntime } from '../../support/runtime.ts';
import { startTestStores, type TestStores } from '../../support/stores.ts';

const spans = recordSpans();
const clock = runClock();
const undo = new AsyncDisposableStack();
let stores: TestStores;

beforeAll(async () => {
  stores = await startTestStores(undo);
});
afterAll(() => undo.disposeAsync());
afterEach(() => spans.reset());

const within = <T>(ms: number, run: () => Promise<T>) => context.with(withDeadline(ROOT_CONTEXT, clock.nowMs() + ms), run);

test('rows are written and read, numbers as numbers', async () => {
  await using books = await openBooks();
  expect(await books.sql.execute('INSERT INTO books (id, copies) VALUES (?, ?)', ['a', 3])).toMatchObject({ affectedRows: 1 });
  expect(await books.sql.query('SELECT id, copies FROM books WHERE id = ?', ['a'])).toEqual([{ id: 'a', copies: 3 }]);
});

test('a key that exists is told apart from a broken database, and opens no breaker', async () => {
  await using books = await openBooks();
  for (let index = 0; index < 40; index += 1) {
    const insert = books.sql.execute('INSERT INTO books (id, copies) VALUES (?, ?)', ['twice', 1]);
    if (index > 0) await expect(insert).rejects.toBeInstanceOf(DuplicateKeyError);
    else await insert;
  }
  expect(await metricValue(books.runtime, 'mall_breaker_requests_total', { kind: 'sql', result: 'failure' })).toBe(0);
});

test('a row that exists already is an answer: its span is not failed, and nothing of the row is in it', async () => {
  await using books = await openBooks();
  const insert = () => books.sql.execute('INSERT INTO books (id, copies) VALUES (?, ?)', ['15912345678', 1]);
  await insert();
  await expect(insert()).rejects.toThrow('A row with this key exists already');
  await expect(
    books.sql.transaction((tx) => tx.execute('INSERT INTO books (id, copies) VALUES (?, ?)', ['15912345678', 1])),
  ).rejects.toBeInstanceOf(DuplicateKeyError);
  const told = spans.getFinishedSpans().map(({ status, attributes, events }) => ({ status, attributes, events }));
  expect(new Set(told.map(({ status }) => status.code))).toEqual(new Set([SpanStatusCode.UNSET]));
  expect(JSON.stringify(told)).not.toContain('15912345678');
});

test('statements that fail open the breaker, which refuses without asking the database', async () => {
  await using books = await openBooks();
  const refusals: unknown[] = [];
  for (let index = 0; index < 100; index += 1) {
    await books.sql.query('SELECT nothing FROM nowhere').catch((error: MallError) => {
      expect(error.code).toBe(error.refusedBy === undefined ? codes.database : codes.rpc);
      if (error.refusedBy === 'breaker') refusals.push(error);
    });
  }
  expect(refusals.length).toBeGreaterThan(20);
  expect(await metricValue(books.runtime, 'sql_client_requests_error_total', { command: 'queryRows', error: 'breaker' })).toBe(
    refusals.length,
  );
  const statement = { name: 'SELECT nowhere', attributes: { 'mall.edge': 'orders->mysql', 'db.system.name': 'mysql' } };
  expect(spans.getFinishedSpans().at(-1)).toMatchObject(statement);
});

test('a transaction that the business gives up leaves nothing behind and opens no breaker', async () => {
  await using books = await openBooks();
  for (let index = 0; index < 30; index += 1) {
    const attempt = books.sql.transaction(async (tx) => {
      await tx.execute('INSERT INTO books (id, copies) VALUES (?, ?)', ['half', 1]);
      throw new MallError('outOfStock');
    });
    await expect(attempt).rejects.toMatchObject({ code: codes.outOfStock });
  }
  expect(await books.sql.query("SELECT id FROM books WHERE id = 'half'")).toEqual([]);
  const transactions = spans.getFinishedSpans().filter(({ name }) => name === 'TRANSACTION');
  expect(transactions.map(({ status }) => status.code)).toEqual(Array.from({ length: 30 }, () => SpanStatusCode.UNSET));
  const events = { name: 'orders->mysql', kind: 'sql' };
  expect(await metricValue(books.runtime, 'mall_breaker_requests_total', { ...events, result: 'failure' })).toBe(0);
});

test('a transaction is one event for the breaker and one span over its statements', async () => {
  await using books = await openBooks();
  const before = await metricValue(books.runtime, 'mall_breaker_requests_total', { result: 'success' });
  const copies = await inSpan(books.runtime, 'create_order', () =>
    books.sql.transaction(async (tx) => {
      await tx.execute('INSERT INTO books (id, copies) VALUES (?, ?)', ['one', 1]);
      await tx.execute('UPDATE books SET copies = copies + 1 WHERE id = ?', ['one']);
      return tx.query<{ copies: number }>('SELECT copies FROM books WHERE id = ?', ['one']);
    }),
  );
  expect(copies).toEqual([{ copies: 2 }]);
  expect(await metricValue(books.runtime, 'mall_breaker_requests_total', { result: 'success' })).toBe(before + 1);
  const [insert, update, select, transaction, order] = spans.getFinishedSpans().slice(-5);
  expect([insert, update, select, transaction, order].map((span) => span?.name)).toEqual([
    'INSERT books',
    'UPDATE books',
    'SELECT books',
    'TRANSACTION',
    'create_order',
  ]);
  const parents = [insert, update, select].map((span) => span?.parentSpanContext?.spanId);
  expect(new Set(parents)).toEqual(new Set([transaction?.spanContext().spanId]));
  expect(transaction?.parentSpanContext?.spanId).toBe(order?.spanContext().spanId);
  // One call on the edge, not four.
  expect([insert, update, select, transaction].map((span) => span?.attributes['mall.edge'])).toEqual([
    undefined,
    undefined,
    undefined,
    'orders->mysql',
  ]);
  expect(insert?.attributes['db.query.text']).toBe('INSERT INTO books (id, copies) VALUES (?, ?)');
});

test('a statement is given up with its call, and its connection does not hold up the next', async () => {
  await using books = await openBooks({ connections: 1 });
  const startMs = clock.nowMs();
  await expect(within(150, () => books.sql.query('SELECT SLEEP(5)'))).rejects.toMatchObject({ refusedBy: 'deadline' });
  expect(await books.sql.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  expect(clock.nowMs() - startMs).toBeLessThan(4_000);
});

test('a call does not wait for a connection beyond its time', async () => {
  await using books = await openBooks({ connections: 1 });
  const release = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const holder = books.sql.transaction(async () => {
    begun.resolve();
    await release.promise;
  });
  await begun.promise;
  await expect(within(100, () => books.sql.query('SELECT 1'))).rejects.toMatchObject({ refusedBy: 'deadline' });
  release.resolve();
  await holder;
  expect(await books.sql.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a transaction that runs out of time leaves nothing behind', async () => {
  await using books = await openBooks({ connections: 1 });
  const attempt = within(150, () =>
    books.sql.transaction(async (tx) => {
      await tx.execute('INSERT INTO books (id, copies) VALUES (?, ?)', ['late', 1]);
      await tx.query('SELECT SLEEP(1)');
    }),
  );
  await expect(attempt).rejects.toMatchObject({ refusedBy: 'deadline' });
  // The server notices the cut connection at its own pace.
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the insert to be rolled back' }, async () => {
    const rows = await books.sql.query('SELECT id FROM books WHERE id = ?', ['late']);
    return rows.length === 0;
  });
});

test('where the network has gone silent, what ran out of time leaves no connection open and nothing waiting', async () => {
  await using network = await networkBefore(`${stores.mysql.host}:${stores.mysql.port}`);
  await using books = await openBooks({ connections: 1, mysql: network.address });
  const owed = Promise.withResolvers<unknown>();
  // Enough for the transaction to begin, also on a slow machine.
  const attempt = within(1_000, () =>
    books.sql.transaction((tx) => {
      network.silence();
      return tx.query('SELECT 1').catch(owed.resolve);
    }),
  );
  await expect(attempt).rejects.toMatchObject({ refusedBy: 'deadline' });
  expect(await owed.promise).toMatchObject({ code: codes.database });
  await waitUntil({ timeoutMs: 5_000, describe: () => `Expected no connection, got ${network.open()}` }, () => network.open() === 0);
  network.speak();
  expect(await books.sql.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('the pool says how many connections it has, lends and holds ready, and how long loans waited', async () => {
  await using books = await openBooks({ connections: 2 });
  const labels = { db_name: 'test_orders' };
  const release = Promise.withResolvers<void>();
  const holders = Array.from({ length: 2 }, async () => {
    const begun = Promise.withResolvers<void>();
    const done = books.sql.transaction(async () => {
      begun.resolve();
      await release.promise;
    });
    await begun.promise;
    return { done };
  });
  const held = await Promise.all(holders);
  const late = within(100, () => books.sql.query('SELECT 1'));
  expect(await metricValue(books.runtime, 'sql_client_in_use_connections', labels)).toBe(2);
  await expect(late).rejects.toMatchObject({ refusedBy: 'deadline' });
  release.resolve();
  await Promise.all(held.map(({ done }) => done));
  const pool = async (name: string) => metricValue(books.runtime, `sql_client_${name}`, labels);
  expect(await Promise.all(['max_open_connections', 'open_connections', 'in_use_connections', 'idle_connections'].map(pool))).toEqual([
    2, 2, 0, 2,
  ]);
  expect(await pool('wait_count_total')).toBe(1);
  expect(await pool('wait_duration_seconds_total')).toBeGreaterThanOrEqual(0.09);
  const { values } = (await books.runtime.metrics.registry.getSingleMetric('sql_client_open_connections')?.get()) ?? { values: [] };
  expect(values[0]?.labels.hash).toMatch(/^[0-9a-f]{64}$/);
});

type Books = { sql: Sql; runtime: TestRuntime } & AsyncDisposable;

async function openBooks({ connections = 10, mysql }: { connections?: number; mysql?: string } = {}): Promise<Books> {
  const { host, port, user, password } = stores.mysql;
  const config = { mysql: mysql ?? `${host}:${port}`, mysqlUser: user, mysqlPassword: password };
  const runtime = testRuntime('orders', { clock, config });
  const sql = await openSql(runtime, { connections });
  await sql.execute('CREATE TABLE IF NOT EXISTS books (id VARCHAR(20) PRIMARY KEY, copies INT NOT NULL)');
  return {
    sql,
    runtime,
    async [Symbol.asyncDispose]() {
      await sql.execute('DELETE FROM books').catch(() => undefined);
      await runtime.stop();
    },
  };
}

/** Stands before a server and carries everything, until it is told to keep silent: then nothing passes, not even the end of a connection. */
async function networkBefore(address: string) {
  const callers = new Set<Socket>();
  let isSilent = false;
  const server = createServer({ allowHalfOpen: true }, (caller) => {
    const upstream = dial(splitAddress(address));
    callers.add(caller);
    for (const [from, to] of [
      [caller, upstream],
      [upstream, caller],
    ] as const) {
      from.on('data', (bytes) => void (isSilent || to.write(bytes)));
      from.on('end', () => void (isSilent || to.end()));
      from.on('error', () => undefined);
      from.on('close', () => void (isSilent || to.destroy()));
    }
    caller.on('close', () => callers.delete(caller));
  });
  const port = await stores.ports.next();
  await new Promise<void>((resolve) => void server.listen(port, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${port}`,
    silence() {
      isSilent = true;
    },
    speak() {
      isSilent = false;
    },
    /** How many connections their callers still hold: a caller that is gone answers a byte with a reset. */
    open() {
      for (const caller of callers) caller.write('\0');
      return callers.size;
    },
    async [Symbol.asyncDispose]() {
      for (const caller of callers) caller.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
