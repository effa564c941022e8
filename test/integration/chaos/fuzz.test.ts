import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { differences, heldIn } from '../../../bench/storm.ts';
import { type EmbeddedServer, startEmbedded } from '../../../chaos/embedded/start.ts';
import { type Random, seededRandom } from '../../../core/random.ts';
import { waitUntil } from '../../../core/time.ts';

/** `FUZZ_SECONDS=60 FUZZ_SEED=7` for a long run, or the same one again. */
const lastsMs = Number(process.env.FUZZ_SECONDS ?? 6) * 1_000;
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);

test(`whatever it is told and whoever connects, the server stays, answers and loses no byte, seed ${seed}`, {
  timeout: lastsMs + 60_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stampede-fuzz-'));
  const logFile = join(folder, 'server.log');
  const server = await startEmbedded({ signal: AbortSignal.timeout(10_000), logFile, runtimeMetrics: true });
  const agent = new Agent({ connections: 16 });
  const onlyAgent = new Agent({ connections: 1 });
  const upstreams = await Promise.all([startUpstream(seed, echo), startUpstream(seed + 1, misbehave)]);
  onTestFinished(async () => {
    for (const upstream of upstreams) upstream.close();
    await Promise.all([agent.destroy(), onlyAgent.destroy()]);
    await server.close();
    rmSync(folder, { recursive: true });
  });
  const [faithful, moody] = upstreams;
  const callAlone = callsTo(server, onlyAgent);
  const heldBefore = heldIn((await callAlone('GET', '/metrics')).text);
  const filesBefore = openFilesOf(server);
  const call = callsTo(server, agent);
  const created = await call('POST', '/proxies', { name: 'clean', listen: '127.0.0.1:0', upstream: faithful.address });
  const { listen } = JSON.parse(created.text) as { listen: string };

  const untilMs = performance.now() + lastsMs;
  const until = (name: string, step: (random: Random) => Promise<unknown>, atOnce = 1) =>
    Array.from({ length: atOnce }, async (_, index) => {
      const random = randomFor(`${name} ${index}`);
      let steps = 0;
      for (; performance.now() < untilMs; steps += 1) await step(random);
      return { name, steps };
    });
  const probes: Probe[] = [];
  const work = await Promise.all([
    ...until('probe', async () => {
      probes.push(await probe(call));
      await sleep(20);
    }),
    ...until('faithful client', (random) => exchange(listen, random), 4),
    ...until('lossless toxics', (random) => changeLosslessly(call, random)),
    ...until('any call', (random) => callAnything(call, { listen, moody: moody.address }, random), 2),
    ...until('bad request', (random) => sendRubbish(server, random)),
    ...until('moody client', (random) => behaveBadly(call, random), 4),
  ]);

  // Everybody was there, or nothing was tried.
  for (const { name, steps } of work) expect(steps, name).toBeGreaterThan(5);
  expect(Math.max(...probes.map(({ tookMs }) => tookMs))).toBeLessThan(2_000);
  const hung = probes.filter(({ tookMs, ownDelayMs }) => tookMs - ownDelayMs > 100);
  // Others use this machine too: a process that is not scheduled does not hang.
  expect(hung.length, JSON.stringify(hung)).toBeLessThanOrEqual(probes.length * 0.02);

  expect((await call('POST', '/reset')).status).toBeOneOf([204, 500]);
  for (const upstream of upstreams) upstream.close();
  let connections = Number.NaN;
  await waitUntil({ timeoutMs: 10_000, describe: () => `Expected every connection to end, ${connections} are open` }, async () => {
    const { text } = await callAlone('GET', '/metrics');
    connections = [...text.matchAll(/^stampede_proxy_connections\{.*\} (\d+)$/gm)].reduce((sum, [, open]) => sum + Number(open), 0);
    return connections === 0;
  });
  await agent.close();
  const listeners = Object.values(JSON.parse((await callAlone('GET', '/proxies')).text) as { enabled: boolean }[]).filter(
    ({ enabled }) => enabled,
  );
  let leftovers: string[] = [];
  // While the proxies are there: their removal would end what they have forgotten.
  await waitUntil({ timeoutMs: 10_000, describe: () => `Expected what there was and listeners, got ${leftovers.join()}` }, async () => {
    const { TCPServerWrap = 0, ...held } = heldIn((await callAlone('GET', '/metrics')).text);
    leftovers = differences(heldBefore, { ...held, TCPServerWrap: TCPServerWrap - listeners.length });
    return leftovers.length === 0;
  });
  for (const name of Object.keys(JSON.parse((await callAlone('GET', '/proxies')).text) as object)) {
    if (!name.includes('/')) expect((await callAlone('DELETE', `/proxies/${encodeURIComponent(name)}`)).status).toBe(204);
  }
  await waitUntil(
    { timeoutMs: 10_000, describe: () => `Expected ${filesBefore} open files again, got ${openFilesOf(server)}` },
    () => openFilesOf(server) === filesBefore,
  );
  expect(readFileSync(logFile, 'utf8')).toBe('');
});

