import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { Redis } from 'ioredis';
import mysql, { type Connection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { splitAddress } from '../../../core/address.ts';
import { type RunClock, runClock, waitUntil } from '../../../core/time.ts';
import { codes } from '../../../system/errors.ts';
import { withDeadline } from '../../../system/rpc/context.ts';
import { schema as productSchema } from '../../../system/services/product/schema.ts';
import { idsOf, productStore } from '../../../system/services/product/store.ts';
import { schema as userSchema } from '../../../system/services/user/schema.ts';
import { userStore } from '../../../system/services/user/store.ts';
import { openBloomFilter } from '../../../system/stores/bloom.ts';
import { openCache } from '../../../system/stores/cache.ts';
import { openRedis } from '../../../system/stores/redis.ts';
import { openSql } from '../../../system/stores/sql.ts';
import type { TuningChange } from '../../../system/tuning.ts';
import { metricValue, recordSpans, standingClock, testRuntime } from '../../support/runtime.ts';
import { startTestStores, type TestStores } from '../../support/stores.ts';

const spans = recordSpans();
const clock = runClock();
const undo = new AsyncDisposableStack();
let stores: TestStores;
let books: Connection;
/** Ours, beside the cache's. */
let redis: Redis;

beforeAll(async () => {
  stores = await startTestStores(undo);
  books = await mysql.createConnection(stores.mysql);
  undo.defer(() => books.end());
  for (const [database, statements] of [
    ['test_user', userSchema],
    ['test_product', productSchema],
  ] as const) {
    await books.query(`CREATE DATABASE ${database}`);
    await books.query(`USE ${database}`);
    for (const statement of statements) await books.query(statement);
  }
  redis = new Redis(splitAddress(stores.redis.address));
  redis.on('error', () => undefined);
  undo.defer(async () => redis.disconnect());
});
afterAll(() => undo.disposeAsync());
beforeEach(async () => {
  await redis.flushall();
  // Where a test has failed before it did so itself.
  await redis.call('ACL', 'SETUSER', 'default', '+del');
  spans.reset();
});

const within = <T>(ms: number, run: () => Promise<T>) => context.with(withDeadline(ROOT_CONTEXT, clock.nowMs() + ms), run);

test('a value is loaded once, then read from Redis until it is forgotten', async () => {
  await using shelf = openShelf();
  const load = vi.fn(async () => ({ name: '小明' }));
  for (let index = 0; index < 3; index += 1) expect(await shelf.cache.read('user:1', load)).toEqual({ name: '小明' });
  expect(load).toHaveBeenCalledTimes(1);
  await shelf.cache.forget('user:1');
  await shelf.cache.read('user:1', load);
  expect(load).toHaveBeenCalledTimes(2);
  expect(spans.getFinishedSpans().map(({ name }) => name)).toEqual(['GET', 'SET', 'GET', 'GET', 'DEL', 'GET', 'SET']);
  expect(spans.getFinishedSpans()[0]?.attributes).toMatchObject({ 'db.system.name': 'redis', 'mall.edge': 'user->redis' });
});

test('what does not exist is remembered as such for about a minute, unless it is not to be', async () => {
  await using shelf = openShelf();
  const load = vi.fn(async () => undefined);
  expect([await shelf.cache.read('user:0', load), await shelf.cache.read('user:0', load)]).toEqual([undefined, undefined]);
  expect(load).toHaveBeenCalledTimes(1);
  expect(await redis.get('test:user:0')).toBe('*');
  const ttl = await redis.ttl('test:user:0');
  expect(ttl >= 56 && ttl <= 63).toBe(true);
  await shelf.cache.read('page:9', load, { keepsMissing: false });
  expect(await redis.exists('test:page:9')).toBe(0);
});

test('a value that was written while it was found missing survives', async () => {
  await using shelf = openShelf();
  const load = async () => {
    await redis.set('test:user:2', '"written meanwhile"');
    return undefined;
  };
  expect(await shelf.cache.read('user:2', load)).toBeUndefined();
  expect(await shelf.cache.read('user:2', load)).toBe('written meanwhile');
});

test('values live for a week, five percent more or less', async () => {
  await using shelf = openShelf();
  const keys = Array.from({ length: 50 }, (_, index) => `user:jitter:${index}`);
  await Promise.all(keys.map((key) => shelf.cache.read(key, async () => 1)));
  const ttls = await Promise.all(keys.map((key) => redis.ttl(`test:${key}`)));
  expect(Math.min(...ttls)).toBeGreaterThanOrEqual(574_550);
  expect(Math.max(...ttls)).toBeLessThanOrEqual(635_040);
  expect(new Set(ttls).size).toBeGreaterThan(40);
});

test('what cannot be read is deleted, said and loaded anew', async () => {
  await using shelf = openShelf();
  await redis.set('test:user:mobile:13800000001', '{half');
  expect(await shelf.cache.read('user:mobile:13800000001', async () => 1)).toBe(1);
  expect(await redis.get('test:user:mobile:13800000001')).toBe('1');
  expect(spans.getFinishedSpans().map(({ name }) => name)).toEqual(['GET', 'DEL', 'SET']);
  expect(shelf.runtime.lines).toMatchObject([{ alert: true, keys: ['test:user:mobile'] }]);
  expect(JSON.stringify(shelf.runtime.lines)).not.toContain('13800000001');
});

test('a failing load is passed to all who share it, counted once and not remembered', async () => {
  await using shelf = openShelf();
  const failing = () => Promise.reject(new Error('no database'));
  const outcomes = await Promise.allSettled([shelf.cache.read('user:3', failing), shelf.cache.read('user:3', failing)]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await shelf.requests()).toMatchObject({ 'database fail': 1, 'shared hit': 0 });
  expect(await shelf.cache.read('user:3', async () => 3)).toBe(3);
});

test('every level says what it was asked', async () => {
  await using shelf = openShelf();
  await Promise.all(Array.from({ length: 5 }, () => shelf.cache.read('user:4', async () => 4)));
  await shelf.cache.read('user:4', async () => 4);
  await shelf.cache.read('user:5', async () => undefined);
  await shelf.cache.read('user:5', async () => undefined);
  expect(await shelf.requests()).toMatchObject({ 'shared hit': 4, 'redis hit': 2, 'redis miss': 2, 'database hit': 1, 'database miss': 1 });
});

describe('with a level in the process', () => {
  const tuning = { cache: { local: { entries: 2, expiryMs: 60_000 } } };

  test('a value and its absence are read without asking Redis', async () => {
    await using shelf = openShelf({ tuning });
    for (let index = 0; index < 2; index += 1) await shelf.cache.read('user:1', async () => 1);
    for (let index = 0; index < 2; index += 1) expect(await shelf.cache.read('user:2', async () => undefined)).toBeUndefined();
    expect(spans.getFinishedSpans().map(({ name }) => name)).toEqual(['GET', 'SET', 'GET', 'SET']);
    expect(await shelf.requests()).toMatchObject({ 'local hit': 2, 'local miss': 2 });
  });

  test('what was read from Redis is kept, too, and the least used makes room', async () => {
    await using shelf = openShelf({ tuning });
    await redis.mset('test:a', '1', 'test:b', '2', 'test:c', '3');
    const unused = async () => 0;
    for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) await shelf.cache.read(key, unused);
    expect(await shelf.requests()).toMatchObject({ 'local hit': 2, 'redis hit': 4 });
  });

  test('what is forgotten is loaded anew', async () => {
    await using shelf = openShelf({ tuning });
    await shelf.cache.read('user:1', async () => 'old');
    await shelf.cache.forget('user:1');
    expect(await shelf.cache.read('user:1', async () => 'new')).toBe('new');
  });

  test('what was being read while it was forgotten is kept nowhere', async () => {
    await using shelf = openShelf({ tuning });
    const gate = Promise.withResolvers<string>();
    const loading = Promise.withResolvers<void>();
    const old = shelf.cache.read('user:1', () => {
      loading.resolve();
      return gate.promise;
    });
    await loading.promise;
    await shelf.cache.forget('user:1');
    gate.resolve('old');
    expect(await old).toBe('old');
    expect(await redis.exists('test:user:1')).toBe(0);
    expect(await shelf.cache.read('user:1', async () => 'new')).toBe('new');
  });

  test('neither is a row that was being read by its index', async () => {
    await using shelf = openShelf({ tuning });
    const read = (byIndex: () => Promise<string>) =>
      shelf.cache.readByIndex('mobile:1', { idOf: () => 1, keyOf: (id) => `user:${id}`, byIndex, byId: async () => 'by its id' });
    const gate = Promise.withResolvers<string>();
    const loading = Promise.withResolvers<void>();
    const old = read(() => {
      loading.resolve();
      return gate.promise;
    });
    await loading.promise;
    await shelf.cache.forget('user:1', 'mobile:1');
    gate.resolve('old');
    expect(await old).toBe('old');
    expect(await redis.keys('*')).toEqual([]);
    expect(await read(async () => 'new')).toBe('new');
    expect(await shelf.cache.read('user:1', async () => 'unused')).toBe('new');
  });

  test('an entry that has expired is asked for again', async () => {
    await using shelf = openShelf({ tuning: { cache: { local: { entries: 2, expiryMs: 50 } } } });
    await shelf.cache.read('user:1', async () => 'old');
    await redis.set('test:user:1', '"new"');
    await waitUntil({ timeoutMs: 5_000, describe: () => 'Expected the local entry to expire' }, async () => {
      return (await shelf.cache.read('user:1', async () => 'unused')) === 'new';
    });
  });
});

