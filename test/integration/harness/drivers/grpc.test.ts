import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createSecureServer, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { UsageError } from '../../../../core/errors.ts';
import { waitUntil } from '../../../../core/time.ts';
import { createGrpcTransport } from '../../../../harness/drivers/grpc.ts';
import type { GrpcRequest, Reply } from '../../../../harness/drivers/transport.ts';
import { certificate, privateKey } from '../../../support/servers/self-signed.ts';
import { startServer } from '../../../support/servers/start.ts';

const proto = fileURLToPath(new URL('../../../support/servers/shop.proto', import.meta.url));
const now = () => performance.now();

describe('a server in its own process', () => {
  test('sees what was sent, and its answer comes back whole', async () => {
    await using server = await startServer('answers-grpc-as-asked');
    const { ask } = transport();
    const message = { id: 7, items: [{ sku: 'a', quantity: 2 }], urgency: 'EXPRESS', signature: Buffer.from([1, 2]) };
    const reply = answered(await ask({ address: server.address, message, metadata: { 'x-tag': 'one', 'x-raw-bin': 'AAEC' } }));
    expect(reply).toMatchObject({ status: 0, text: '' });
    expect(reply.message).toMatchObject({
      id: 7,
      request: { ...message, weight: 0, due: null, gifts: {} },
      metadata: { 'x-tag': 'one', 'x-raw-bin': '\u0000\u0001\u0002' },
      largest: '9007199254740993',
    });
    // A header, a trailer, and what is not there.
    expect(reply.header('content-type')).toBe('application/grpc+proto');
    expect(reply.headers('x-served-by')).toEqual(['a fixture']);
    expect(reply.header('grpc-status')).toBe('0');
    expect(reply.header('x-unseen')).toBeUndefined();
  });

  test('that takes 50 ms is never said to be faster, nor much slower', async () => {
    await using server = await startServer('answers-grpc-as-asked');
    const { ask } = transport();
    // The first one makes the connection.
    await ask({ address: server.address, message: {} });
    const services: number[] = [];
    for (let times = 0; times < 20; times += 1) {
      const fromMs = now();
      const { writtenMs, firstByteMs, endedMs } = answered(await ask({ address: server.address, message: { wait_ms: 50 } }));
      expect([fromMs, writtenMs, firstByteMs, endedMs]).toEqual(
        [fromMs, writtenMs, firstByteMs, endedMs].toSorted((one, other) => one - other),
      );
      expect(endedMs - fromMs).toBeGreaterThanOrEqual(50);
      services.push(endedMs - writtenMs);
    }
    // The write is told at the end of a turn: by then the server may have begun.
    const median = services.toSorted((one, other) => one - other)[10];
    expect(median).toBeGreaterThanOrEqual(49.5);
    expect(median).toBeLessThan(70);
  });

  test('gets more connections when more calls are in flight than one may carry', async () => {
    await using server = await startServer('answers-grpc-as-asked');
    const { ask, connections } = transport();
    const ids = Array.from({ length: 250 }, (_, id) => id + 1);
    const replies = await Promise.all(ids.map((id) => ask({ address: server.address, message: { id, wait_ms: 50 } })));
    expect(replies.map((reply) => answered(reply).message)).toMatchObject(ids.map((id) => ({ id })));
    expect(connections()).toEqual({ open: 3, peak: 3 });
    // They are used again.
    await Promise.all(ids.map((id) => ask({ address: server.address, message: { id } })));
    expect(connections()).toEqual({ open: 3, peak: 3 });
  });

  test("that hangs is given up at the limit, and what it says later is nobody else's answer", async () => {
    await using server = await startServer('answers-grpc-as-asked');
    const { ask } = transport({ timeoutMs: 100 });
    await ask({ address: server.address, message: {} });
    const fromMs = now();
    const late = Array.from({ length: 50 }, (_, id) => ask({ address: server.address, message: { id: 1_000 + id, wait_ms: 120 } }));
    const sentMs = now();
    let answers = 0;
    for (let id = 1; now() - fromMs < 250 || answers <= 3; id += 1) {
      const reply = await ask({ address: server.address, message: { id } });
      if (reply.kind === 'answered') {
        expect(reply.message).toMatchObject({ id });
        answers += 1;
      }
    }
    for (const { kind, writtenMs, firstByteMs, endedMs } of await Promise.all(late)) {
      expect([kind, firstByteMs]).toEqual(['timedOut', Number.NaN]);
      expect(endedMs).toBeGreaterThanOrEqual(fromMs + 100);
      expect(endedMs).toBeLessThanOrEqual(sentMs + 100);
      expect(writtenMs).toBeGreaterThan(fromMs);
    }
  });

  test('that is frozen times out exactly at the limit, and is asked again once it goes on', async () => {
    await using server = await startServer('answers-grpc-as-asked');
    // It is read once for the limit, then for what comes.
    const read: number[] = [];
    const { ask } = transport({
      timeoutMs: 80,
      now: () => {
        read.push(now());
        return read.at(-1) ?? 0;
      },
    });
    await ask({ address: server.address, message: {} });
    server.process.kill('SIGSTOP');
    read.length = 0;
    const reply = await ask({ address: server.address, message: {} });
    expect([reply.kind, reply.endedMs]).toEqual(['timedOut', (read[0] ?? 0) + 80]);
    server.process.kill('SIGCONT');
    await waitUntil(
      { timeoutMs: 5_000, describe: () => 'Expected an answer' },
      async () => (await ask({ address: server.address, message: { id: 3 } })).kind === 'answered',
    );
  });

  test('that is killed breaks what is in flight and what follows, and serves again once it is back', async () => {
    const first = await startServer('answers-grpc-as-asked');
    const { address } = first;
    const { ask, connections } = transport();
    await ask({ address, message: {} });
    const pending = [1, 2, 3].map((id) => ask({ address, message: { id, wait_ms: 60_000 } }));
    await ask({ address, message: {} });
    await first[Symbol.asyncDispose]();
    for (const reply of await Promise.all(pending)) {
      expect(reply).toMatchObject({ kind: 'broken', code: 'ECONNRESET', firstByteMs: Number.NaN, writtenMs: expect.any(Number) });
      expect(reply.writtenMs).toBeLessThan(reply.endedMs);
    }
    // Long enough for pauses between attempts to have grown.
    const goneMs = now();
    while (now() < goneMs + 1_500) {
      expect(await ask({ address, message: {} })).toMatchObject({
        kind: 'broken',
        code: 'ECONNREFUSED',
        writtenMs: Number.NaN,
        firstByteMs: Number.NaN,
      });
    }
    await using _second = await startServer('answers-grpc-as-asked', address.split(':')[1] ?? '');
    const backMs = now();
    await waitUntil(
      { timeoutMs: 5_000, describe: () => 'Expected it to be served again' },
      async () => (await ask({ address, message: {} })).kind === 'answered',
    );
    expect(now() - backMs).toBeLessThan(600);
    expect(connections()).toEqual({ open: 1, peak: 1 });
  });

  test.each([
    { details: 'closed for today', sends_headers_first: false },
    { details: 'No connection established. Last error: connect ECONNREFUSED 10.0.0.1:1', sends_headers_first: false },
    { details: 'Connection dropped', sends_headers_first: true },
    { details: '', sends_headers_first: true },
  ])('says itself that it is unavailable: %j', async (how) => {
    await using server = await startServer('answers-grpc-as-asked');
    const { ask } = transport();
    const reply = answered(await ask({ address: server.address, message: { status: 14, ...how } }));
    expect(reply.status).toBe(14);
    expect(reply.message).toBeUndefined();
    expect(reply.header('grpc-message') ?? '').toBe(how.details);
    expect(reply.firstByteMs).toBeGreaterThan(reply.writtenMs);
  });

  test('lacks a method that the .proto has', async () => {
    await using server = await startServer('answers-grpc-as-asked');
    expect(await transport().ask({ address: server.address, method: '/shop.Orders/Amend', message: {} })).toMatchObject({
      kind: 'answered',
      status: 12,
    });
  });

  test('is told large messages, and tells them', async () => {
    await using server = await startServer('answers-grpc-as-asked');
    const message = { signature: Buffer.alloc(6_000_000, 'x') };
    expect(answered(await transport().ask({ address: server.address, message })).message).toMatchObject({ request: message });
  });

  test('that answers too late is too late, also when nobody has looked at the time', async () => {
    await using server = await startServer('answers-grpc-as-asked');
    let times = 0;
    // The limit is set at the first look. By the next one it is over.
    const { ask } = transport({ timeoutMs: 100, now: () => (times++ === 0 ? 1_000 : 1_101) });
    await ask({ address: server.address, message: {} });
    times = 0;
    expect(await ask({ address: server.address, message: {} })).toMatchObject({
      kind: 'timedOut',
      endedMs: 1_100,
      firstByteMs: Number.NaN,
    });
  });

  test('is left at once by a transport that is closed', async () => {
    await using server = await startServer('answers-grpc-as-asked');
    const { ask, send, close, connections } = transport();
    await ask({ address: server.address, message: {} });
    const pending = [1, 2].map((id) => ask({ address: server.address, message: { id, wait_ms: 60_000 } }));
    await close();
    for (const reply of await Promise.all(pending)) expect(reply).toMatchObject({ kind: 'broken', code: 'ECLOSED' });
    expect(connections().open).toBe(0);
    expect(() => send({ address: server.address, method: 'shop.Orders/Place', message: {} }, () => {})).toThrow('closed');
  });
});

