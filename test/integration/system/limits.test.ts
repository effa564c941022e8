import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import jwt from '@fastify/jwt';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import fc from 'fast-check';
import fastify from 'fastify';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { splitAddress } from '../../../core/address.ts';
import { monotonic, waitUntil } from '../../../core/time.ts';
import { addFallbacks } from '../../../system/gateway/hooks.ts';
import { openLimits } from '../../../system/gateway/limits.ts';
import { addRoutes, type Services } from '../../../system/gateway/routes.ts';
import { type TokenLimit, tokenTtlSeconds } from '../../../system/governance/limiter.ts';
import { httpChain, unroutedChain } from '../../../system/rpc/chain.ts';
import { withDeadline } from '../../../system/rpc/context.ts';
import { openPeriodLimiter } from '../../../system/stores/period-limiter.ts';
import { openRedis } from '../../../system/stores/redis.ts';
import { openTokenLimiter } from '../../../system/stores/token-limiter.ts';
import { watchRedis } from '../../../system/stores/watched-redis.ts';
import type { TuningChange } from '../../../system/tuning.ts';
import { metricValue, recordSpans, standingClock, testRuntime } from '../../support/runtime.ts';
import { startTestRedis, type TestRedis } from '../../support/stores.ts';

const spans = recordSpans();
const undo = new AsyncDisposableStack();
let server: TestRedis;
let client: Redis;

beforeAll(async () => {
  server = await startTestRedis(undo);
  client = new Redis({ ...splitAddress(server.address), retryStrategy: () => 20 });
  client.on('error', () => undefined);
  undo.defer(() => client.disconnect());
});
afterAll(() => undo.disposeAsync());
beforeEach(async () => {
  spans.reset();
  await client.flushall();
});

test('a bucket of rate 5 and burst 10 grants what go-zero grants, second by second', async () => {
  await using mall = limiters({ atSecond: 100 });
  const { take } = mall.rate({ ratePerSecond: 5, burst: 10 });
  const grants = async (...tokens: number[]) => {
    const granted = [];
    for (const n of tokens) granted.push((await take('a', n)).isGranted);
    return granted;
  };
  const ones = (count: number) => Array.from({ length: count }, () => 1);
  const yes = (count: number) => Array.from({ length: count }, () => true);

  expect(await grants(...ones(11))).toEqual([...yes(10), false]);
  mall.goTo(101);
  expect(await grants(...ones(6), 3)).toEqual([...yes(5), false, false]);
  mall.goTo(102);
  expect(await take('a', 5)).toEqual({ isGranted: true, remaining: 0, retryAfterMs: 0 });
  mall.goTo(104);
  expect(await grants(10, 1)).toEqual([true, false]);
  mall.goTo(103);
  expect(await grants(1)).toEqual([false]);
  expect(await client.get('test:limit:{rate:r:a}.ts')).toBe('103');
  mall.goTo(110);
  await client.flushall();
  expect(await take('a', 11)).toEqual({ isGranted: false, remaining: 10, retryAfterMs: Number.POSITIVE_INFINITY });
});

test.each([
  [10, 5, 1],
  [10, 9, 1],
  [100, 100, 2],
  [100, 50, 1],
  [1, 1, 2],
  [5, 10, 4],
])('rate %i and burst %i are kept for %i s', async (ratePerSecond, burst, ttl) => {
  await using mall = limiters();
  await mall.rate({ ratePerSecond, burst }).take('a');
  const keys = ['test:limit:{rate:r:a}.tokens', 'test:limit:{rate:r:a}.ts'];
  const left = await Promise.all(keys.map((key) => client.pttl(key)));
  for (const ms of left) {
    expect(ms).toBeGreaterThan((ttl - 1) * 1_000);
    expect(ms).toBeLessThanOrEqual(ttl * 1_000);
  }
});