test('switched off, every read loads, and those at the same time share it', async () => {
  await using shelf = openShelf({ tuning: { cache: { enabled: false, local: { entries: 10 } } } });
  const load = vi.fn(async () => 1);
  for (let index = 0; index < 3; index += 1) await shelf.cache.read('user:1', load);
  expect(load).toHaveBeenCalledTimes(3);
  await Promise.all([shelf.cache.read('user:1', load), shelf.cache.read('user:1', load)]);
  expect(load).toHaveBeenCalledTimes(4);
  await shelf.cache.forget('user:1');
  expect(spans.getFinishedSpans()).toEqual([]);
});

test('without Redis reads fail and the database is left alone', async () => {
  await using shelf = openShelf({ config: { redis: '127.0.0.1:1' } });
  const load = vi.fn(async () => 1);
  await expect(shelf.cache.read('user:1', load)).rejects.toMatchObject({ code: codes.cache });
  expect(load).not.toHaveBeenCalled();
  expect(await shelf.requests()).toMatchObject({ 'redis fail': 1, 'database hit': 0 });
});

test('a frozen Redis is waited for as long as the call has time left, which counts against it', async () => {
  await using shelf = openShelf();
  await redis.call('CLIENT', 'PAUSE', '1500', 'ALL');
  const startMs = clock.nowMs();
  const load = vi.fn(async () => 1);
  await expect(within(100, () => shelf.cache.read('user:1', load))).rejects.toMatchObject({ refusedBy: 'deadline' });
  // It was still frozen.
  expect(clock.nowMs() - startMs).toBeLessThan(1_500);
  expect(load).not.toHaveBeenCalled();
  expect(await metricValue(shelf.runtime, 'redis_client_requests_error_total', { command: 'get', error: 'context deadline' })).toBe(1);
  expect(await metricValue(shelf.runtime, 'mall_breaker_requests_total', { kind: 'redis', result: 'failure' })).toBe(1);
  await expect(shelf.cache.read('user:1', load)).rejects.toMatchObject({ code: codes.cache });
  expect(await metricValue(shelf.runtime, 'redis_client_requests_error_total', { command: 'get', error: 'timeout' })).toBe(1);
});