type Call = (method: string, path: string, body?: unknown) => Promise<{ status: number; text: string }>;
type Probe = { tookMs: number; ownDelayMs: number };

/** How long a call takes, and how long this process itself was held up meanwhile. */
async function probe(call: Call): Promise<Probe> {
  const startMs = performance.now();
  let lastMs = startMs;
  let ownDelayMs = 0;
  const watch = setInterval(() => {
    ownDelayMs = Math.max(ownDelayMs, performance.now() - lastMs);
    lastMs = performance.now();
  }, 1);
  expect((await call('GET', '/version')).status).toBe(200);
  clearInterval(watch);
  return { tookMs: performance.now() - startMs, ownDelayMs };
}

/** Sends bytes in random pieces, and wants the same bytes back. */
async function exchange(listen: string, random: Random): Promise<void> {
  const sent = Buffer.from(Uint8Array.from({ length: upTo(random, 20_000) + 1 }, () => upTo(random, 256)));
  const socket = dial(listen);
  const parts: Buffer[] = [];
  let bytes = 0;
  const all = new Promise<void>((resolve, reject) => {
    socket.on('data', (part) => {
      parts.push(part);
      bytes += part.length;
      if (bytes >= sent.length) resolve();
    });
    socket.on('close', () => reject(new Error(`The connection ended after ${bytes} of ${sent.length} bytes`)));
    setTimeout(() => reject(new Error(`${bytes} of ${sent.length} bytes came back within 20 s`)), 20_000).unref();
  });
  const writing = (async () => {
    for (let start = 0; start < sent.length; ) {
      const end = start + upTo(random, 5_000) + 1;
      socket.write(sent.subarray(start, end));
      start = end;
      if (random() < 0.3) await sleep(upTo(random, 5));
    }
  })();
  await Promise.all([all, writing]);
  expect(Buffer.concat(parts).equals(sent)).toBe(true);
  leave(socket, random);
}

async function changeLosslessly(call: Call, random: Random): Promise<void> {
  const toxic = oneOf(random, [
    { type: 'latency', attributes: { latency: upTo(random, 30), jitter: upTo(random, 30) } },
    { type: 'slicer', attributes: { average_size: 20 + upTo(random, 2_000), size_variation: upTo(random, 30), delay: upTo(random, 300) } },
    { type: 'bandwidth', attributes: { rate: 200 + upTo(random, 5_000) } },
    { type: 'slow_close', attributes: { delay: upTo(random, 50) } },
    { type: 'noop', attributes: {} },
  ]);
  const name = `t${upTo(random, 4)}`;
  const path = `/proxies/clean/toxics/${name}`;
  const stream = oneOf(random, ['upstream', 'downstream']);
  const answer = await oneOf(random, [
    () => call('POST', '/proxies/clean/toxics', { ...toxic, name, stream, toxicity: random() * 1.5 }),
    // The attributes of another kind are dropped, and its own stay what they were.
    () => call('PATCH', path, { attributes: toxic.attributes, toxicity: random() }),
    () => call('DELETE', path),
    () => call('GET', '/proxies/clean/toxics'),
  ])();
  expect([200, 204, 404, 409]).toContain(answer.status);
  await sleep(upTo(random, 10));
}

/** Any call with any values, on every proxy but the clean one; resetting and populating again do that one no harm. */
async function callAnything(call: Call, at: { listen: string; moody: string }, random: Random): Promise<void> {
  const name = `wild${upTo(random, 3)}`;
  const type = oneOf(random, ['latency', 'bandwidth', 'slow_close', 'timeout', 'reset_peer', 'slicer', 'limit_data', 'noop', 'down', '']);
  const number = () => oneOf(random, [0, -1, 1, upTo(random, 200), 1e15, -1e15, 1.5, '7', null]);
  const names = ['latency', 'jitter', 'rate', 'delay', 'timeout', 'average_size', 'size_variation', 'bytes'];
  const attributes = Object.fromEntries(names.map((attribute) => [attribute, number()]));
  const toxic = {
    type,
    name: `t${upTo(random, 3)}`,
    stream: oneOf(random, ['upstream', 'DOWNSTREAM', 'both', '']),
    toxicity: number(),
    attributes,
  };
  const upstream = oneOf(random, [at.moody, '127.0.0.1:1', 'nohost', '']);
  const listen = oneOf(random, ['127.0.0.1:0', '127.0.0.1:0', 'nohost', '127.0.0.1:99999', at.listen]);
  const wholesome = {
    type,
    name: toxic.name,
    stream: oneOf(random, ['upstream', 'downstream']),
    attributes: { [oneOf(random, names)]: upTo(random, 100) },
  };
  const answer = await oneOf(random, [
    () => call('POST', '/proxies', { name, listen: '127.0.0.1:0', upstream: at.moody }),
    () => call('POST', '/proxies', { name, listen, upstream }),
    () => call('PATCH', `/proxies/${name}`, { enabled: random() < 0.6, listen, upstream }),
    () => call('POST', `/proxies/${name}`, { enabled: random() < 0.6 }),
    () => call('DELETE', `/proxies/${name}`),
    () => call('POST', `/proxies/${name}/toxics`, toxic),
    () => call('POST', `/proxies/${name}/toxics`, wholesome),
    () => call('PATCH', `/proxies/${name}/toxics/${toxic.name}`, toxic),
    () => call('DELETE', `/proxies/${name}/toxics/${toxic.name}`),
    () => call('POST', '/populate', [{ name, listen, upstream }]),
    () =>
      call(
        oneOf(random, ['GET', 'PUT', 'OPTIONS']),
        oneOf(random, ['/proxies', '/reset', '/metrics', '/proxies/%ZZ', '//', '/proxies/__proto__']),
      ),
    () => (random() < 0.1 ? call('POST', '/reset') : call('GET', '/proxies')),
  ])();
  expect(answer.status).toBeLessThanOrEqual(500);
  await sleep(upTo(random, 5));
}