test('a limit that Redis cannot keep is an error at once', async () => {
  await using mall = limiters();
  expect(() => mall.rate({ ratePerSecond: 10, burst: 4 })).toThrow('at least half its rate per second');
});

test('who is refused is told when the seconds that he needs have begun', async () => {
  await using mall = limiters({ atSecond: 100.25 });
  const { take } = mall.rate({ ratePerSecond: 5, burst: 10 });
  expect(await take('a', 9)).toEqual({ isGranted: true, remaining: 1, retryAfterMs: 0 });
  expect(await take('a', 2)).toEqual({ isGranted: false, remaining: 1, retryAfterMs: 750 });
  expect(await take('a', 7)).toEqual({ isGranted: false, remaining: 1, retryAfterMs: 1_750 });
});

test('processes share a bucket, and whoever has another key has another one', async () => {
  await using mall = limiters();
  await using other = limiters();
  const limit = { ratePerSecond: 1, burst: 2 };
  const [one, two] = [mall.rate(limit), other.rate(limit)];
  const granted = await Promise.all([one.take('a'), two.take('a'), one.take('a'), two.take('a'), one.take('b')]);
  expect(granted.slice(0, 4).filter(({ isGranted }) => isGranted)).toHaveLength(2);
  expect(granted[4]).toMatchObject({ isGranted: true, remaining: 1 });
  const labels = { name: 'rate:r', source: 'redis' };
  expect(
    (await metricValue(mall.runtime, 'mall_limiter_requests_total', { ...labels, result: 'granted' })) +
      (await metricValue(other.runtime, 'mall_limiter_requests_total', { ...labels, result: 'granted' })),
  ).toBe(3);
});

const bounded = fc
  .record({ ratePerSecond: fc.integer({ min: 1, max: 12 }), burst: fc.integer({ min: 1, max: 15 }) })
  // Redis forgets by its own clock, which goes on while that of the test stands still: not before a history is over.
  .filter((limit) => tokenTtlSeconds(limit) >= 2);
const history = fc.array(
  fc.record({
    afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 3_000 })),
    tokens: fc.integer({ min: 1, max: 3 }),
    process: fc.integer({ min: 0, max: 1 }),
    isCut: fc.boolean(),
  }),
  { minLength: 20, maxLength: 60 },
);
let runs = 0;

test('between any two moments no more is granted than the burst and the rate of the seconds that began', async () => {
  await using mall = limiters({ atSecond: 1_000 });
  const property = fc.asyncProperty(bounded, history, async (limit, asks) => {
    const { take } = mall.rate(limit);
    const who = `${++runs}`;
    const grants: Grant[] = [];
    for (const { afterMs, tokens } of asks) {
      mall.clock.advance(afterMs);
      if ((await take(who, tokens)).isGranted) grants.push({ atMs: mall.clock.nowMs(), tokens });
    }
    forEachInterval(grants, ({ fromMs, untilMs, tokens }) => {
      const begun = Math.floor(untilMs / 1_000) - Math.floor(fromMs / 1_000);
      expect(tokens).toBeLessThanOrEqual(limit.burst + limit.ratePerSecond * begun);
    });
  });
  await fc.assert(property, { numRuns: 60 });
});