test('the one connection to Redis is told as a pool of one', async () => {
  await using shelf = openShelf();
  await shelf.cache.read('user:1', async () => 1);
  await shelf.cache.read('user:1', async () => 1);
  const labels = { key: stores.redis.address, client_type: 'node' };
  const pool = (name: string) => metricValue(shelf.runtime, `redis_client_pool_${name}`, labels);
  const names = ['miss_total', 'conn_total_current', 'conn_idle_current', 'conn_max', 'timeout_total', 'conn_stale_total'];
  expect(await Promise.all(names.map(pool))).toEqual([1, 1, 1, 1, 0, 0]);
  // The first command may have been there before the connection.
  expect(await pool('hit_total')).toBeGreaterThanOrEqual(2);
});

test('once a minute the log says what the cache answered, if anything', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    await using shelf = openShelf();
    for (let index = 0; index < 4; index += 1) await shelf.cache.read('user:1', async () => 1);
    vi.advanceTimersByTime(180_000);
    expect(shelf.runtime.lines).toMatchObject([{ cache: 'user', qpm: 4, hitRatio: 0.75, hit: 3, miss: 1, dbFails: 0 }]);
  } finally {
    vi.useRealTimers();
  }
});

describe('users', () => {
  const account = { id: 1, mobile: '13800000001', name: 'Shopper 1' };
  beforeEach(async () => {
    await books.query('USE test_user');
    await books.query('TRUNCATE users');
    await books.query('INSERT INTO users (id, mobile, name, password_hash) VALUES (?, ?, ?, ?)', [
      ...Object.values(account),
      'a$salted$hash',
    ]);
  });

  test('by mobile number are found through their id, and kept once, for 5 s longer than the way to them', async () => {
    await using shop = await openUsers();
    expect(await shop.users.byMobile(account.mobile)).toEqual({ ...account, passwordHash: 'a$salted$hash' });
    expect(await redis.get(`test:user:mobile:${account.mobile}`)).toBe('1');
    expect(JSON.parse((await redis.get('test:user:1')) ?? '')).toEqual({ ...account, passwordHash: 'a$salted$hash' });
    const [row, index] = [await redis.pttl('test:user:1'), await redis.pttl(`test:user:mobile:${account.mobile}`)];
    expect(Math.round((row - index) / 1_000)).toBe(5);
    const queries = await queriesDuring(async () => {
      await shop.users.byMobile(account.mobile);
      expect(await shop.users.byId(1)).toEqual(account);
    });
    expect(queries).toBe(0);
    await redis.del('test:user:1');
    expect(await queriesDuring(() => shop.users.byMobile(account.mobile))).toBe(1);
  });

  test('an unknown mobile number is remembered at its own key only, and no longer once it is registered', async () => {
    await using shop = await openUsers();
    expect(await shop.users.byMobile('13900000002')).toBeUndefined();
    expect(await redis.keys('*')).toEqual(['test:user:mobile:13900000002']);
    expect(await shop.users.byId(2)).toBeUndefined();
    const id = await shop.users.insert({ mobile: '13900000002', name: 'New', passwordHash: 'x' });
    expect(id).toBe(2);
    expect(await shop.users.byMobile('13900000002')).toMatchObject({ id, name: 'New' });
    expect(await shop.users.byId(2)).toEqual({ id: 2, mobile: '13900000002', name: 'New' });
  });

  test('nobody reads an old name after a rename, by neither key', async () => {
    await using shop = await openUsers();
    await Promise.all([shop.users.byId(1), shop.users.byMobile(account.mobile)]);
    expect(await shop.users.rename({ id: 1, name: 'Renamed' })).toEqual({ ...account, name: 'Renamed' });
    expect(await shop.users.byId(1)).toMatchObject({ name: 'Renamed' });
    expect(await shop.users.byMobile(account.mobile)).toMatchObject({ name: 'Renamed' });
    expect(await shop.users.rename({ id: 77, name: 'Nobody' })).toBeUndefined();
  });

  test('a row that cannot be kept fails the read of its index, as in go-zero', async () => {
    await using shop = await openUsers();
    await shop.users.byId(1);
    // Reads go on, writes do not.
    await redis.config('SET', 'maxmemory', '1');
    try {
      await expect(shop.users.byMobile(account.mobile)).rejects.toMatchObject({ code: codes.cache });
    } finally {
      await redis.config('SET', 'maxmemory', '0');
    }
    expect(await shop.users.byMobile(account.mobile)).toMatchObject({ id: 1 });
  });

  test('neither numbers nor hashes are in spans or in the log', async () => {
    await using shop = await openUsers();
    await shop.users.byMobile(account.mobile);
    await shop.users.rename({ id: 1, name: 'Renamed' });
    const told = spans.getFinishedSpans().map(({ name, attributes, events, status }) => ({ name, attributes, events, status }));
    expect(told.length).toBeGreaterThan(5);
    expect(JSON.stringify([told, shop.runtime.lines])).not.toMatch(/13800000001|salted/);
  });

  test('a thousand readers of a user whom no cache knows make the database answer one query', async () => {
    await using shop = await openUsers();
    for (const read of [() => shop.users.byId(1), () => shop.users.byMobile(account.mobile)]) {
      await redis.flushall();
      const answers: unknown[] = [];
      const queries = await queriesDuring(async () => {
        answers.push(...(await Promise.all(Array.from({ length: 1_000 }, read))));
      });
      expect(queries).toBe(1);
      expect(answers).toHaveLength(1_000);
      for (const answer of answers) expect(answer).toMatchObject(account);
    }
  });

  test('two processes with a thousand readers each make it answer at most two', async () => {
    const { host, port } = stores.mysql;
    const program = join(import.meta.dirname, '../../support/processes/reads-one-user.ts');
    const readers = await Promise.all(
      [1, 2].map(async () => {
        const child = spawn(process.execPath, [program, `${host}:${port}`, stores.redis.address], { stdio: ['pipe', 'pipe', 'inherit'] });
        undo.defer(async () => void child.kill('SIGKILL'));
        const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
        expect((await lines.next()).value).toBe('ready');
        return { child, lines, ended: once(child, 'exit') };
      }),
    );
    const answered: unknown[] = [];
    const queries = await queriesDuring(async () => {
      for (const { child } of readers) child.stdin.write('go\n');
      for (const { lines, ended } of readers) {
        answered.push((await lines.next()).value);
        expect((await ended)[0]).toBe(0);
      }
    });
    expect(answered).toEqual(['1000', '1000']);
    expect(queries === 1 || queries === 2).toBe(true);
  });

  test('what Redis would not delete is deleted later', async () => {
    await using shop = await openUsers();
    await shop.users.byId(1);
    await redis.call('ACL', 'SETUSER', 'default', '-del');
    await shop.users.rename({ id: 1, name: 'Renamed' });
    const name = async () => (await shop.users.byId(1))?.name;
    expect(await name()).toBe('Shopper 1');
    await redis.call('ACL', 'SETUSER', 'default', '+del');
    await waitUntil({ timeoutMs: 30_000, describe: () => 'Expected the old name to be deleted' }, async () => (await name()) === 'Renamed');
  });

  test('at the end what Redis would not delete is tried once more, and given up aloud', async () => {
    await using shop = await openUsers();
    await redis.call('ACL', 'SETUSER', 'default', '-del');
    await shop.cache.forget('user:1', `user:mobile:${account.mobile}`);
    await shop.runtime.stop();
    await redis.call('ACL', 'SETUSER', 'default', '+del');
    const given = shop.runtime.lines.at(-1);
    expect(given).toMatchObject({ alert: true, keys: ['test:user', 'test:user:mobile'] });
    expect(given?.msg).toBe('The cache may hold 2 rows that have changed: they could not be deleted');
  });
});