describe('a server that', () => {
  test('is asked by 250 calls at once has as many connections as it takes, and none when the transport is closed', async () => {
    const sessions = new Set<ServerHttp2Session>();
    const server = createServer();
    server.on('session', (session) => {
      sessions.add(session);
      session.on('close', () => sessions.delete(session));
    });
    const streams: number[] = [];
    const address = await serveStreams((stream) => {
      streams.push(sessions.size);
      if (streams.length === 250) expect(sessions.size).toBe(3);
      stream.on('error', () => {});
    }, server);
    const { ask, close } = transport();
    const replies = Array.from({ length: 250 }, () => ask({ address, message: {} }));
    await waitUntil({ timeoutMs: 5_000, describe: () => `Expected 250 calls, got ${streams.length}` }, () => streams.length === 250);
    expect(sessions.size).toBe(3);
    await close();
    await Promise.all(replies);
    await waitUntil({ timeoutMs: 5_000, describe: () => 'Expected no connection' }, () => sessions.size === 0);
  });

  test('reads slowly has been written to when the system has taken the last byte', async () => {
    const address = await serveStreams((stream) => {
      stream.pause();
      setTimeout(() => {
        stream.resume();
        stream.on('end', () => stream.respond({ ...trailersOnly, 'grpc-status': '5' }, { endStream: true }));
      }, 50);
    });
    const { ask } = transport();
    const fromMs = now();
    const reply = answered(await ask({ address, message: { signature: Buffer.alloc(20_000_000) } }));
    expect(reply.status).toBe(5);
    expect(reply.writtenMs - fromMs).toBeGreaterThan(45);
    expect(reply.firstByteMs).toBeGreaterThanOrEqual(reply.writtenMs);
  });

  test('sends headers first and ends later: the first byte is the headers', async () => {
    const address = await serveStreams((stream) => {
      stream.respond(headers, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      // Headers of their own are on their way before the time begins.
      setImmediate(() => setTimeout(() => stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 5])), 100));
    });
    const { ask } = transport();
    let betweenMs = 0;
    // A pause of this process may hide the time between both once: it is server and client.
    for (let times = 0; times < 5 && betweenMs <= 50; times += 1) {
      const reply = answered(await ask({ address, message: {} }));
      expect(reply.message).toMatchObject({ id: 5 });
      betweenMs = reply.endedMs - reply.firstByteMs;
    }
    expect(betweenMs).toBeGreaterThan(50);
  });

  test.each<[what: string, answer: (stream: ServerHttp2Stream) => void, told: object]>([
    ['resets the stream', (stream) => stream.close(2), { kind: 'broken', code: 'ECONNRESET' }],
    ['refuses the stream', (stream) => stream.close(7), { kind: 'broken', code: 'ECONNRESET', message: 'Stream refused by server' }],
    ['cancels the stream', (stream) => stream.close(8), { kind: 'broken', code: 'ECONNRESET' }],
    ['closes the connection', (stream) => stream.session?.destroy(), { kind: 'broken', code: 'ECONNRESET' }],
    [
      'closes the connection after headers',
      (stream) => {
        stream.respond(headers);
        setImmediate(() => stream.session?.destroy());
      },
      { kind: 'broken', code: 'ECONNRESET', message: 'Connection dropped' },
    ],
    [
      'closes the connection after a message',
      (stream) => {
        stream.respond(headers);
        stream.write(Buffer.from([0, 0, 0, 0, 2, 8, 5]));
        setImmediate(() => stream.session?.destroy());
      },
      { kind: 'broken', code: 'ECONNRESET' },
    ],
    [
      'says OK and nothing else',
      (stream) => stream.respond({ ...trailersOnly, 'grpc-status': '0' }, { endStream: true }),
      { kind: 'broken', code: 'BAD_MESSAGE' },
    ],
    [
      'answers what the .proto does not say',
      (stream) => answerWith(stream, [0, 0, 0, 0, 2, 18, 9]),
      { kind: 'broken', code: 'BAD_MESSAGE' },
    ],
    ['answers twice', (stream) => answerWith(stream, [0, 0, 0, 0, 2, 8, 5, 0, 0, 0, 0, 2, 8, 6]), { kind: 'broken', code: 'BAD_MESSAGE' }],
    ['threatens more than is kept', (stream) => answerWith(stream, [0, 255, 255, 255, 255, 8]), { kind: 'broken', code: 'BAD_MESSAGE' }],
    [
      'is a proxy without a backend',
      (stream) => stream.respond({ ':status': 503, 'content-type': 'text/html' }, { endStream: true }),
      { kind: 'answered', status: 14 },
    ],
    [
      'is a proxy with a page for that',
      (stream) => {
        stream.respond({ ':status': 503, 'content-type': 'text/html' });
        stream.end('<html>Nobody is there</html>');
      },
      { kind: 'answered', status: 14 },
    ],
  ])('%s', async (_what, answer, told) => {
    const address = await serveStreams(answer);
    const { ask } = transport();
    for (let times = 0; times < 2; times += 1) {
      const reply = await ask({ address, message: {} });
      expect(reply).toMatchObject(told);
      expect(reply.writtenMs).toBeLessThanOrEqual(reply.endedMs);
    }
  });

  test('speaks no HTTP/2 breaks calls instead of leaving them to the time limit', async () => {
    const address = await listen(createHttpServer((_, response) => response.end()));
    expect(await transport().ask({ address, message: {} })).toMatchObject({ kind: 'broken', writtenMs: Number.NaN });
  });

  test('closes connections when it likes is asked over new ones, and not twice', async () => {
    let asked = 0;
    const address = await serveStreams((stream) => {
      asked += 1;
      if (asked % 5 === 0) stream.session?.goaway();
      answerWith(stream, [0, 0, 0, 0, 2, 8, asked]);
      if (asked % 5 === 0) stream.session?.close();
    });
    const { ask } = transport();
    let answers = 0;
    for (let times = 0; times < 50; times += 1) if ((await ask({ address, message: {} })).kind === 'answered') answers += 1;
    expect(asked).toBeLessThanOrEqual(50);
    expect(answers).toBe(asked);
  });
});