test('through outages of Redis each process adds no more than another burst and rate × time', async () => {
  await using mall = limiters({ atSecond: 1_000 });
  await using other = limiters({ clock: mall.clock });
  const property = fc.asyncProperty(bounded, history, async (limit, asks) => {
    const processes = [mall, other].map(({ runtime, watched }) => {
      const line = { isAlive: true, command: watched.command, onFailure: watched.onFailure };
      return { line, ...openTokenLimiter(runtime, line, { name: 'r', ...limit }) };
    });
    const who = `${++runs}`;
    const grants: Grant[] = [];
    for (const { afterMs, tokens, process, isCut } of asks) {
      mall.clock.advance(afterMs);
      const asked = processes[process];
      if (asked === undefined) throw new RangeError('Expected one of two processes');
      asked.line.isAlive = !isCut;
      if ((await asked.take(who, tokens)).isGranted) grants.push({ atMs: mall.clock.nowMs(), tokens });
    }
    forEachInterval(grants, ({ fromMs, untilMs, tokens }) => {
      const begun = Math.floor(untilMs / 1_000) - Math.floor(fromMs / 1_000);
      const shared = limit.burst + limit.ratePerSecond * begun;
      // A rate of 3 per second is one of 3.000000003 in rescue, and a test's clock counts no single nanoseconds.
      const rescue = limit.burst + (limit.ratePerSecond * (untilMs - fromMs)) / 1_000 + 1e-3;
      expect(tokens).toBeLessThanOrEqual(shared + processes.length * rescue);
    });
  });
  await fc.assert(property, { numRuns: 60 });
});

test('when Redis dies the limiter decides alone, and asks it again when it is back', async () => {
  await using mall = limiters({ atSecond: 100 });
  const { take } = mall.rate({ ratePerSecond: 1, burst: 3 });
  const counted = (source: string) => metricValue(mall.runtime, 'mall_limiter_requests_total', { name: 'rate:r', source });
  for (let index = 0; index < 4; index += 1) await take('a');
  expect(await counted('redis')).toBe(4);

  await server.stop();
  const alone = [];
  for (let index = 0; index < 6; index += 1) alone.push((await take('a')).isGranted);
  expect(alone).toEqual([true, true, true, false, false, false]);
  expect([await counted('redis'), await counted('rescue')]).toEqual([4, 6]);
  // In rescue tokens come one by one, not with the second.
  mall.clock.advance(999);
  expect((await take('a')).isGranted).toBe(false);
  mall.clock.advance(1);
  expect((await take('a')).isGranted).toBe(true);
  const toRescue = mall.runtime.lines.filter(({ msg }) => String(msg).startsWith('Redis cannot be asked'));
  expect(toRescue).toHaveLength(1);

  await server.start();
  await waitUntil({ timeoutMs: 20_000, describe: () => 'Expected the limiter to ask Redis again' }, () => mall.watched.isAlive);
  expect(mall.runtime.lines.at(-1)).toMatchObject({ msg: 'Redis answers again: limits are shared by all processes' });
  // It came back empty, so there is another burst.
  expect((await take('a')).isGranted).toBe(true);
  expect([await counted('redis'), await counted('rescue')]).toEqual([5, 8]);
});

test('a Redis that falls silent costs a request the time of one command, once', async () => {
  await using mall = limiters({ atSecond: 100 });
  const { take } = mall.rate({ ratePerSecond: 1, burst: 1_000 });
  const quota = mall.quota({ seconds: 60, quota: 1_000 });
  await take('a');
  await using _silence = await silenced();
  const waited = await timed(() => take('a'));
  const others = [];
  for (let turn = 0; turn < 3; turn += 1) others.push(await timed(() => Promise.all([take('a'), quota.take('a')])));
  expect(waited.value.isGranted).toBe(true);
  expect(waited.tookMs).toBeGreaterThan(400);
  // Whoever waited for Redis would wait as long every time; a hiccup comes once.
  expect(Math.min(...others.map(({ tookMs }) => tookMs))).toBeLessThan(400);
  for (const { value } of others) expect(value).toMatchObject([{ isGranted: true }, { state: 'unknown' }]);
  await _silence[Symbol.asyncDispose]();
  await waitUntil({ timeoutMs: 20_000, describe: () => 'Expected the limiters to ask Redis again' }, () => mall.watched.isAlive);
  expect(await quota.take('a')).toMatchObject({ state: 'allowed' });
});

