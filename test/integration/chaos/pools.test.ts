import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { Redis } from 'ioredis';
import { createPool, type RowDataPacket } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openControl } from '../../../chaos/control.ts';
import { startEmbedded } from '../../../chaos/embedded/start.ts';
import {
  blackHole,
  closeAfter,
  cut,
  type NetworkFault,
  openConnections,
  reset,
  sentenceOf,
  silent,
  slice,
  slow,
  slowClose,
  throttle,
} from '../../../chaos/faults.ts';
import { type Network, openNetwork } from '../../../chaos/network.ts';
import { ownPrefix } from '../../../chaos/owner.ts';
import type { Undo } from '../../../chaos/target.ts';
import { messageOf } from '../../../core/errors.ts';
import { monotonic, waitUntil } from '../../../core/time.ts';
import { startTestStores } from '../../support/stores.ts';

/*
 * Connections that were open before a fault began, of the clients that the mall keeps: a gRPC channel, a pool of MySQL, a connection to Redis.
 * Each goes client → proxy → counter → server; the counter tells how many connections there have been, and how many of them have ended.
 */
const all = new AsyncDisposableStack();
const { signal } = new AbortController();
let controlUrl: string;
const servers: Record<string, string> = {};

beforeAll(async () => {
  const stores = await startTestStores(all);
  servers.mysql = `${stores.mysql.host}:${stores.mysql.port}`;
  servers.redis = stores.redis.address;
  servers.grpc = await startGrpc();
  const server = await startEmbedded({ signal });
  all.defer(() => server.close());
  controlUrl = server.controlUrl;
}, 60_000);
afterAll(() => all.disposeAsync());

/** `ask` puts a question whose answer is so many bytes long; it fails rather than wait for a new connection. */
type Pooled = { ask(bytes: number): Promise<void>; close(): Promise<void> };

