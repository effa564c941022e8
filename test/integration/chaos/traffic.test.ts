import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { differences, type Held } from '../../../bench/storm.ts';
import { waitUntil } from '../../../core/time.ts';
import {
  addToxic,
  connectTo,
  createProxy,
  deadAddress,
  describeEachServer,
  dialResult,
  expectAbout,
  heldBy,
  now,
  onRealTime,
  removeToxic,
  roundTripMs,
  type Server,
  startUpstream,
  write,
} from './support.ts';

describeEachServer('proxied traffic', (server) => {
  test('C30 passes bytes on unharmed and at once', onRealTime, async () => {
    const client = await connectTo(await createProxy(server(), (await startUpstream()).address));
    await roundTripMs(client);
    const startMs = now();
    for (let round = 0; round < 100; round += 1) await roundTripMs(client, `message-${String(round).padStart(4, '0')}`);
    expect((now() - startMs) / 200).toBeLessThan(1);
    expect(client.received().toString()).toContain('message-0099');
  });

  test.each(['127.0.0.1', 'localhost'])('carries large streams both ways without loss, upstream at %s', async (host) => {
    const sent = Buffer.from(Uint8Array.from({ length: 8_000_000 }, (_, index) => index % 251));
    const { address } = await startUpstream();
    const client = await connectTo(await createProxy(server(), address.replace('127.0.0.1', host)));
    client.socket.write(sent);
    await client.hasReceived(sent.length);
    expect(client.received().equals(sent)).toBe(true);
  });

  test('bytes that wait for a reader are those that were sent', async () => {
    // One after the other, so that some are taken at once, one in part, and some wait behind it.
    const pieces = Array.from({ length: 600 }, (_, index) => Buffer.alloc(20_000, index % 251));
    const upstream = await startUpstream(async ({ socket }) => {
      for (const piece of pieces) {
        socket.write(piece);
        await sleep(1);
      }
      socket.end();
    });
    const client = await connectTo(await createProxy(server(), upstream.address));
    client.socket.pause();
    await settled(() => upstream.peers[0]?.socket.bytesWritten);
    client.socket.resume();
    await client.ended();
    expect(client.received().equals(Buffer.concat(pieces))).toBe(true);
  });

  test('bytes that a toxic holds are those that were sent', async () => {
    const sent = Buffer.from(Uint8Array.from({ length: 4_000_000 }, (_, index) => index % 251));
    const client = await connectTo(await createProxy(server(), (await startUpstream()).address));
    await addToxic(server(), 'latency', { latency: 100 });
    client.socket.write(sent);
    await client.hasReceived(sent.length);
    expect(client.received().equals(sent)).toBe(true);
  });

  test('C31 an upstream where nobody listens shows as an end', onRealTime, async () => {
    const client = await connectTo(await createProxy(server(), await deadAddress()));
    const startMs = now();
    expect((await client.ended()).how).toBe('eof');
    expect(now() - startMs).toBeLessThan(500);
  });

  test('C32 the end of one direction ends both, after what was sent', async () => {
    const upstream = await startUpstream(() => {});
    const client = await connectTo(await createProxy(server(), upstream.address));
    client.socket.end('request');
    // The server has not ended its direction, and may still say something.
    expect((await client.ended()).how).toBe('eof');
    const [peer] = upstream.peers;
    peer?.socket.end('too late');
    expect(client.received()).toHaveLength(0);
    await peer?.ended();
    expect(peer?.received().toString()).toBe('request');
  });

  test("the server's last words arrive before its end", async () => {
    const upstream = await startUpstream(({ socket }) => void socket.end(Buffer.alloc(300_000, 'x')));
    const client = await connectTo(await createProxy(server(), upstream.address));
    await client.ended();
    expect(client.received()).toHaveLength(300_000);
  });

  test('C33 a reset of the server reaches the client as an end', async () => {
    const upstream = await startUpstream();
    const client = await connectTo(await createProxy(server(), upstream.address));
    await roundTripMs(client);
    upstream.peers[0]?.socket.resetAndDestroy();
    expect((await client.ended()).how).toBe('eof');
  });

  test('a reset does not overtake what was sent before it and still waits for room', async () => {
    const sent = 190_000;
    const upstream = await startUpstream(({ socket }) => void socket.once('data', () => socket.write(Buffer.alloc(sent))));
    const listen = await createProxy(server(), upstream.address);
    await addToxic(server(), 'bandwidth', { rate: 500 });
    const client = await connectTo(listen);
    write(client, 'go');
    // A reset takes along what the proxy has not read yet.
    if (server().isEmbedded) await readOf(server(), { listen, bytes: sent });
    else await sleep(300);
    upstream.peers[0]?.socket.resetAndDestroy();
    expect((await client.ended()).how).toBe('eof');
    expect(client.received()).toHaveLength(sent);
  });

  test('C34 disabling closes connections at once, with what is under way, and keeps toxics', onRealTime, async () => {
    const listen = await createProxy(server(), (await startUpstream()).address);
    await addToxic(server(), 'latency', { latency: 300 });
    const client = await connectTo(listen);
    const sentMs = write(client, 'hello');
    await sleep(50);
    await server().call('POST', '/proxies/p', { body: { enabled: false } });
    const { how, atMs } = await client.ended();
    expect(how).toBe('eof');
    expect(atMs - sentMs).toBeLessThan(200);
    expect(client.received()).toHaveLength(0);
    expect(await dialResult(listen)).toBe('ECONNREFUSED');
    await server().call('POST', '/proxies/p', { body: { enabled: true } });
    expectAbout(await roundTripMs(await connectTo(listen)), 300);
  });

  test('a reader that stops holds its sender back and loses nothing', async () => {
    const total = 20_000_000;
    let written = 0;
    const upstream = await startUpstream(({ socket }) => {
      const piece = Buffer.alloc(100_000, 'x');
      const fill = () => {
        while (written < total && socket.write(piece)) written += piece.length;
        if (written >= total) socket.end();
        else written += piece.length;
      };
      socket.on('drain', fill);
      fill();
    });
    const client = await connectTo(await createProxy(server(), upstream.address));
    await client.hasReceived(1);
    client.socket.pause();
    await settled(() => written);
    expect(written).toBeLessThan(total);
    client.socket.resume();
    await client.ended();
    expect(client.received().length).toBe(written);
  });

  test('C68 toggling a toxic loses and reorders nothing', async () => {
    const upstream = await startUpstream(() => {});
    const client = await connectTo(await createProxy(server(), upstream.address));
    const total = 65_535;
    let isWritten = false;
    const writing = writeNumbers(client.socket, total).then(() => {
      isWritten = true;
    });
    let toggles = 0;
    for (; !isWritten; toggles += 1) {
      await addToxic(server(), 'latency', { latency: 1000 }, { stream: 'upstream' });
      await removeToxic(server(), 'latency');
    }
    await writing;
    client.socket.end();
    const [peer] = upstream.peers;
    expect((await peer?.ended())?.how).toBe('eof');
    const received = peer?.received() ?? Buffer.alloc(0);
    expect(received).toHaveLength(total * 2);
    const misplaced = Array.from({ length: total }, (_, index) => index).find((index) => received.readUInt16BE(index * 2) !== index);
    expect(misplaced).toBeUndefined();
    expect(toggles).toBeGreaterThan(1);
  });

  test('C70 a thousand short connections under a thousand toxics', async () => {
    const before = await heldBy(server());
    const startMs = now();
    const upstream = await startUpstream(() => {});
    const listen = await createProxy(server(), upstream.address);
    for (let round = 0; round < 1000; round += 1) {
      await addToxic(server(), 'latency', { latency: 10 }, { stream: 'upstream' });
      const client = await connectTo(listen);
      client.socket.end('hello');
      client.socket.destroySoon();
      await removeToxic(server(), 'latency');
    }
    expect(now() - startMs).toBeLessThan(30_000);
    const left = () => upstream.peers.filter((peer) => !peer.hasEnded()).length;
    await waitUntil({ timeoutMs: 10_000, describe: () => `Expected every connection to end, ${left()} did not` }, () => left() === 0);
    if (server().isEmbedded) await isLeftWith(server(), { ...before, TCPServerWrap: (before.TCPServerWrap ?? 0) + 1 });
  });

  test('clients whose upstream is not reached leave nothing', async ({ skip }) => {
    skip(!server().isEmbedded, 'a real server does not tell');
    const before = await heldBy(server());
    for (const upstream of [await deadAddress(), 'host.invalid:1', 'no address', '']) {
      const listen = await createProxy(server(), '127.0.0.1:1');
      await server().call('PATCH', '/proxies/p', { body: { upstream } });
      const clients = await Promise.all(Array.from({ length: 20 }, () => connectTo(listen)));
      for (const [index, client] of clients.entries()) {
        if (index % 2 === 0) write(client, 'x');
      }
      await Promise.all(clients.map((client) => client.ended()));
      await isLeftWith(server(), { ...before, TCPServerWrap: (before.TCPServerWrap ?? 0) + 1 });
      await server().call('DELETE', '/proxies/p');
    }
  });

  describe('never waits for a peer', () => {
    test('C64 removing a toxic before a reader that does not read', onRealTime, async ({ skip }) => {
      skip(!server().isEmbedded, 'hangs on a real server');
      const upstream = await startUpstream(({ socket }) => {
        const flood = () => {
          while (!socket.destroyed && socket.write(Buffer.alloc(64_000)));
        };
        socket.on('drain', flood);
        flood();
      });
      const listen = await createProxy(server(), upstream.address);
      await addToxic(server(), 'latency', { latency: 10 });
      const client = await connectTo(listen);
      client.socket.pause();
      await settled(() => upstream.peers[0]?.socket.bytesWritten);
      const startMs = now();
      await removeToxic(server(), 'latency');
      await server().call('GET', '/proxies');
      expect(now() - startMs).toBeLessThan(100);
    });

    test('C65 removing a reset that waits for its hour', onRealTime, async ({ skip }) => {
      skip(!server().isEmbedded, 'hangs on a real server');
      const listen = await createProxy(server(), (await startUpstream()).address);
      await addToxic(server(), 'reset_peer', { timeout: 1500 });
      const waiting = await connectTo(listen);
      write(waiting, 'hello');
      await sleep(100);
      const startMs = now();
      await removeToxic(server(), 'reset_peer');
      await roundTripMs(await connectTo(listen));
      expect(now() - startMs).toBeLessThan(100);
      await waiting.hasReceived(5);
      expect(waiting.hasEnded()).toBe(false);
      // It is an ordinary connection again: its end is no reset.
      waiting.socket.end();
      expect((await waiting.ended()).how).toBe('eof');
    });

    test('C66 disabling a proxy whose upstream never accepts', onRealTime, async ({ skip }) => {
      skip(!server().isEmbedded, 'hangs on a real server');
      await using full = await fullBacklog();
      const listen = await createProxy(server(), full.address);
      const client = await connectTo(listen);
      await sleep(50);
      const startMs = now();
      expect((await server().call('POST', '/proxies/p', { body: { enabled: false } })).status).toBe(200);
      expect(now() - startMs).toBeLessThan(200);
      await client.ended();
      // It was given up, which is no failure of the upstream.
      expect((await server().call('GET', '/metrics')).text).toContain('stampede_proxy_failed_dials_total{proxy="p"} 0\n');
    });
  });

  test('one direction does not wait for the other', async () => {
    const upstream = await startUpstream();
    const client = await connectTo(await createProxy(server(), upstream.address));
    await roundTripMs(client);
    await addToxic(server(), 'bandwidth', { rate: 1 });
    write(client, Buffer.alloc(200_000));
    await upstream.peers[0]?.hasReceived(200_000);
    expect(client.received().length).toBeLessThan(10_000);
  });
});