test('who has no time left is refused, without rescue', async () => {
  await using mall = limiters();
  const { take } = mall.rate({ ratePerSecond: 1, burst: 10 });
  await take('a');
  await using _silence = await silenced();
  const inTime = withDeadline(ROOT_CONTEXT, mall.clock.nowMs() + 50);
  expect(await context.with(inTime, take, undefined, 'a')).toMatchObject({ isGranted: false });
  expect(mall.watched.isAlive).toBe(true);
  expect(await metricValue(mall.runtime, 'mall_limiter_requests_total', { source: 'rescue' })).toBe(0);
});

test('the pings of a limiter belong to no request', async () => {
  await using mall = limiters();
  const { take } = mall.rate({ ratePerSecond: 1, burst: 10 });
  await client.lpush('test:limit:{rate:r:a}.tokens', 'no number');
  // Time is up before the first ping.
  const inTime = withDeadline(ROOT_CONTEXT, mall.clock.nowMs() + 60_000);
  await context.with(inTime, take, undefined, 'a');
  expect(mall.watched.isAlive).toBe(false);
  mall.clock.advance(120_000);
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected a ping to be answered' }, () => mall.watched.isAlive);
  const pings = spans.getFinishedSpans().filter(({ name }) => name === 'PING');
  expect(pings[0]).toMatchObject({ parentSpanContext: undefined, attributes: { 'mall.edge': 'gateway->redis' } });
});

test('of a quota of 3 the third request is the last of its period', async () => {
  await using mall = limiters();
  const { take } = mall.quota({ seconds: 60, quota: 3 });
  const decisions = [];
  for (let index = 0; index < 5; index += 1) decisions.push(await take('a'));
  expect(decisions.map(({ state }) => state)).toEqual(['allowed', 'allowed', 'hitQuota', 'overQuota', 'overQuota']);
  expect(decisions.slice(0, 4)).toMatchObject([
    { isGranted: true, remaining: 2, retryAfterMs: 0 },
    { isGranted: true, remaining: 1 },
    { isGranted: true, remaining: 0, retryAfterMs: 0 },
    { isGranted: false, remaining: 0, retryAfterMs: expect.closeTo(60_000, -4) },
  ]);
  expect(await take('b')).toMatchObject({ state: 'allowed' });
  const labels = { name: 'quota:r', source: 'redis' };
  expect(await metricValue(mall.runtime, 'mall_limiter_requests_total', { ...labels, result: 'granted' })).toBe(4);
  expect(await metricValue(mall.runtime, 'mall_limiter_requests_total', { ...labels, result: 'refused' })).toBe(2);
});

test('with a quota of 1 the first request is the last', async () => {
  await using mall = limiters();
  const { take } = mall.quota({ seconds: 60, quota: 1 });
  expect([await take('a'), await take('a')]).toMatchObject([{ state: 'hitQuota' }, { state: 'overQuota' }]);
});

test('when a period is over the next begins', async () => {
  await using mall = limiters();
  const { take } = mall.quota({ seconds: 1, quota: 1 });
  await take('a');
  expect(await take('a')).toMatchObject({ state: 'overQuota' });
  const isOver = async () => (await take('a')).state === 'hitQuota';
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected a new period' }, isOver);
});

test.each([
  [86_400, 28_800, 64_000],
  [86_400, 0, 6_400],
  [60, 0, 40],
  [3_600, 19_800, 1_000],
])('an aligned period of %i s in a zone %i s ahead ends %i s after 1700000000', async (seconds, offset, left) => {
  await using mall = limiters({ atSecond: 1_700_000_000 });
  await mall.quota({ seconds, quota: 5, aligned: true, zoneOffsetSeconds: () => offset }).take('a');
  const ms = await client.pttl('test:limit:quota:r:a');
  expect(ms).toBeGreaterThan((left - 5) * 1_000);
  expect(ms).toBeLessThanOrEqual(left * 1_000);
});