test('nothing is told before send returns', async () => {
  await using server = await startServer('answers-grpc-as-asked');
  const { send } = transport();
  for (const address of [server.address, await closedPort(), server.address]) {
    let hasReturned = false;
    const reply = new Promise<boolean>((resolve) => {
      send({ address, method: 'shop.Orders/Place', message: {} }, () => resolve(hasReturned));
    });
    hasReturned = true;
    expect(await reply).toBe(true);
  }
});

test('a name is looked up, and one that nobody has is told', async () => {
  await using server = await startServer('answers-grpc-as-asked');
  const { ask } = transport();
  expect(await ask({ address: server.address.replace('127.0.0.1', 'localhost'), message: {} })).toMatchObject({ status: 0 });
  expect(await ask({ address: 'nobody.invalid:80', message: {} })).toMatchObject({ kind: 'broken', code: 'ENOTFOUND' });
});

test('TLS is spoken where it is asked for, with those who prove who they are', async () => {
  const server = createSecureServer({ key: privateKey, cert: certificate });
  const address = await serveStreams((stream) => answerWith(stream, [0, 0, 0, 0, 2, 8, 5]), server);
  expect(await transport({ tls: true }).ask({ address, message: {} })).toMatchObject({
    kind: 'broken',
    message: expect.stringContaining('self-signed'),
  });
  trust(certificate);
  expect(await transport({ tls: true }).ask({ address, message: {} })).toMatchObject({ kind: 'answered', message: { id: 5 } });
  expect(await transport().ask({ address: `https://${address}`, message: {} })).toMatchObject({ kind: 'answered', message: { id: 5 } });
  expect(await transport({ tls: true }).ask({ address: `http://${address}`, message: {} })).toMatchObject({ kind: 'broken' });
});

