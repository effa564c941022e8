import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type Dispatcher, request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest';
import { type Held, heldIn } from '../../../bench/storm.ts';
import { startEmbedded } from '../../../chaos/embedded/start.ts';
import { waitUntil } from '../../../core/time.ts';

/** The server that a suite speaks to. One suite for all: the embedded one, and a real Toxiproxy where TOXIPROXY_URL names one or PATH has one. */
export type Server = { isEmbedded: boolean; controlUrl: string; call: Call };
export type Answer = { status: number; headers: Record<string, unknown>; text: string; json: unknown };
export type Call = (method: string, path: string, options?: { body?: unknown; headers?: Record<string, string> }) => Promise<Answer>;

const realUrl = process.env.TOXIPROXY_URL;
const realProgram = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'toxiproxy-server'))
  .find((file) => existsSync(file));

/** Runs the suite against each server. Each test begins and ends without proxies and without open sockets. */
export function describeEachServer(name: string, suite: (server: () => Server) => void): void {
  const kinds = [
    { kind: 'embedded', start: () => startEmbedded({ signal: AbortSignal.timeout(10_000), runtimeMetrics: true }) },
    ...realKinds(),
  ];
  describe.each(kinds)(`${name}, $kind server`, ({ kind, start }) => {
    let server: Server | undefined;
    let close = async () => {};

    beforeAll(async () => {
      const started = await start();
      close = started.close;
      server = { isEmbedded: kind === 'embedded', controlUrl: started.controlUrl, call: callsTo(started.controlUrl) };
    });
    beforeEach(() => removeProxies(serverNow()));
    afterEach(async () => {
      await removeProxies(serverNow());
      await closeAll();
    });
    afterAll(() => close());

    suite(serverNow);

    function serverNow(): Server {
      if (server === undefined) throw new Error('The server is known only within tests');
      return server;
    }
  });
}

type Started = { controlUrl: string; close(): Promise<void> };

function realKinds(): { kind: string; start: () => Promise<Started> }[] {
  if (realUrl !== undefined) return [{ kind: 'real', start: async () => ({ controlUrl: realUrl, close: async () => {} }) }];
  return realProgram === undefined ? [] : [{ kind: 'real', start: () => startReal(realProgram) }];
}