/** Waits until the server holds as much as `wanted`, which leaves room for one proxy without connections. */
async function isLeftWith(server: Server, wanted: Held): Promise<void> {
  let held: Held = {};
  await waitUntil({ timeoutMs: 10_000, describe: () => `Expected what there was, got ${differences(wanted, held).join()}` }, async () => {
    held = await heldBy(server);
    return differences(wanted, held).length === 0;
  });
}

/** Waits until the proxy that listens there has read so many bytes of its upstream. A real server counts them only when the connection ends. */
async function readOf({ call }: Server, { listen, bytes }: { listen: string; bytes: number }): Promise<void> {
  const counted = new RegExp(`^toxiproxy_proxy_received_bytes_total\\{direction="downstream",listener="${listen}".*\\} (\\d+)$`, 'm');
  let received = 0;
  await waitUntil({ timeoutMs: 10_000, describe: () => `Expected the proxy to read ${bytes} bytes, got ${received}` }, async () => {
    received = Number(counted.exec((await call('GET', '/metrics')).text)?.[1] ?? 0);
    return received === bytes;
  });
}

/** Resolves once `value` has stayed the same for a while. */
async function settled(value: () => unknown): Promise<void> {
  for (let before: unknown = Number.NaN; before !== value(); await sleep(150)) before = value();
}

async function writeNumbers(socket: Socket, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16BE(index);
    socket.write(bytes);
    if (index % 200 === 199) await nextTurn();
  }
}

/** A listener that nobody accepts from and whose backlog is full, so that further handshakes are never completed. */
async function fullBacklog(): Promise<{ address: string } & AsyncDisposable> {
  const program = fileURLToPath(new URL('./never-accepts.ts', import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  const { port } = JSON.parse(String(line)) as { port: number };
  const fillers = Array.from({ length: 8 }, () => createConnection({ host: '127.0.0.1', port }).on('error', () => {}));
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const filler of fillers) filler.destroy();
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
