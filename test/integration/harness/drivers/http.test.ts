import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { expect, onTestFinished, test, vi } from 'vitest';
import { waitUntil } from '../../../../core/time.ts';
import { createHttpTransport } from '../../../../harness/drivers/http/transport.ts';
import type { HttpRequest, Reply, Transport } from '../../../../harness/drivers/transport.ts';
import { certificate, privateKey } from '../../../support/servers/self-signed.ts';

test('a server sees what was sent, and its answer comes back whole', async () => {
  const origin = await serve((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      response.writeHead(201, { 'set-cookie': ['a=1', 'b=2'], 'x-seen': 'yes' });
      response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }));
    });
  });
  const { ask } = transport();
  for (const body of ['{"a":1}', '€', new TextEncoder().encode('bytes'), '']) {
    const reply = answered(await ask({ origin, method: 'POST', path: '/a?b=c', headers: { 'x-tag': 'é' }, body }));
    expect(reply.status).toBe(201);
    expect(JSON.parse(reply.text)).toMatchObject({
      method: 'POST',
      url: '/a?b=c',
      headers: { host: origin.slice(7), 'x-tag': 'é' },
      body: typeof body === 'string' ? body : 'bytes',
    });
    expect(reply.header('x-seen')).toBe('yes');
    expect(reply.header('x-unseen')).toBeUndefined();
    expect(reply.headers('set-cookie')).toEqual(['a=1', 'b=2']);
  }
});

test.each<[what: string, method: string, listener: RequestListener, told: { status: number; text: string }]>([
  ['HEAD', 'HEAD', (_, response) => void response.setHeader('content-length', 5).end(), { status: 200, text: '' }],
  ['204', 'GET', (_, response) => void response.writeHead(204).end(), { status: 204, text: '' }],
  ['304', 'GET', (_, response) => void response.writeHead(304, { 'content-length': 9 }).end(), { status: 304, text: '' }],
  [
    'chunks',
    'GET',
    (_, response) => {
      response.write('one ');
      setImmediate(() => response.end('two'));
    },
    { status: 200, text: 'one two' },
  ],
  [
    'early hints',
    'GET',
    (_, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' });
      response.end('x');
    },
    { status: 200, text: 'x' },
  ],
])('%s: answered on one connection, again and again', async (_what, method, listener, told) => {
  const origin = await serve(listener);
  const { ask, connections } = transport();
  for (let times = 0; times < 3; times += 1) expect(await ask({ origin, method })).toMatchObject(told);
  expect(connections()).toEqual({ open: 1, peak: 1 });
});

test('bodies are read only when asked for, and as far as they are kept', async () => {
  const origin = await serve((_, response) => void response.writeHead(409).end('x'.repeat(3_000_000)));
  const { ask, connections } = transport();
  expect(await ask({ origin, readsBody: false })).toMatchObject({ status: 409, text: '' });
  expect(await ask({ origin, readsBody: (status) => status === 200 })).toMatchObject({ text: '' });
  expect(answered(await ask({ origin, readsBody: (status) => status === 409 })).text).toHaveLength(1_048_576);
  expect(await ask({ origin })).toMatchObject({ isCut: true });
  expect(connections()).toEqual({ open: 1, peak: 1 });
});

test('a large request is written when the system has taken its last byte', async () => {
  const origin = await serve((request, response) => {
    let size = 0;
    request.on('data', (chunk) => {
      size += chunk.length;
    });
    request.on('end', () => response.end(String(size)));
    request.pause();
    setTimeout(() => request.resume(), 50);
  });
  const { ask } = transport();
  const fromMs = performance.now();
  const reply = answered(await ask({ origin, method: 'POST', body: Buffer.alloc(50_000_000, 'x') }));
  expect(reply.text).toBe('50000000');
  // It cannot all be taken before the server begins to read.
  expect(reply.writtenMs - fromMs).toBeGreaterThan(45);
  expect(reply.firstByteMs).toBeGreaterThanOrEqual(reply.writtenMs);
});