/** Bytes on the control port that are no request, or the start of one. */
async function sendRubbish({ controlUrl }: EmbeddedServer, random: Random): Promise<void> {
  const socket = dial(controlUrl.replace('http://', ''));
  const noise = Buffer.from(Uint8Array.from({ length: upTo(random, 500) }, () => upTo(random, 256)));
  const body = oneOf(random, [`{"name":"${'\\"'.repeat(20_000)}`, '['.repeat(50_000), '{"name":', noise.toString('latin1'), '{"name":{}}']);
  const path = oneOf(random, ['/proxies', '/populate', '/proxies/clean', '/proxies/clean/toxics']);
  const claimed = random() < 0.5 ? Buffer.byteLength(body) : upTo(random, 100_000);
  // A body that happens to say something would change the clean proxy.
  const refused = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${claimed}\r\n\r\n${body}`;
  socket.write(oneOf(random, [noise, refused, refused, `GET ${'/x'.repeat(5_000)} HTTP/1.1\r\n\r\n`, 'CONNECT a:1 HTTP/1.1\r\n\r\n']));
  await sleep(upTo(random, 30));
  leave(socket, random);
}

/** A client of one of the wild proxies, if there is one. */
async function behaveBadly(call: Call, random: Random): Promise<void> {
  const { status, text } = await call('GET', `/proxies/wild${upTo(random, 3)}`);
  const listen = status === 200 ? (JSON.parse(text) as { listen: string }).listen : '';
  if (!/:[1-9]\d*$/.test(listen) || listen.endsWith(':99999')) return sleep(5);
  const socket = dial(listen);
  if (random() < 0.3) socket.pause();
  for (let writes = upTo(random, 10); writes > 0 && !socket.destroyed; writes -= 1) {
    socket.write(Buffer.alloc(upTo(random, 100_000) + 1));
    await sleep(upTo(random, 10));
  }
  if (random() < 0.3) socket.end();
  await sleep(upTo(random, 100));
  leave(socket, random);
}

function leave(socket: Socket, random: Random): void {
  socket.removeAllListeners('close');
  if (random() < 0.3) socket.resetAndDestroy();
  else socket.destroy();
}

function dial(address: string): Socket {
  const [host = '', port = ''] = address.replace('[::]', '127.0.0.1').split(':');
  // How a connection ends is for those who wait for its bytes.
  return connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true }).on('error', () => {});
}

async function startUpstream(ownSeed: number, onSocket: (socket: Socket, random: Random) => void) {
  const random = seededRandom(ownSeed);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('close', () => sockets.delete(socket));
    onSocket(socket, random);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    address: `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function echo(socket: Socket): void {
  socket.on('data', (bytes) => socket.write(bytes));
}

function misbehave(socket: Socket, random: Random): void {
  oneOf(random, [
    () => echo(socket),
    () => socket.resume(),
    () => socket.pause(),
    () => socket.end('bye'),
    () => socket.resetAndDestroy(),
    () => socket.once('data', () => socket.resetAndDestroy()),
    () => socket.write(Buffer.alloc(upTo(random, 3_000_000))),
  ])();
}

function callsTo({ controlUrl }: EmbeddedServer, dispatcher: Agent): Call {
  return async function call(method, path, body) {
    const answer = await request(`${controlUrl}${path}`, {
      ...{ method: method as 'GET', dispatcher, headersTimeout: 5_000, bodyTimeout: 5_000 },
      body: body === undefined ? null : JSON.stringify(body),
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  };
}

const openFilesOf = ({ pid }: EmbeddedServer) => readdirSync(`/proc/${pid}/fd`).length;

const upTo = (random: Random, below: number) => Math.floor(random() * below);

function oneOf<T>(random: Random, items: readonly T[]): T {
  return items[upTo(random, items.length)] as T;
}

function randomFor(name: string): Random {
  let hash = seed;
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return seededRandom(hash);
}