describe.each<[string, (address: string) => Pooled]>([
  ['grpc', grpcClient],
  ['mysql', mysqlClient],
  ['redis', redisClient],
])('the connections of %s', (kind, openClient) => {
  let undo: AsyncDisposableStack;
  let network: Network;
  let counter: Counter;
  let client: Pooled;

  /** One connection that has been used. */
  async function begin(): Promise<void> {
    undo = new AsyncDisposableStack();
    counter = await startCounter(servers[kind] ?? '', undo);
    network = await openNetwork({ controlUrl, wires: [{ name: 'user->redis', edge: 'user->redis', upstream: counter.address }], signal });
    undo.defer(() => network.close());
    client = openClient(network.addressOf('user->redis'));
    undo.defer(async () => await client.close().catch(() => undefined));
    await client.ask(10);
    expect([counter.accepted(), counter.ended()]).toEqual([1, 0]);
  }
  afterEach(() => undo.disposeAsync());

  async function applyTo(fate: 'feel it' | 'closed', fault: NetworkFault): Promise<Undo> {
    expect(openConnections[fault.kind]).toBe(fate);
    return await network.apply(fault);
  }

  /** What the one open connection feels; it is never replaced for it. */
  const late: [NetworkFault, { bytes: number; tookMs: number }][] = [
    [slow('user->redis', { by: '150ms' }), { bytes: 10, tookMs: 145 }],
    [slow('user->redis', { by: '150ms', direction: 'upstream' }), { bytes: 10, tookMs: 145 }],
    [throttle('user->redis', { kilobytesPerSecond: 20 }), { bytes: 5_000, tookMs: 245 }],
    // At least 25 pieces, each followed by its pause.
    [slice('user->redis', { bytes: 200, pause: '5ms' }), { bytes: 5_000, tookMs: 120 }],
  ];
  test.each(late.map(([fault, expected]) => [sentenceOf(fault), fault, expected] as const))(
    'feel it: %s',
    async (_sentence, fault, { bytes, tookMs }) => {
      await begin();
      const end = await applyTo('feel it', fault);
      expect(await timed(() => client.ask(bytes))).toBeGreaterThanOrEqual(tookMs);
      await end();
      // Once is enough: whatever is on makes every answer late.
      await waitUntil({ timeoutMs: 10_000, describe: () => 'still late' }, async () => (await timed(() => client.ask(bytes))) < tookMs);
      expect([counter.accepted(), counter.ended()]).toEqual([1, 0]);
    },
  );

  test('cannot tell that answers come in slices without a pause, as a stream has no pieces, and are none the worse for it', async () => {
    await begin();
    await applyTo('feel it', slice('user->redis', { bytes: 20 }));
    await client.ask(5_000);
    expect([counter.accepted(), counter.ended()]).toEqual([1, 0]);
  });

  test('feel a black hole, and get what was kept from them when it ends', async () => {
    await begin();
    const end = await applyTo('feel it', blackHole('user->redis'));
    const answer = client.ask(10).then(() => 'answered');
    expect(await Promise.race([answer, inAWhile()])).toBe('nothing yet');
    await end();
    expect(await answer).toBe('answered');
    expect([counter.accepted(), counter.ended()]).toEqual([1, 0]);
  });

  test('feel it when answers vanish, and are closed when that ends', async () => {
    await begin();
    const end = await applyTo('feel it', silent('user->redis'));
    const answer = client.ask(10).then(
      () => 'answered',
      () => 'failed',
    );
    expect(await Promise.race([answer, inAWhile()])).toBe('nothing yet');
    expect([counter.accepted(), counter.ended()]).toEqual([1, 0]);
    await end();
    await answer;
    await waitUntil({ timeoutMs: 10_000, describe: () => 'the connection lives on' }, () => counter.ended() === 1);
    await comesBack();
  });

  test('feel it when they are closed after some bytes', async () => {
    await begin();
    const end = await applyTo('feel it', closeAfter('user->redis', { bytes: 2_000 }));
    await expect(client.ask(5_000)).rejects.toThrow();
    await waitUntil({ timeoutMs: 10_000, describe: () => 'the connection lives on' }, () => counter.ended() === 1);
    await end();
    await comesBack();
  });

  test('feel it when who closes is heard late', async () => {
    await begin();
    // Some clients hang up themselves, others ask the server to.
    await applyTo('feel it', slowClose('user->redis', { by: '200ms', direction: 'both' }));
    expect(await connectionsThrough('user->redis')).toBe(1);
    const tookMs = await timed(async () => {
      await client.close();
      await waitUntil(
        { timeoutMs: 10_000, everyMs: 1, describe: () => 'never closed' },
        async () => (await connectionsThrough('user->redis')) === 0,
      );
    });
    expect(tookMs).toBeGreaterThanOrEqual(195);
  });

  test.each([
    [cut('user->redis'), 'ECONNREFUSED'],
    [reset('user->redis'), 'ECONNRESET'],
  ] as const)('are closed at once, and new ones do no better: %j', async (fault, fateOfNewOnes) => {
    await begin();
    const end = await applyTo('closed', fault);
    // Nobody had to ask for anything.
    await waitUntil({ timeoutMs: 10_000, describe: () => 'the connection lives on' }, () => counter.ended() >= 1);
    await expect(client.ask(10)).rejects.toThrow();
    expect(await endOfNewConnection(network.addressOf('user->redis'))).toBe(fateOfNewOnes);
    await end();
    await comesBack();
  });

  test('outlive a bare reset_peer until they are used: it resets new ones only', async () => {
    await begin();
    const control = openControl({ controlUrl });
    undo.defer(() => control.close());
    const proxy = `${ownPrefix()}user->redis`;
    await control.addToxic(proxy, { name: 'bare', type: 'reset_peer', stream: 'downstream', toxicity: 1, attributes: { timeout: 0 } });
    expect(await endOfNewConnection(network.addressOf('user->redis'))).toBe('ECONNRESET');
    // That was a second one; the first is still there.
    await waitUntil({ timeoutMs: 10_000, describe: () => 'the second one lives on' }, () => counter.ended() === 1);
    expect(counter.accepted()).toBe(2);
    // It is ended in order, not reset; C54 holds that where nothing lies between.
    expect(await client.ask(10).catch(messageOf)).toEqual(expect.not.stringContaining('ECONNRESET'));
    await control.removeToxic(proxy, 'bare');
    await comesBack();
  });

  /** Without being told. */
  async function comesBack(): Promise<void> {
    await waitUntil({ timeoutMs: 10_000, describe: () => 'the client never came back' }, () =>
      client.ask(10).then(
        () => true,
        () => false,
      ),
    );
  }
});