test.each<[request: Partial<GrpcRequest>, type: typeof UsageError | typeof TypeError, told: string]>([
  [
    { method: 'shop.Orders/Plac' },
    UsageError,
    `Expected a method of ${proto} (shop.Orders/Place, shop.Orders/Amend, shop.Orders/Watch), got 'shop.Orders/Plac'`,
  ],
  [{ method: 'shop.Orders/Watch' }, TypeError, 'Expected a method with one request and one answer, but shop.Orders/Watch streams'],
  [
    { message: { items: [{ name: 'a' }] } },
    UsageError,
    "Expected 'items[0]' of shop.PlaceRequest to have only the fields sku, quantity, got 'name'",
  ],
  [{ address: 'shop' }, TypeError, "Expected an address such as '127.0.0.1:50051', got 'shop'"],
  [{ address: 'http://127.0.0.1:80/orders' }, TypeError, "Expected an address such as '127.0.0.1:50051', got 'http://127.0.0.1:80/orders'"],
  [
    { metadata: { 'x-a': 'one\ntwo' } },
    TypeError,
    'Expected metadata that can be sent, but: Metadata string value "one\ntwo" contains illegal characters',
  ],
])('%j is told in one sentence, and nothing is sent', (request, type, told) => {
  const { send, connections } = transport();
  const sends = () => send({ address: '127.0.0.1:1', method: 'shop.Orders/Place', message: {}, ...request }, () => {});
  expect(sends).toThrow(type);
  expect(sends).toThrow(told);
  expect(connections()).toEqual({ open: 0, peak: 0 });
});