test('stamps follow one another, and nothing is told before send returns', async () => {
  const origin = await serve((_, response) => {
    response.write('first');
    // The first byte is read in one of the next turns; only then the time begins.
    setImmediate(() => setImmediate(() => setImmediate(() => setTimeout(() => response.end('last'), 20))));
  });
  const { send } = transport();
  const fromMs = performance.now();
  const betweenMs: number[] = [];
  for (const to of [origin, origin, origin, await closedPort()]) {
    let hasReturned = false;
    const reply = new Promise<Reply>((resolve) => {
      send({ ...plain, origin: to }, (told) => {
        expect(hasReturned).toBe(true);
        resolve(told);
      });
    });
    hasReturned = true;
    const { kind, writtenMs, firstByteMs, endedMs } = await reply;
    if (kind === 'broken') {
      expect([writtenMs, firstByteMs]).toEqual([Number.NaN, Number.NaN]);
      expect(endedMs).toBeGreaterThan(fromMs);
    } else {
      expect(writtenMs).toBeGreaterThan(fromMs);
      expect(firstByteMs).toBeGreaterThan(writtenMs);
      betweenMs.push(endedMs - firstByteMs);
    }
  }
  // A pause of this process may hide it once: it is server and client.
  expect(Math.max(...betweenMs)).toBeGreaterThan(15);
});

