import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Etcd3 } from 'etcd3';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type LocalPlan, type MallSettings, planLocal } from '../../../compose/local.ts';
import { answersOk, answersPing, greetsAsMysql } from '../../../compose/probes.ts';
import { startedAt } from '../../../core/started.ts';
import { runClock, waitUntil } from '../../../core/time.ts';
import { defaultReplicas } from '../../../system/topology.ts';
import { tuningOf } from '../../../system/tuning.ts';

let folder: string;
const systemTmp = process.env.TMPDIR;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stampede-test-'));
  process.env.TMPDIR = folder;
});
afterEach(() => {
  if (systemTmp === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = systemTmp;
  rmSync(folder, { recursive: true });
});

test('two runs at once have servers of their own, and leave nothing behind', async () => {
  const undos = [new AsyncDisposableStack(), new AsyncDisposableStack()] as const;
  try {
    const [one, other] = await Promise.all([plan(undos[0]), plan(undos[1])]);
    await Promise.all([one.startServers(), other.startServers()]);
    for (const each of [one, other]) {
      expect(await greetsAsMysql(at(each, 'mysql'))).toBe(true);
      expect(await answersPing(at(each, 'redis'))).toBe(true);
      expect(await answersOk(`http://${at(each, 'etcd')}/health`)).toBe(true);
    }
    expect(addressesOf(one).isDisjointFrom(addressesOf(other))).toBe(true);

    await sql(one, 'CREATE DATABASE mall_orders');
    expect(await sql(one, "SHOW DATABASES LIKE 'mall%'")).toHaveLength(1);
    expect(await sql(other, "SHOW DATABASES LIKE 'mall%'")).toHaveLength(0);

    await undos[0].disposeAsync();
    expect(await greetsAsMysql(at(one, 'mysql'))).toBe(false);
    expect(await answersPing(at(one, 'redis'))).toBe(false);
    expect(await answersOk(`http://${at(one, 'etcd')}/health`)).toBe(false);
    expect(await greetsAsMysql(at(other, 'mysql'))).toBe(true);
  } finally {
    for (const undo of undos) await undo.disposeAsync();
  }
  expect(readdirSync(folder)).toEqual(['run']);
});

test('servers that somebody else runs are used under a name of our own and left as they were', async () => {
  await using theirs = new AsyncDisposableStack();
  const host = await plan(theirs);
  await host.startServers();
  await sql(host, 'CREATE DATABASE diary');
  await redis(host, (client) => client.set('diary:1', 'x'));
  await etcd(host, (client) => client.put('diary/1').value('x'));

  const ours = new AsyncDisposableStack();
  const guest = await plan(ours, {
    STAMPEDE_MYSQL_URL: `mysql://root@${at(host, 'mysql')}`,
    STAMPEDE_REDIS_URL: `redis://${at(host, 'redis')}`,
    STAMPEDE_ETCD_URL: `http://${at(host, 'etcd')}`,
  });
  expect([at(guest, 'mysql'), at(guest, 'redis'), at(guest, 'etcd')]).toEqual([at(host, 'mysql'), at(host, 'redis'), at(host, 'etcd')]);
  expect(guest.namespace).toMatch(/^mall_[0-9a-f]{8}$/);
  await guest.startServers();
  await sql(guest, `CREATE DATABASE ${guest.namespace}_orders`);
  await redis(guest, (client) => client.set(`${guest.namespace}:user:1`, 'x'));
  await etcd(guest, (client) => client.put(`${guest.namespace}/orders/1`).value('x'));
  await ours.disposeAsync();

  const schemas = (await sql(host, 'SHOW DATABASES')).map((row) => Object.values(row)[0]);
  expect(schemas).toContain('diary');
  expect(schemas).not.toContain(`${guest.namespace}_orders`);
  expect(await redis(host, (client) => client.keys('*'))).toEqual(['diary:1']);
  expect(await etcd(host, (client) => client.getAll().keys())).toEqual(['diary/1']);
});

test('a server that does not start is told in one sentence, and the others go with it', async () => {
  const undo = new AsyncDisposableStack();
  try {
    const failing = await plan(undo);
    await squatAt(at(failing, 'redis'), undo);
    await expect(failing.startServers()).rejects.toThrow(
      /^Redis ended with code 1 before it was ready; the end of redis.log: ".*[Aa]ddress already in use/,
    );
    expect(existsSync(join(folder, 'run/logs/redis.log'))).toBe(true);
  } finally {
    await undo.disposeAsync();
  }
  expect(readdirSync(folder)).toEqual(['run']);
});

test('without programs and without packages the message names every other way', async () => {
  await using undo = new AsyncDisposableStack();
  const nothing = await plan(undo, { PATH: folder });
  await expect(nothing.startServers()).rejects.toThrow(/were not found on PATH\. Any of these helps:\n {2}docker compose/);
});

test('a mall starts whole, dials where it is told, tells what dies in it, with how and when, and goes whole', async () => {
  const undo = new AsyncDisposableStack();
  const dialled = new Set<string>();
  let pids: number[] = [];
  try {
    const laidOut = await plan(undo);
    await laidOut.startServers();
    const { epochOffsetNs, nowMs } = runClock();
    const mall = await laidOut.startMall({ ...settings(laidOut, dialled), epochOffsetNs });
    pids = mall.replicas.map(({ pid }) => pid);
    expect(mall.replicas.map(({ instance }) => instance)).toEqual([
      ...['gateway.1', 'gateway.2', 'user.1', 'product.1', 'inventory.1', 'inventory.2', 'orders.1', 'payment.1'],
    ]);
    expect(mall.gateways).toHaveLength(2);
    for (const gateway of mall.gateways) expect(await answersOk(`http://${gateway}/api/v1/products`)).toBe(true);
    expect([...dialled].sort()).toEqual(laidOut.wires.map(({ name }) => name).sort());
    expect(await sql(laidOut, 'SELECT COUNT(*) AS count FROM mall_user.users')).toEqual([{ count: 3 }]);

    // A process that was killed comes back to its place, and those who call it find it there.
    await mall.processes.kill('product.1');
    expect(await answersOk(`http://${mall.gateways[0]}/api/v1/products`)).toBe(false);
    await mall.processes.start('product.1');
    await waitUntil({ timeoutMs: 15_000, describe: () => 'product.1 was not found again' }, () =>
      answersOk(`http://${mall.gateways[0]}/api/v1/products`),
    );
    expect(mall.deaths()).toEqual([]);

    const beforeMs = nowMs();
    process.kill(mall.replicas.find(({ instance }) => instance === 'payment.1')?.pid ?? 0, 'SIGKILL');
    await endRedis(laidOut);
    await waitUntil({ timeoutMs: 10_000, describe: () => JSON.stringify(mall.deaths()) }, () => mall.deaths().length === 2);
    expect(mall.deaths()).toEqual([
      { instance: 'payment.1', how: 'SIGKILL', atMs: expect.any(Number) },
      { instance: 'Redis', how: 'exit 0', atMs: expect.any(Number) },
    ]);
    for (const { atMs } of mall.deaths()) {
      expect(atMs).toBeGreaterThanOrEqual(beforeMs);
      expect(atMs).toBeLessThanOrEqual(nowMs());
    }
  } finally {
    await undo.disposeAsync();
  }
  expect(pids.filter((pid) => startedAt(pid) !== undefined)).toEqual([]);
  expect(readdirSync(folder)).toEqual(['run']);
});

test('a service whose port is in use is told in one sentence, and the rest of the mall goes with it', async () => {
  const undo = new AsyncDisposableStack();
  try {
    const failing = await plan(undo);
    await failing.startServers();
    await squatAt(failing.wires.find(({ name }) => name === 'orders->payment.1')?.upstream ?? '', undo);
    await expect(failing.startMall(settings(failing))).rejects.toThrow(
      /^payment\.1 ended with code \d+ before it was ready; the end of payment\.1\.log: ".*in use/i,
    );
  } finally {
    await undo.disposeAsync();
  }
  expect(readdirSync(folder)).toEqual(['run']);
});

const otlp = '127.0.0.1:4317';

function plan(undo: AsyncDisposableStack, env: NodeJS.ProcessEnv = {}) {
  return planLocal({
    replicas: defaultReplicas,
    folder: join(folder, 'run'),
    otlp,
    signal: new AbortController().signal,
    undo,
    progress: () => undefined,
    env: { ...process.env, ...env },
  });
}

function at(plan: LocalPlan, backend: 'mysql' | 'redis' | 'etcd'): string {
  return plan.wires.find(({ name }) => name === `user->${backend}`)?.upstream ?? '';
}

function settings(plan: LocalPlan, dialled = new Set<string>()): MallSettings {
  const upstreams = new Map<string, string>(plan.wires.map(({ name, upstream }) => [name, upstream]));
  const addressOf = (wire: string) => {
    dialled.add(wire);
    return upstreams.get(wire) ?? '';
  };
  return { addressOf, epochOffsetNs: runClock().epochOffsetNs, tuning: tuningOf, stock: { 'sku-1': 5 }, shoppers: 3 };
}

async function squatAt(address: string, undo: AsyncDisposableStack) {
  const [host = '', port = ''] = address.split(':');
  const squatter = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => squatter.listen(Number(port), host, resolve));
  undo.defer(() => new Promise<void>((resolve) => squatter.close(() => resolve())));
}

/** Past the client, which would try to connect again. */
async function endRedis(plan: LocalPlan) {
  const socket = connect(Number(at(plan, 'redis').split(':')[1]), '127.0.0.1');
  socket.write('SHUTDOWN NOSAVE\r\n');
  await once(socket.resume(), 'close');
}

const addressesOf = (plan: LocalPlan) => new Set(plan.wires.map(({ upstream }) => upstream).filter((address) => address !== otlp));

async function sql(plan: LocalPlan, statement: string): Promise<Record<string, unknown>[]> {
  const [host = '', port = ''] = at(plan, 'mysql').split(':');
  const connection = await createConnection({ host, port: Number(port), user: 'root' });
  try {
    const [rows] = await connection.query(statement);
    return rows as unknown as Record<string, unknown>[];
  } finally {
    await connection.end();
  }
}

async function redis<T>(plan: LocalPlan, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(`redis://${at(plan, 'redis')}`);
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

async function etcd<T>(plan: LocalPlan, use: (client: Etcd3) => PromiseLike<T>): Promise<T> {
  const client = new Etcd3({ hosts: `http://${at(plan, 'etcd')}` });
  try {
    return await use(client);
  } finally {
    client.close();
  }
}