test('a shopper who asks too often is told so, how much is left, and when to come back', async () => {
  const rates = { 'GET /api/v1/orders': { ratePerSecond: 1, burst: 2, per: 'user' } } as const;
  await using gateway = await limitedGateway({ rates });
  const [mine, others] = [gateway.loggedIn(7), gateway.loggedIn(8)];
  const replies = [await mine('/api/v1/orders'), await mine('/api/v1/orders'), await mine('/api/v1/orders')];
  expect(replies.map(({ statusCode, headers }) => [statusCode, headers['x-ratelimit-limit'], headers['x-ratelimit-remaining']])).toEqual([
    [200, '2', '1'],
    [200, '2', '0'],
    [429, '2', '0'],
  ]);
  expect([replies[2]?.headers['x-refused-by'], replies[2]?.headers['retry-after'], replies[1]?.headers['retry-after']]).toEqual([
    'limit',
    '1',
    undefined,
  ]);
  expect((await others('/api/v1/orders')).statusCode).toBe(200);
  expect((await mine('/api/v1/products')).headers['x-ratelimit-limit']).toBeUndefined();
  expect(await client.exists('test:limit:{rate:GET /api/v1/orders:7}.tokens')).toBe(1);
  const refusals = spans.getFinishedSpans().filter(({ attributes }) => attributes['mall.refused_by'] === 'limit');
  expect(refusals.map(({ name }) => name)).toEqual(['GET /api/v1/orders']);
  // As in go-zero a 429 is no failure of the route.
  expect(await metricValue(gateway.runtime, 'mall_breaker_requests_total', { result: 'failure' })).toBe(0);
});

test('who has no valid token takes nothing from anybody', async () => {
  const rates = { 'GET /api/v1/orders': { ratePerSecond: 1, burst: 2, per: 'route' } } as const;
  await using gateway = await limitedGateway({ rates });
  for (let index = 0; index < 5; index += 1) expect((await gateway.ask('/api/v1/orders')).statusCode).toBe(401);
  expect(await client.keys('*')).toEqual([]);
});

test('of a rate and a quota the one that is met first is told, and one that refuses spares the other', async () => {
  await using gateway = await limitedGateway({
    rates: { 'GET /api/v1/products': { ratePerSecond: 1, burst: 2, per: 'client' } },
    quotas: { 'GET /api/v1/products': { seconds: 60, quota: 3, per: 'client' } },
  });
  const told = [];
  for (let index = 0; index < 3; index += 1) {
    const { statusCode, headers } = await gateway.ask('/api/v1/products');
    told.push([statusCode, headers['x-ratelimit-limit'], headers['x-ratelimit-remaining']]);
  }
  expect(told).toEqual([
    [200, '2', '1'],
    [200, '2', '0'],
    [429, '2', '0'],
  ]);
  expect(await client.get('test:limit:quota:GET /api/v1/products:127.0.0.1')).toBe('2');
  gateway.clock.advance(10_000);
  expect((await gateway.ask('/api/v1/products')).headers).toMatchObject({ 'x-ratelimit-limit': '3', 'x-ratelimit-remaining': '0' });
  const { statusCode, headers } = await gateway.ask('/api/v1/products');
  expect([statusCode, headers['x-ratelimit-limit'], headers['x-refused-by']]).toEqual([429, '3', 'limit']);
  expect(Number(headers['retry-after'])).toBeGreaterThan(50);
});

test('where nobody counts a quota the request passes, and that is counted', async () => {
  await using gateway = await limitedGateway({ quotas: { 'GET /api/v1/products': { seconds: 60, quota: 1 } } });
  await client.lpush('test:limit:quota:GET /api/v1/products:127.0.0.1', 'no number');
  const { statusCode, headers } = await gateway.ask('/api/v1/products');
  expect([statusCode, headers['x-ratelimit-limit']]).toEqual([200, undefined]);
  const labels = { name: 'quota:GET /api/v1/products', result: 'unknown', source: 'redis' };
  expect(await metricValue(gateway.runtime, 'mall_limiter_requests_total', labels)).toBe(1);
});