test.each<[what: string, answer: string, told: Partial<Reply>]>([
  ['one byte at a time', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi', { kind: 'answered', text: 'hi' }],
  ['SSH', 'SSH-2.0-x\r\n', { kind: 'broken', code: 'NOT_HTTP', message: expect.stringContaining('SSH') }],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n', { kind: 'broken', code: 'NOT_HTTP' }],
  ['too much before the end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(70_000)}`, { kind: 'broken', code: 'HEAD_TOO_LARGE' }],
])('a server that sends %s', async (what, answer, told) => {
  const origin = await serveRaw((socket) => {
    if (what !== 'one byte at a time') return socket.write(answer);
    const bytes = [...answer];
    const sendNext = () => {
      socket.write(bytes.shift() ?? '');
      if (bytes.length > 0) setImmediate(sendNext);
    };
    return sendNext();
  });
  const { ask, connections } = transport();
  expect(await ask({ origin })).toMatchObject(told);
  await waitUntil(
    { timeoutMs: 5_000, describe: () => 'The connection is still open' },
    () => connections().open === (told.kind === 'answered' ? 1 : 0),
  );
});

test.each<[what: string, answer: string, told: Partial<Reply>]>([
  ['nothing', '', { kind: 'broken', code: 'ECONNRESET', message: 'The server closed the connection instead of answering' }],
  [
    'half a head',
    'HTTP/1.1 200 OK\r\nx:',
    { kind: 'broken', code: 'ECONNRESET', message: 'The server closed the connection in the middle of its answer' },
  ],
  ['half a body', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf', { kind: 'broken', code: 'ECONNRESET' }],
  ['a body without a length', 'HTTP/1.1 200 OK\r\n\r\nall of it', { kind: 'answered', text: 'all of it' }],
])('a server that closes after %s', async (_what, answer, told) => {
  const origin = await serveRaw((socket) => socket.end(answer));
  const { ask, connections } = transport();
  expect(await ask({ origin })).toMatchObject(told);
  await waitUntil({ timeoutMs: 5_000, describe: () => 'The connection is still open' }, () => connections().open === 0);
});

test.each<[what: string, answer: string, request: Partial<HttpRequest>]>([
  ['an answer with more behind it', `${counted('one')}HTTP/1.1 200 OK\r\n`, {}],
  ['two answers at once', counted('one') + counted('two'), {}],
  ['an answer that announces the end', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\none', {}],
  ['an answer to a request that announced the end', counted('one'), { headers: { connection: 'close' } }],
])('%s stands, but its connection is used no more', async (_what, answer, request) => {
  let sockets = 0;
  const origin = await serveRaw(
    (socket) => socket.write(answer),
    () => {
      sockets += 1;
    },
  );
  const { ask } = transport();
  for (let times = 1; times <= 3; times += 1) {
    expect(await ask({ origin, ...request })).toMatchObject({ kind: 'answered', text: 'one' });
    expect(sockets).toBe(times);
  }
});

test('what comes unasked on a free connection ends it, and is nobody’s answer', async () => {
  const sockets: Socket[] = [];
  const origin = await serveRaw(
    (socket, id) => socket.write(counted(id)),
    (socket) => sockets.push(socket),
  );
  const { ask, connections } = transport();
  await ask({ origin, path: '/1' });
  sockets[0]?.write(counted('/0'));
  await waitUntil({ timeoutMs: 5_000, describe: () => 'The connection is still open' }, () => connections().open === 0);
  expect(await ask({ origin, path: '/2' })).toMatchObject({ text: '/2' });
  expect(sockets).toHaveLength(2);
});

test.each<[what: string, fault: (socket: Socket) => void, told: { kind: string; code?: string }]>([
  ['resets', (socket) => void socket.resetAndDestroy(), { kind: 'broken', code: 'ECONNRESET' }],
  ['closes', (socket) => void socket.end(), { kind: 'broken', code: 'ECONNRESET' }],
  [
    'closes in the middle of',
    (socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n/'),
    { kind: 'broken', code: 'ECONNRESET' },
  ],
  ['never answers', () => {}, { kind: 'timedOut' }],
  ['answers too late', (socket) => void setTimeout(() => socket.write(counted('late')), 1_030), { kind: 'timedOut' }],
])('a server that %s every 50th request: counts are exact, and every answer reaches who asked', async (_what, fault, told) => {
  let asked = 0;
  const origin = await serveRaw((socket, id) => {
    asked += 1;
    if (asked % 50 === 0) return fault(socket);
    return setTimeout(() => socket.write(counted(id)), asked % 7);
  });
  const { ask, connections } = transport({ timeoutMs: 1_000 });
  const replies = await Promise.all(
    Array.from({ length: 100 }, async (_, shopper) => {
      const own: Reply[] = [];
      for (let times = 0; times < 10; times += 1) {
        const path = `/${shopper}/${times}`;
        const reply = await ask({ origin, path });
        if (reply.kind === 'answered') expect(reply.text).toBe(path);
        own.push(reply);
      }
      return own;
    }),
  );
  expect(asked).toBe(1_000);
  const bad = replies.flat().filter(({ kind }) => kind !== 'answered');
  expect(bad).toHaveLength(20);
  for (const reply of bad) expect(reply).toMatchObject(told);
  expect(connections().peak).toBeLessThanOrEqual(200);
});

test('a server that closes connections just when they are wanted again breaks requests, but never mixes them up', async () => {
  const origin = await serveRaw((socket, id) => {
    socket.write(counted(id));
    setTimeout(() => socket.end(), 2);
  });
  const { ask } = transport();
  const kinds = new Set<string>();
  const shop = async (shopper: number) => {
    for (let times = 0; times < 60; times += 1) {
      const path = `/${shopper}/${times}`;
      const reply = await ask({ origin, path });
      kinds.add(reply.kind);
      if (reply.kind === 'answered') expect(reply.text).toBe(path);
      else expect(reply).toMatchObject({ kind: 'broken', code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) });
      await new Promise((resolve) => setTimeout(resolve, 1 + (times % 3)));
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, shopper) => shop(shopper)));
  expect(kinds).toContain('answered');
  expect(kinds).not.toContain('timedOut');
});

test('a request in time is answered, one that is late ends exactly when its time is up', async () => {
  const origin = await serveRaw((socket, id) => (id === '/hangs' ? undefined : socket.write(counted(id))));
  const { ask } = transport({ timeoutMs: 100 });
  const replies = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const fromMs = performance.now();
      const reply = await ask({ origin, path: '/hangs' });
      return { reply, fromMs, toMs: performance.now() };
    }),
  );
  for (const { reply, fromMs, toMs } of replies) {
    expect(reply).toMatchObject({ kind: 'timedOut', firstByteMs: Number.NaN });
    expect(reply.writtenMs).toBeGreaterThan(fromMs);
    expect(reply.endedMs).toBeGreaterThanOrEqual(fromMs + 100);
    expect(reply.endedMs).toBeLessThanOrEqual(toMs);
  }
  expect(await ask({ origin, path: '/answers' })).toMatchObject({ text: '/answers' });
});