/** Sends something that any of the servers answers, and tells how the connection ends. */
async function endOfNewConnection(address: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: Number(address.split(':')[1]) });
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
  return await new Promise((resolve) => {
    socket.resume();
    socket.on('error', ({ code = '' }: NodeJS.ErrnoException) => resolve(code));
    socket.on('close', () => resolve('closed'));
  });
}

/** Open ones, as the proxy on a wire counts them. */
async function connectionsThrough(wire: string): Promise<number> {
  const page = await (await fetch(`${controlUrl}/metrics`)).text();
  const line = page.split('\n').find((text) => text.startsWith('stampede_proxy_connections{') && text.includes(`:${wire}"`));
  return Number(line?.split(' ').at(-1));
}

type Counter = { address: string; accepted(): number; ended(): number };

/** Passes everything on to `upstream`, and counts connections. */
async function startCounter(upstream: string, undo: AsyncDisposableStack): Promise<Counter> {
  let [accepted, ended] = [0, 0];
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    accepted += 1;
    const far = connect({ host: '127.0.0.1', port: Number(upstream.split(':')[1]), noDelay: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      // What matters is that it has ended.
      socket.on('error', () => {});
    }
    near.on('close', () => {
      ended += 1;
      far.destroy();
    });
    far.on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.defer(async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, accepted: () => accepted, ended: () => ended };
}

const method = {
  path: '/Test/Ask',
  requestStream: false,
  responseStream: false,
  requestSerialize: (bytes: number) => Buffer.from(String(bytes)),
  requestDeserialize: (buffer: Buffer) => Number(buffer.toString()),
  responseSerialize: (answer: Buffer) => answer,
  responseDeserialize: (buffer: Buffer) => buffer,
} as const;

async function startGrpc(): Promise<string> {
  const server = new Server();
  server.addService(
    { ask: method },
    { ask: (call: { request: number }, answer: (error: null, value: Buffer) => void) => answer(null, Buffer.alloc(call.request)) },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  all.defer(async () => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

function grpcClient(address: string): Pooled {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 50,
  });
  return {
    ask: (bytes) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(method.path, method.requestSerialize, method.responseDeserialize, bytes, (error) =>
          error === null ? resolve() : reject(error),
        );
      }),
    close: async () => client.close(),
  };
}

function mysqlClient(address: string): Pooled {
  const pool = createPool({ host: '127.0.0.1', port: Number(address.split(':')[1]), user: 'root', connectionLimit: 1 });
  return {
    async ask(bytes) {
      await pool.query<RowDataPacket[]>(`SELECT REPEAT('x', ${bytes})`);
    },
    close: () => pool.end(),
  };
}

function redisClient(address: string): Pooled {
  const redis = new Redis({
    host: '127.0.0.1',
    port: Number(address.split(':')[1]),
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => 20,
  });
  // The next question tells.
  redis.on('error', () => {});
  return {
    async ask(bytes) {
      await redis.echo('x'.repeat(bytes));
    },
    close: async () => redis.disconnect(),
  };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = monotonic();
  await work();
  return monotonic() - startMs;
}

const inAWhile = () => new Promise<string>((resolve) => setTimeout(resolve, 200, 'nothing yet'));