describe('a filter of products', () => {
  beforeEach(async () => {
    await books.query('USE test_product');
    await books.query('DELETE FROM products');
    const rows = Array.from({ length: 1_200 }, (_, index) => [`sku-${index}`, index + 1, 'A product', '', 100]);
    await books.query('INSERT INTO products (id, position, name, description, price_cents) VALUES ?', [rows]);
  });

  test('lets every product pass, and answers for what never existed without asking the database or the cache', async () => {
    await using shop = await openProducts();
    expect(await shop.products.byId('sku-1')).toMatchObject({ id: 'sku-1', priceCents: 100 });
    const passed = await Promise.all(Array.from({ length: 1_200 }, (_, index) => shop.filter.mayContain(`sku-${index}`)));
    expect(new Set(passed)).toEqual(new Set([true]));
    spans.reset();
    const queries = await queriesDuring(async () => {
      for (let index = 0; index < 200; index += 1) expect(await shop.products.byId(`sku-${5_000 + index}`)).toBeUndefined();
    });
    expect(queries).toBe(0);
    expect(new Set(spans.getFinishedSpans().map(({ name }) => name))).toEqual(new Set(['EVALSHA']));
  });

  test('holds everything for possible when Redis has lost it, and is filled again', async () => {
    await using shop = await openProducts();
    await redis.flushall();
    expect(await shop.products.byId('sku-1')).toMatchObject({ id: 'sku-1' });
    expect(await shop.filter.mayContain('sku-5000')).toBe(true);
    shop.later(60_000);
    await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the filter to be filled again' }, async () => {
      return !(await shop.filter.mayContain('sku-5000'));
    });
    expect(await shop.filter.mayContain('sku-1')).toBe(true);
  });

  test('holds everything for possible where there is no Redis', async () => {
    await using shop = await openProducts({ redis: '127.0.0.1:1' });
    expect(await shop.filter.mayContain('sku-5000')).toBe(true);
  });
});