async function startReal(program: string): Promise<Started> {
  const address = await deadAddress();
  const [host = '', port = ''] = address.split(':');
  const child = spawn(program, ['-host', host, '-port', port, '-proxy-metrics'], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  await waitUntil({ timeoutMs: 10_000, describe: () => `${program} did not listen on ${address}` }, async () => {
    return (await dialResult(address)) === 'connected';
  });
  return {
    controlUrl: `http://${address}`,
    async close() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function removeProxies({ call }: Server): Promise<void> {
  const { json } = await call('GET', '/proxies');
  for (const name of Object.keys(json as object)) await call('DELETE', `/proxies/${encodeURIComponent(name)}`);
}

function callsTo(controlUrl: string): Call {
  return async function call(method, path, { body, headers = {} } = {}) {
    const answer = await request(new URL(path, controlUrl), {
      method: method as Dispatcher.HttpMethod,
      headers,
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, headers: answer.headers, text, json: jsonIn(text) };
  };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the embedded server's process holds: sockets, timers. */
export const heldBy = async ({ call }: Server): Promise<Held> => heldIn((await call('GET', '/metrics')).text);

/** A proxy in front of `upstream`, and the address that clients use. */
export async function createProxy(server: Server, upstream: string, name = 'p'): Promise<string> {
  const { status, json } = await server.call('POST', '/proxies', { body: { name, upstream, listen: '127.0.0.1:0' } });
  expect(status).toBe(201);
  return (json as { listen: string }).listen;
}

/** Adds a toxic to proxy `p`, named as its type, and answers once it is in place on every connection. */
export async function addToxic(server: Server, type: string, attributes: Record<string, number>, more: object = {}): Promise<void> {
  const { status, text } = await server.call('POST', '/proxies/p/toxics', { body: { name: type, type, attributes, ...more } });
  expect(text).toContain(type);
  expect(status).toBe(200);
}

export async function updateToxic(server: Server, name: string, body: object): Promise<void> {
  expect((await server.call('POST', `/proxies/p/toxics/${name}`, { body })).status).toBe(200);
}

export async function removeToxic(server: Server, name: string): Promise<void> {
  expect((await server.call('DELETE', `/proxies/p/toxics/${name}`)).status).toBe(204);
}

/** One end of a connection, with all that arrived at it and when, in milliseconds of `performance.now()`. */
export type Peer = {
  socket: Socket;
  arrivals: { bytes: Buffer; atMs: number }[];
  /** Everything so far. */
  received(): Buffer;
  /** Counts from here on. */
  forget(): void;
  /** When as many bytes were there. */
  hasReceived(bytes: number): Promise<number>;
  /** How and when the other side ended it. */
  ended(): Promise<{ how: 'eof' | 'reset'; atMs: number }>;
  hasEnded(): boolean;
};

const open: { close(): Promise<void> }[] = [];

/** Closes every connection and upstream that a test opened. */
export async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map((one) => one.close()));
}

export async function connectTo(address: string): Promise<Peer> {
  const socket = dial(address);
  await once(socket, 'connect');
  return peerOf(socket);
}

/** Resolves with the error's code, or with `connected`. */
export async function dialResult(address: string): Promise<string> {
  const socket = dial(address);
  try {
    await once(socket, 'connect');
    return 'connected';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? '';
  }
}

function dial(address: string): Socket {
  const { hostname, port } = new URL(`tcp://${address}`);
  const socket = connect({ host: hostname.replace(/[[\]]/g, ''), port: Number(port), allowHalfOpen: true, noDelay: true });
  open.push({ close: async () => void socket.destroy() });
  return socket;
}

/** An upstream on a free port: `onPeer` is what it does with each connection; without it, it echoes. */
export async function startUpstream(
  onPeer: (peer: Peer) => void = echo,
): Promise<{ address: string; peers: Peer[]; nextPeer(): Promise<Peer> }> {
  const peers: Peer[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const peer = peerOf(socket);
    peers.push(peer);
    onPeer(peer);
    server.emit('peer', peer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push({
    async close() {
      server.close();
      for (const { socket } of peers) socket.destroy();
    },
  });
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, peers, nextPeer: async () => (await once(server, 'peer'))[0] as Peer };
}

export function echo({ socket }: Peer): void {
  socket.pipe(socket);
}

/** An address where nobody listens. */
export async function deadAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${port}`;
}

export function peerOf(socket: Socket): Peer {
  const arrivals: Peer['arrivals'] = [];
  let end: { how: 'eof' | 'reset'; atMs: number } | undefined;
  let bytes = 0;
  const news = (): Promise<unknown> => once(socket, 'news');
  const endAs = (how: 'eof' | 'reset') => {
    end ??= { how, atMs: performance.now() };
    socket.emit('news');
  };
  socket.on('data', (chunk: Buffer) => {
    arrivals.push({ bytes: chunk, atMs: performance.now() });
    bytes += chunk.length;
    socket.emit('news');
  });
  socket.on('end', () => endAs('eof'));
  socket.on('error', () => endAs('reset'));
  return {
    socket,
    arrivals,
    received: () => Buffer.concat(arrivals.map((arrival) => arrival.bytes)),
    forget() {
      arrivals.length = 0;
      bytes = 0;
    },
    async hasReceived(wanted) {
      while (bytes < wanted) {
        if (end !== undefined) throw new Error(`Expected ${wanted} bytes, got ${bytes} and the end`);
        await news();
      }
      return arrivedMs(arrivals, wanted);
    },
    async ended() {
      while (end === undefined) await news();
      return end;
    },
    hasEnded: () => end !== undefined,
  };
}

function arrivedMs(arrivals: Peer['arrivals'], wanted: number): number {
  let bytes = 0;
  for (const arrival of arrivals) {
    bytes += arrival.bytes.length;
    if (bytes >= wanted) return arrival.atMs;
  }
  return Number.NaN;
}

export const now = () => performance.now();

/** Writes, and answers when. */
export function write({ socket }: Peer, data: string | Buffer): number {
  const atMs = performance.now();
  socket.write(data);
  return atMs;
}

/** Sends `text` and answers how long its echo took, in ms. */
export async function roundTripMs(peer: Peer, text = 'x'): Promise<number> {
  const before = peer.received().length;
  const sentMs = write(peer, text);
  return (await peer.hasReceived(before + text.length)) - sentMs;
}

/**
 * For a test with an upper bound on real time, each with sockets and proxies of its own. A machine that has other things to do makes everything late,
 * so it may try again; what is early is never the machine's fault.
 */
export const onRealTime = { retry: { count: 9, condition: ({ message }: { message: string }) => !message.startsWith(early) } };
const early = 'Earlier than it should be';

/** Late by up to `lateMs`, since the machine has other things to do; never early. */
export function expectAbout(actualMs: number, expectedMs: number, lateMs = 100): void {
  expect(actualMs, early).toBeGreaterThanOrEqual(expectedMs - 2);
  expect(actualMs).toBeLessThanOrEqual(expectedMs + lateMs);
}
