import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { type Random, seededRandom } from '../core/random.ts';
import { waitUntil } from '../core/time.ts';

/** What a storm left behind, a sentence for each thing, and what went on in it. */
export type StormSeen = { leftovers: string[]; slowestCallMs: number; calls: number; connections: number; echoedBytes: number };

/**
 * For `lastsMs` toxics of every type come, change and go in both directions of a proxy, which itself is switched off and on, while connections
 * short and long talk through it to an echo. Then all is taken away again, and what has not gone with it is a leftover: toxics, bytes that come
 * late or wrong, connections, sockets and timers. The server at `controlUrl` tells of its runtime and is used by nobody else meanwhile.
 */
export async function playStorm({ controlUrl, seed, lastsMs }: { controlUrl: string; seed: number; lastsMs: number }): Promise<StormSeen> {
  await using undo = new AsyncDisposableStack();
  const seen: StormSeen = { leftovers: [], slowestCallMs: 0, calls: 0, connections: 0, echoedBytes: 0 };
  const call = openCalls(controlUrl, seen, undo);
  const echo = await startEcho(undo);
  const heldBefore = await heldBy(call);
  const { listen } = JSON.parse(await call('POST', '/proxies', { name: 'p', listen: '127.0.0.1:0', upstream: echo.address })) as Proxy;
  undo.defer(async () => void (await call('DELETE', '/proxies/p', undefined, [204, 404])));

  const clients = new Set<Socket>();
  const untilMs = performance.now() + lastsMs;
  const meanwhile = (name: string, step: (random: Random) => Promise<unknown>, atOnce = 1) =>
    Array.from({ length: atOnce }, async (_, index) => {
      const random = randomFor(`${name} ${index}`, seed);
      while (performance.now() < untilMs) await step(random);
    });
  await Promise.all([
    ...meanwhile('change', (random) => change(call, echo.address, random)),
    ...meanwhile('short', (random) => talk(listen, { random, seen, clients, longestMs: 60 }), 6),
    ...meanwhile('long', (random) => talk(listen, { random, seen, clients, longestMs: lastsMs }), 3),
    // What is still open when the storm is over has to live on.
    ...meanwhile('staying', async (random) => {
      clients.add(await dial(listen, seen));
      await sleep(upTo(random, lastsMs / 3));
    }),
  ]);
  for (const { name } of await toxicsIn(call)) await call('DELETE', `/proxies/p/toxics/${name}`, undefined, [204]);
  await call('PATCH', '/proxies/p', { enabled: true, upstream: echo.address });

  const isGone = async (what: string, probe: () => Promise<boolean> | boolean, found: () => string) => {
    const describe = () => `storm ${seed}: ${what}, got ${found()}`;
    await waitUntil({ timeoutMs: 5_000, describe }, probe).catch((error: Error) => seen.leftovers.push(error.message));
  };
  const shown = JSON.parse(await call('GET', '/proxies')) as Record<string, Proxy>;
  if (shown.p?.enabled !== true || shown.p.toxics.length > 0)
    seen.leftovers.push(`storm ${seed}: expected a plain proxy, got ${JSON.stringify(shown)}`);
  seen.leftovers.push(...(await echoFaults(listen, seen)).map((fault) => `storm ${seed}: ${fault}`));

  let open = Number.NaN;
  const isOpen = (wanted: () => number) => async () => {
    open = await connectionsOf(call);
    return open === wanted();
  };
  const staying = () => [...clients].filter((client) => !client.destroyed).length;
  await isGone('expected as many connections as clients hold', isOpen(staying), () => `${open} for ${staying()}`);
  for (const client of clients) client.destroy();
  await isGone(
    'expected no connection',
    isOpen(() => 0),
    () => `${open}`,
  );
  await isGone(
    'expected the upstream to be left alone',
    () => echo.open() === 0,
    () => `${echo.open()} connections`,
  );

  let held: Held = {};
  const isHeldAsBefore = (listeners: number) => async () => {
    held = await heldBy(call);
    return differences(heldBefore, { ...held, TCPServerWrap: (held.TCPServerWrap ?? 0) - listeners }).length === 0;
  };
  // While the proxy is there: its removal would end what it has forgotten.
  await isGone('expected as much as before and a listener', isHeldAsBefore(1), () => differences(heldBefore, held).join());
  await call('DELETE', '/proxies/p', undefined, [204]);
  await isGone('expected as much as before', isHeldAsBefore(0), () => differences(heldBefore, held).join());
  return seen;
}

/** How many active resources of each type (`TCPSocketWrap`, `Timeout`) a process has, by its metrics. */
export type Held = Readonly<Record<string, number>>;

export function heldIn(metrics: string): Held {
  return Object.fromEntries(
    [...metrics.matchAll(/^nodejs_active_resources\{type="(\w+)"\} (\d+)$/gm)].map(([, type, count]) => [type, Number(count)]),
  );
}

/** Which types there are more or fewer of than before, with both counts. */
export function differences(before: Held, after: Held): string[] {
  const types = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = types.filter((type) => (before[type] ?? 0) !== (after[type] ?? 0));
  return changed.map((type) => `${type} ${before[type] ?? 0} -> ${after[type] ?? 0}`);
}

type Proxy = { listen: string; enabled: boolean; toxics: { name: string }[] };
type Call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown, wanted?: readonly number[]) => Promise<string>;