describe('a Redis that goes away and comes back', () => {
  // Where a test has failed before it did so itself.
  afterEach(async () => {
    await stores.redis.stop();
    await stores.redis.start();
  });

  test('refuses reads at once, answers again, and is asked again to delete what it should have', async () => {
    const standing = standingClock();
    await using shelf = openShelf({ clock: standing });
    await shelf.cache.read('user:1', async () => 'old');
    await stores.redis.stop();
    await shelf.cache.forget('user:1');
    await expect(shelf.cache.read('user:1', async () => 'new')).rejects.toMatchObject({ code: codes.cache });
    await stores.redis.start();
    await waitUntil({ timeoutMs: 30_000, describe: () => 'Expected the cache to answer again' }, () =>
      shelf.cache.read('user:2', async () => 2).catch(() => 0),
    );
    await waitUntil({ timeoutMs: 30_000, describe: () => 'Expected a Redis' }, () => redis.set('test:user:1', '"old"').catch(() => ''));
    standing.advance(1_000);
    await waitUntil(
      { timeoutMs: 30_000, describe: () => 'Expected the key to be deleted' },
      async () => !(await redis.exists('test:user:1')),
    );
    const labels = { key: stores.redis.address };
    expect(await metricValue(shelf.runtime, 'redis_client_pool_conn_stale_total', labels)).toBe(1);
    expect(await metricValue(shelf.runtime, 'redis_client_pool_miss_total', labels)).toBe(2);
  });

  test('lets reads that may load do so, also when the breaker refuses, once for all who ask at the same time', async () => {
    await using shelf = openShelf({ tuning: { cache: { withoutRedis: 'loads' } } });
    await shelf.cache.read('user:0', async () => 0);
    await stores.redis.stop();
    const load = vi.fn(async () => ({ id: 1 }));
    for (let index = 0; index < 60; index += 1) {
      expect(await Promise.all([shelf.cache.read('user:1', load), shelf.cache.read('user:1', load)])).toEqual([{ id: 1 }, { id: 1 }]);
    }
    expect(load).toHaveBeenCalledTimes(60);
    const row = { idOf: () => 1, keyOf: () => 'user:1', byIndex: load, byId: load };
    expect(await shelf.cache.readByIndex('user:mobile:1', row)).toEqual({ id: 1 });
    expect(await metricValue(shelf.runtime, 'redis_client_requests_error_total', { error: 'breaker open' })).toBeGreaterThan(0);
  });
});