const headers = { ':status': 200, 'content-type': 'application/grpc' };
const trailersOnly = headers;

function transport(options: Partial<Parameters<typeof createGrpcTransport>[0]> = {}) {
  const made = createGrpcTransport({ proto, timeoutMs: 5_000, now, ...options });
  onTestFinished(made.close);
  return {
    ...made,
    ask: (request: Omit<GrpcRequest, 'method'> & { method?: string }) =>
      new Promise<Reply>((resolve) => made.send({ method: 'shop.Orders/Place', ...request }, resolve)),
  };
}

function answered(reply: Reply) {
  if (reply.kind !== 'answered') throw new Error(`Expected an answer, got ${JSON.stringify(reply)}`);
  return reply;
}

function answerWith(stream: ServerHttp2Stream, bytes: number[]) {
  stream.respond(headers, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.from(bytes));
}

/** A server that does to calls what no gRPC library would. */
function serveStreams(answer: (stream: ServerHttp2Stream) => void, server: Http2Server = createServer()): Promise<string> {
  server.on('stream', (stream) => {
    // Resets are what these tests are about.
    stream.on('error', () => {});
    answer(stream);
  });
  return listen(server);
}

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1', 4_096);
  await once(server, 'listening');
  onTestFinished(async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closedPort(): Promise<string> {
  const server = createTcpServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${port}`;
}

function trust(certificate: string) {
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, certificate]);
  onTestFinished(() => setDefaultCACertificates(before));
}