/** One call after the other over one connection, so that the server holds the same before and after. */
function openCalls(controlUrl: string, seen: StormSeen, undo: AsyncDisposableStack): Call {
  const pool = new Pool(controlUrl, { connections: 1, headersTimeout: 10_000, bodyTimeout: 10_000 });
  undo.defer(() => pool.close());
  return async function call(method, path, body, wanted = [200, 201]) {
    const startMs = performance.now();
    const answer = await pool.request({ method, path, body: body === undefined ? null : JSON.stringify(body) });
    const text = await answer.body.text();
    seen.slowestCallMs = Math.max(seen.slowestCallMs, performance.now() - startMs);
    seen.calls += 1;
    if (!wanted.includes(answer.statusCode)) seen.leftovers.push(`${method} ${path} was answered with ${answer.statusCode}: ${text}`);
    return text;
  };
}

const heldBy = async (call: Call) => heldIn(await call('GET', '/metrics'));
const toxicsIn = async (call: Call) => JSON.parse(await call('GET', '/proxies/p/toxics')) as Proxy['toxics'];
const connectionsOf = async (call: Call) =>
  Number(/^stampede_proxy_connections\{proxy="p"\} (\d+)$/m.exec(await call('GET', '/metrics'))?.[1]);

async function change(call: Call, upstream: string, random: Random): Promise<void> {
  const name = `t${upTo(random, 6)}`;
  const [type, attributes] = anyToxic(random);
  const toxicity = random() < 0.5 ? 1 : random();
  await oneOf(random, [
    () =>
      call(
        'POST',
        '/proxies/p/toxics',
        { name, type, attributes, toxicity, stream: oneOf(random, ['upstream', 'downstream']) },
        [200, 409],
      ),
    // The attributes of another type are dropped.
    () => call('PATCH', `/proxies/p/toxics/${name}`, { attributes, toxicity }, [200, 404]),
    () => call('DELETE', `/proxies/p/toxics/${name}`, undefined, [204, 404]),
    () => call('PATCH', '/proxies/p', { enabled: random() < 0.7, upstream: random() < 0.8 ? upstream : nobody }),
  ])();
  await sleep(upTo(random, 30));
}

/** Nobody listens there. */
const nobody = '127.0.0.1:1';

const anyToxic = (random: Random): [string, Record<string, number>] =>
  oneOf(random, [
    ['latency', { latency: anyWaitMs(random), jitter: upTo(random, 100) }],
    ['bandwidth', { rate: upTo(random, 5) * 100 }],
    ['slow_close', { delay: anyWaitMs(random) }],
    ['timeout', { timeout: anyWaitMs(random) }],
    ['reset_peer', { timeout: anyWaitMs(random) }],
    ['slicer', { average_size: upTo(random, 1_000), size_variation: upTo(random, 1_000), delay: anyWaitMs(random) * 20 }],
    ['limit_data', { bytes: upTo(random, 30_000) }],
    ['noop', {}],
  ]);

/** None, a short one, or one that only a removal ends: its timer would be seen long after. */
const anyWaitMs = (random: Random) => oneOf(random, [0, upTo(random, 100), upTo(random, 100), 3_600_000]);

type Talk = { random: Random; seen: StormSeen; clients: Set<Socket>; longestMs: number };

/** Connects, writes now and then, and leaves in any way there is; or is shown the door. */
async function talk(address: string, { random, seen, clients, longestMs }: Talk): Promise<void> {
  const socket = await dial(address, seen);
  clients.add(socket);
  const untilMs = performance.now() + upTo(random, longestMs);
  while (!socket.destroyed && performance.now() < untilMs) {
    socket.write(Buffer.alloc(1 + upTo(random, 10_000)));
    await sleep(upTo(random, 10));
  }
  oneOf(random, [() => socket.destroy(), () => socket.resetAndDestroy(), () => socket.destroySoon()])();
  if (!socket.closed) await Promise.race([once(socket, 'close').catch(() => {}), sleep(200)]);
  socket.destroy();
  clients.delete(socket);
}

/** A connection that counts what comes back; it closes when the other side does. A proxy that is off refuses it, which is as good as an end. */
async function dial(address: string, seen: StormSeen): Promise<Socket> {
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port), noDelay: true });
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    seen.echoedBytes += bytes.length;
  });
  await once(socket, 'connect').then(
    () => {
      seen.connections += 1;
    },
    () => sleep(5),
  );
  return socket;
}

const promptMs = 1_000;

/** What is wrong with an echo on a new connection. */
async function echoFaults(address: string, seen: StormSeen): Promise<string[]> {
  const sent = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, index) => index % 251));
  const socket = await dial(address, seen);
  const parts: Buffer[] = [];
  const startMs = performance.now();
  socket.on('data', (part) => parts.push(part));
  socket.write(sent);
  const received = () => Buffer.concat(parts);
  const describe = () =>
    `expected ${sent.length} bytes back within ${promptMs} ms, got ${received().length} in ${Math.round(performance.now() - startMs)} ms`;
  const late = await waitUntil({ timeoutMs: promptMs, everyMs: 5, describe }, () => received().length >= sent.length).then(
    () => [],
    (error: Error) => [error.message],
  );
  socket.destroy();
  return late.length > 0 || received().equals(sent) ? late : ['expected the bytes that were sent, got others'];
}

async function startEcho(undo: AsyncDisposableStack): Promise<{ address: string; open(): number }> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.defer(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, open: () => sockets.size };
}

const upTo = (random: Random, below: number) => Math.floor(random() * below);

function oneOf<T>(random: Random, items: readonly T[]): T {
  return items[upTo(random, items.length)] as T;
}

function randomFor(name: string, seed: number): Random {
  let hash = seed;
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return seededRandom(hash);
}