type Options = { tuning?: TuningChange; config?: { redis?: string }; clock?: RunClock };

function openShelf({ tuning = {}, config = {}, clock: own = clock }: Options = {}) {
  const runtime = testRuntime('user', { clock: own, tuning, config: { redis: stores.redis.address, ...config } });
  return {
    runtime,
    cache: openCache(runtime, openRedis(runtime)),
    /** `'redis hit': 3` */
    async requests() {
      const { values } = (await runtime.metrics.registry.getSingleMetric('mall_cache_requests_total')?.get()) ?? { values: [] };
      return Object.fromEntries(values.map(({ labels, value }) => [`${labels.level} ${labels.result}`, value]));
    },
    [Symbol.asyncDispose]: () => runtime.stop(),
  };
}

async function openUsers() {
  const { host, port } = stores.mysql;
  const runtime = testRuntime('user', { clock, config: { redis: stores.redis.address, mysql: `${host}:${port}` } });
  const cache = openCache(runtime, openRedis(runtime));
  const users = userStore({ sql: await openSql(runtime), cache });
  return { runtime, cache, users, [Symbol.asyncDispose]: () => runtime.stop() };
}

async function openProducts({ redis: address = stores.redis.address } = {}) {
  const { host, port } = stores.mysql;
  let aheadMs = 0;
  const own = { ...clock, nowMs: () => clock.nowMs() + aheadMs };
  const runtime = testRuntime('product', { clock: own, config: { redis: address, mysql: `${host}:${port}` } });
  const sql = await openSql(runtime);
  const store = openRedis(runtime);
  const filter = await openBloomFilter(runtime, store, { key: 'product:ids', bits: 24_000, load: () => idsOf(sql) });
  const products = productStore({ sql, cache: openCache(runtime, store), filter });
  const later = (ms: number) => {
    aheadMs += ms;
  };
  return { products, filter, later, [Symbol.asyncDispose]: () => runtime.stop() };
}

/** How many queries the database answered meanwhile, as it counts them itself. */
async function queriesDuring(work: () => Promise<unknown>): Promise<number> {
  const before = await selects();
  await work();
  return (await selects()) - before;
}

async function selects(): Promise<number> {
  const [rows] = await books.query<mysql.RowDataPacket[]>("SHOW GLOBAL STATUS LIKE 'Com_select'");
  return Number(rows[0]?.Value);
}