test('an answer that comes too late is too late, also when nobody has looked at the time since', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  let nowMs = 1_000;
  let arrived: Socket | undefined;
  const origin = await serveRaw((socket) => {
    arrived = socket;
  });
  const { ask } = transport({ timeoutMs: 100, now: () => nowMs });
  for (const finish of [
    (socket: Socket) => socket.write(counted('late')),
    (socket: Socket) => socket.end(),
    (socket: Socket) => socket.resetAndDestroy(),
  ]) {
    arrived = undefined;
    const sentMs = nowMs;
    const reply = ask({ origin });
    const socket = await waitUntil({ timeoutMs: 5_000, everyMs: 1, describe: () => 'Nothing arrived' }, () => arrived);
    nowMs += 101;
    finish(socket);
    expect(await reply).toMatchObject({ kind: 'timedOut', writtenMs: sentMs, endedMs: sentMs + 100 });
  }
});

test('connections grow with demand, and the warmest is used first', async () => {
  const waiting: (() => void)[] = [];
  const ports: (number | undefined)[] = [];
  const origin = await serveRaw((socket, id) => {
    ports.push(socket.remotePort);
    if (id === '/waits') waiting.push(() => socket.write(counted(id)));
    else socket.write(counted(id));
  });
  const { ask, connections } = transport();
  const replies = Array.from({ length: 500 }, () => ask({ origin, path: '/waits' }));
  await waitUntil({ timeoutMs: 5_000, describe: () => `Only ${waiting.length} arrived` }, () => waiting.length === 500);
  expect(connections()).toEqual({ open: 500, peak: 500 });
  for (const answer of waiting) answer();
  await Promise.all(replies);
  await ask({ origin, path: '/next' });
  const warmest = ports.at(-1);
  for (let times = 0; times < 3; times += 1) await ask({ origin, path: '/next' });
  expect(ports.slice(-3)).toEqual([warmest, warmest, warmest]);
  expect(connections()).toEqual({ open: 500, peak: 500 });
});

test('a free connection that the server closes is gone at once', async () => {
  const sockets: Socket[] = [];
  const origin = await serveRaw(
    (socket, id) => socket.write(counted(id)),
    (socket) => sockets.push(socket),
  );
  const { ask, connections } = transport({ idleMs: 60_000 });
  await ask({ origin });
  sockets[0]?.end();
  await waitUntil({ timeoutMs: 5_000, everyMs: 1, describe: () => 'The connection is still open' }, () => connections().open === 0);
  expect(await ask({ origin })).toMatchObject({ kind: 'answered' });
  expect(sockets).toHaveLength(2);
});

test('a connection that stays free is closed in time', async () => {
  const origin = await serveRaw((socket, id) => socket.write(counted(id)));
  const { ask, connections } = transport({ idleMs: 100 });
  const fromMs = performance.now();
  expect(await ask({ origin })).toMatchObject({ kind: 'answered' });
  await waitUntil({ timeoutMs: 5_000, everyMs: 1, describe: () => 'The connection is still open' }, () => connections().open === 0);
  expect(performance.now() - fromMs).toBeGreaterThan(100);
  expect(await ask({ origin })).toMatchObject({ kind: 'answered' });
  expect(connections().peak).toBe(1);
});

test('a server that is not there is told apart', async () => {
  const { ask, connections } = transport();
  const origin = await closedPort();
  expect(await ask({ origin })).toMatchObject({ kind: 'broken', code: 'ECONNREFUSED', writtenMs: Number.NaN });
  await waitUntil({ timeoutMs: 5_000, describe: () => 'The connection is still open' }, () => connections().open === 0);
});

test.each([
  '127.0.0.1:80',
  'ftp://127.0.0.1',
  'http://127.0.0.1/path',
  'http://127.0.0.1/',
  'http://a:b@127.0.0.1',
  'http://',
  'http://127.0.0.1:x',
])("'%s' is no origin", (origin) => {
  expect(() => transport().send({ ...plain, origin }, () => {})).toThrow(
    new TypeError(`Expected an origin such as 'http://127.0.0.1:8080', got '${origin}'`),
  );
});

test('close ends what is under way, and leaves no connection', async () => {
  const origin = await serveRaw((socket, id) => (id === '/hangs' ? undefined : socket.write(counted(id))));
  const { send, ask, connections, close } = transport();
  await ask({ origin });
  const hanging = [ask({ origin, path: '/hangs' }), ask({ origin, path: '/hangs' })];
  await close();
  expect(connections().open).toBe(0);
  for (const reply of await Promise.all(hanging)) expect(reply).toMatchObject({ kind: 'broken', code: 'ECLOSED' });
  expect(() => send({ ...plain, origin }, () => {})).toThrow('The transport is closed');
  await close();
});