test('a gateway without Redis is ready', async () => {
  await using gateway = await limitedGateway({ rates: { 'GET /api/v1/products': { ratePerSecond: 1, burst: 2 } } });
  expect([...gateway.runtime.checks.keys()]).not.toContain('redis');
});

test('a gateway does not start with a limit on a route that it does not have', async () => {
  const rates = { 'GET /api/v1/product': { ratePerSecond: 1, burst: 2 } };
  // It ends before it would listen.
  const nowhere = { listen: '127.0.0.1:1', admin: '127.0.0.1:1' };
  const { config } = testRuntime('gateway', { config: { ...nowhere, redis: server.address } });
  const { tuning } = config;
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../../system/gateway/main.ts')], {
    env: { ...process.env, MALL_CONFIG: JSON.stringify({ ...config, tuning: { ...tuning, limits: { ...tuning.limits, rates } } }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk;
    });
  const [code] = await once(child, 'close');
  expect(code).toBe(1);
  expect(output).toContain("got 'GET /api/v1/product'");
});

type Grant = { atMs: number; tokens: number };
/** What was granted from each grant to each later one. */
function forEachInterval(grants: readonly Grant[], check: (interval: { fromMs: number; untilMs: number; tokens: number }) => void): void {
  for (const [first, { atMs: fromMs }] of grants.entries()) {
    let sum = 0;
    for (const { atMs: untilMs, tokens } of grants.slice(first)) {
      sum += tokens;
      check({ fromMs, untilMs, tokens: sum });
    }
  }
}

/** The limiters of one process, whose clock stands still unless it is moved. */
function limiters({ atSecond = 1_700_000_000, clock = standingClock(atSecond * 1_000) } = {}) {
  const runtime = testRuntime('gateway', { clock, config: { redis: server.address } });
  const watched = watchRedis(runtime, openRedis(runtime, { isVital: false }));
  return {
    runtime,
    clock,
    watched,
    goTo: (second: number) => clock.advance(second * 1_000 - clock.nowMs()),
    rate: (limit: TokenLimit) => openTokenLimiter(runtime, watched, { name: 'rate:r', ...limit }),
    quota: (limit: Omit<Parameters<typeof openPeriodLimiter>[2], 'name'>) =>
      openPeriodLimiter(runtime, watched, { name: 'quota:r', ...limit }),
    [Symbol.asyncDispose]: () => runtime.stop(),
  };
}

/** Makes Redis keep its connections and answer nothing, until disposed. */
async function silenced() {
  const pid = Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]);
  process.kill(pid, 'SIGSTOP');
  return {
    async [Symbol.asyncDispose]() {
      process.kill(pid, 'SIGCONT');
    },
  };
}

async function timed<T>(run: () => Promise<T>) {
  const startMs = monotonic();
  const value = await run();
  return { value, tookMs: monotonic() - startMs };
}

/** The gateway's real routes and chain before services in memory. */
async function limitedGateway(limits: NonNullable<TuningChange['limits']>) {
  const clock = standingClock();
  const runtime = testRuntime('gateway', { clock, tuning: { limits }, config: { redis: server.address } });
  const app = fastify();
  await app.register(jwt, { secret: runtime.config.jwtSecret });
  addFallbacks(app, unroutedChain(runtime));
  const services = { user: {}, product: { list: async () => ({ items: [] }) }, orders: { list: async () => ({ orders: [] }) } };
  addRoutes(app, {
    govern: httpChain(runtime),
    services: services as unknown as Services,
    limitOf: openLimits(runtime),
    newKey: () => 'key',
  });
  await app.ready();
  const ask = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers });
  return {
    runtime,
    clock,
    ask,
    loggedIn: (userId: number) => (url: string) => ask(url, { authorization: `Bearer ${app.jwt.sign({ user_id: userId })}` }),
    async [Symbol.asyncDispose]() {
      await app.close();
      await runtime.stop();
    },
  };
}