test('over TLS: connections are kept, and the server is told its name but not its address', async () => {
  const names: (string | false | null | undefined)[] = [];
  const origin = await serveSecurely(names);
  trust(certificate);
  const { ask, connections } = transport();
  for (const to of [origin, origin.replace('127.0.0.1', 'localhost')]) {
    for (let times = 0; times < 3; times += 1) {
      const reply = answered(await ask({ origin: to, method: 'POST', path: '/echo', body: 'x'.repeat(200_000) }));
      expect(reply.text).toBe('POST /echo 200000');
      expect(reply.writtenMs).toBeLessThanOrEqual(reply.firstByteMs);
    }
  }
  expect(names).toEqual([false, 'localhost']);
  expect(connections()).toEqual({ open: 2, peak: 2 });
});

test('over TLS: a server that cannot prove who it is gets no request, unless that was waived', async () => {
  const names: (string | false | null | undefined)[] = [];
  const origin = await serveSecurely(names);
  expect(await transport().ask({ origin })).toMatchObject({ kind: 'broken', code: 'DEPTH_ZERO_SELF_SIGNED_CERT', writtenMs: Number.NaN });
  expect(await transport({ insecure: true }).ask({ origin })).toMatchObject({ kind: 'answered', text: 'GET / 0' });
});

test('over TLS: connecting counts against the time limit', async () => {
  // It accepts, and never says a word.
  const origin = (await serveRaw(() => {})).replace('http', 'https');
  const { ask, connections } = transport({ timeoutMs: 80 });
  expect(await ask({ origin })).toMatchObject({ kind: 'timedOut', writtenMs: Number.NaN });
  await waitUntil({ timeoutMs: 5_000, describe: () => 'The connection is still open' }, () => connections().open === 0);
});

const plain = { method: 'GET', path: '/', readsBody: true };

/** A transport that is closed with the test. */
function transport(
  options: Partial<Parameters<typeof createHttpTransport>[0]> = {},
): Transport<HttpRequest> & { ask: (request: Partial<HttpRequest> & { origin: string }) => Promise<Reply> } {
  const made = createHttpTransport({ timeoutMs: 10_000, idleMs: 60_000, now: () => performance.now(), ...options });
  onTestFinished(() => made.close());
  return { ...made, ask: (request) => new Promise((resolve) => void made.send({ ...plain, ...request }, resolve)) };
}

function answered(reply: Reply) {
  if (reply.kind !== 'answered') throw new Error(`Expected an answer, got ${JSON.stringify(reply)}`);
  return reply;
}

function counted(body: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

function serve(listener: RequestListener): Promise<string> {
  return listen(createHttpServer({ keepAliveTimeout: 60_000 }, listener));
}

/** Calls back with the path of each request. A request must come in one piece, as all small ones do on loopback. */
function serveRaw(answer: (socket: Socket, id: string) => unknown, onSocket: (socket: Socket) => void = () => {}): Promise<string> {
  return listen(
    createServer({ allowHalfOpen: false, noDelay: true }, (socket) => {
      onSocket(socket);
      // Resets are what these tests are about.
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        const [, id] = /^\w+ (\S+)/.exec(bytes.toString('latin1')) ?? [];
        if (id !== undefined) answer(socket, id);
      });
    }),
  );
}

function serveSecurely(names: (string | false | null | undefined)[]): Promise<string> {
  const server = createHttpsServer({ key: privateKey, cert: certificate, keepAliveTimeout: 60_000 }, (request, response) => {
    let size = 0;
    request.on('data', (chunk) => {
      size += chunk.length;
    });
    request.on('end', () => response.end(`${request.method} ${request.url} ${size}`));
  });
  server.on('secureConnection', (socket: TLSSocket) => names.push(socket.servername));
  return listen(server).then((origin) => origin.replace('http', 'https'));
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
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closedPort(): Promise<string> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

function trust(certificate: string) {
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, certificate]);
  onTestFinished(() => setDefaultCACertificates(before));
}
