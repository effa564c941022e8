import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  addToxic,
  connectTo,
  createProxy,
  describeEachServer,
  expectAbout,
  now,
  onRealTime,
  type Peer,
  removeToxic,
  roundTripMs,
  type Server,
  startUpstream,
  updateToxic,
  write,
} from './support.ts';

describeEachServer('toxics', (server) => {
  describe('latency', () => {
    test('C35 delays a direction by as much as it says', onRealTime, async () => {
      const client = await echoClient(server());
      await addToxic(server(), 'latency', { latency: 100 });
      expectAbout(await roundTripMs(client), 100);
      await addToxic(server(), 'latency', { latency: 50 }, { name: 'up', stream: 'upstream' });
      expectAbout(await roundTripMs(client), 150);
    });

    test('C36 keeps the spacing of messages', onRealTime, async () => {
      const client = await echoClient(server());
      await addToxic(server(), 'latency', { latency: 200 });
      const startMs = now();
      const sent: number[] = [];
      for (let length = 1; length <= 5; length += 1) {
        sent.push(write(client, 'x'.repeat(length)));
        await untilMs(startMs + length * 20);
      }
      await client.hasReceived(15);
      expect(client.arrivals.map(({ bytes }) => bytes.length)).toEqual([1, 2, 3, 4, 5]);
      for (const [index, { atMs }] of client.arrivals.entries()) expectAbout(atMs - (sent[index] ?? 0), 200, 30);
    });

    test('C37 delays chunks side by side', onRealTime, async () => {
      const client = await echoClient(server());
      await addToxic(server(), 'latency', { latency: 100 });
      const sentMs = write(client, Buffer.alloc(65_536));
      expectAbout((await client.hasReceived(65_536)) - sentMs, 100, 80);
    });

    test('C38 jitter swings both ways', onRealTime, async () => {
      await createProxy(server(), (await startUpstream()).address);
      await addToxic(server(), 'latency', { latency: 100, jitter: 50 });
      const tripsMs = await echoes(server(), { connections: 6, each: 10 });
      expect(Math.min(...tripsMs)).toBeGreaterThanOrEqual(48);
      expect(Math.max(...tripsMs)).toBeLessThan(150 + 50);
      expect(Math.min(...tripsMs)).toBeLessThan(75);
      expect(Math.max(...tripsMs)).toBeGreaterThan(125);
    });

    test('C39 a delay below nothing is none', onRealTime, async () => {
      await createProxy(server(), (await startUpstream()).address);
      await addToxic(server(), 'latency', { latency: 10, jitter: 50 });
      const tripsMs = await echoes(server(), { connections: 6, each: 10 });
      expect(Math.min(...tripsMs)).toBeLessThan(5);
      expect(Math.max(...tripsMs)).toBeLessThan(60 + 50);
    });

    test('C40 two of them add up, less for chunks that queued', onRealTime, async () => {
      const client = await echoClient(server());
      await addToxic(server(), 'latency', { latency: 100 }, { name: 'one' });
      await addToxic(server(), 'latency', { latency: 100 }, { name: 'two' });
      expectAbout(await roundTripMs(client), 200);
      const startMs = now();
      for (let index = 0; index < 4; index += 1) {
        await untilMs(startMs + index * 50);
        write(client, 'x');
      }
      const lastMs = (await client.hasReceived(5)) - startMs;
      expect(lastMs).toBeGreaterThanOrEqual(298);
      expect(lastMs).toBeLessThanOrEqual(400);
    });

    test('C41 a change counts from the arrival of what waits', onRealTime, async () => {
      const { client, startMs } = await fiveUnderWay(server());
      await untilMs(startMs + 200);
      await updateToxic(server(), 'latency', { attributes: { latency: 300 } });
      const changedMs = now();
      await client.hasReceived(15);
      const [first, ...rest] = client.arrivals.map(({ atMs }) => atMs);
      expect(first).toBeLessThan(changedMs + 50);
      for (const [index, atMs] of rest.entries()) expectAbout(atMs - startMs, 340 + index * 40, 30);
    });

    test('C42 removal lets go of everything at once, in order', onRealTime, async () => {
      const { client, startMs } = await fiveUnderWay(server());
      await untilMs(startMs + 200);
      await removeToxic(server(), 'latency');
      const removedMs = now();
      expect((await client.hasReceived(15)) - removedMs).toBeLessThan(50);
      expect(client.received().toString()).toBe('122333444455555');
    });
  });

  describe('bandwidth', () => {
    test('C43 hands out ten pieces a second', onRealTime, async () => {
      const client = await greetedBy(server(), Buffer.alloc(100_000), 'bandwidth', { rate: 100 });
      const startMs = write(client, 'go');
      const lastMs = (await client.hasReceived(100_000)) - startMs;
      expect(lastMs).toBeGreaterThanOrEqual(995);
      expect(lastMs).toBeLessThanOrEqual(1150);
      expectAbout((await client.hasReceived(1)) - startMs, 100);
      let bytes = 0;
      for (const arrival of client.arrivals) {
        bytes += arrival.bytes.length;
        expect(bytes).toBeLessThanOrEqual(100 * (arrival.atMs - startMs) + 10_000);
      }
    });

    test('C44 a trickle is made of small pieces', onRealTime, async () => {
      const client = await greetedBy(server(), Buffer.alloc(1000), 'bandwidth', { rate: 1 });
      const startMs = write(client, 'go');
      expectAbout((await client.hasReceived(1000)) - startMs, 1000);
      expect(client.arrivals.map(({ bytes }) => bytes.length)).toEqual(Array.from({ length: 10 }, () => 100));
    });

    test('C45 keeps to a high rate too', onRealTime, async () => {
      const upstream = await startUpstream(() => {});
      await createProxy(server(), upstream.address);
      await addToxic(server(), 'bandwidth', { rate: 1000 }, { stream: 'upstream' });
      const client = await connectTo(await listenOf(server()));
      const startMs = write(client, Buffer.alloc(480_000));
      const peer = upstream.peers[0] ?? (await upstream.nextPeer());
      const tookMs = (await peer.hasReceived(480_000)) - startMs;
      expect(tookMs).toBeGreaterThanOrEqual(470);
      expect(tookMs).toBeLessThanOrEqual(600);
    });

    test('C46 a rate of 0 is silence until it is removed', onRealTime, async () => {
      const upstream = await startUpstream(({ socket }) => socket.once('data', () => socket.end('hello')));
      await createProxy(server(), upstream.address);
      await addToxic(server(), 'bandwidth', { rate: 0 });
      const client = await connectTo(await listenOf(server()));
      write(client, 'x');
      await sleep(700);
      expect(client.received()).toHaveLength(0);
      expect(client.hasEnded()).toBe(false);
      await removeToxic(server(), 'bandwidth');
      const removedMs = now();
      expect((await client.hasReceived(5)) - removedMs).toBeLessThan(50);
      expect((await client.ended()).how).toBe('eof');
    });

    test('C47 removal lets go of the rest at once', onRealTime, async () => {
      const client = await greetedBy(server(), Buffer.alloc(5000), 'bandwidth', { rate: 1 });
      const startMs = write(client, 'go');
      await untilMs(startMs + 350);
      expect(client.arrivals.map(({ bytes }) => bytes.length)).toEqual([100, 100, 100]);
      await removeToxic(server(), 'bandwidth');
      const removedMs = now();
      expect((await client.hasReceived(5000)) - removedMs).toBeLessThan(50);
      expect(client.received()).toHaveLength(5000);
    });

    test('C60 a rate below 0 passes nothing and harms nobody', async ({ skip }) => {
      skip(!server().isEmbedded, 'a real server dies of it');
      const client = await greetedBy(server(), Buffer.alloc(1000), 'bandwidth', { rate: -1 });
      write(client, 'go');
      await sleep(100);
      expect((await server().call('GET', '/version')).status).toBe(200);
      expect(client.received()).toHaveLength(0);
    });
  });

  describe('slow_close', () => {
    test('C48 holds back the end, not the bytes', onRealTime, async () => {
      const { client, endedMs } = await byeUnderSlowClose(server());
      expectAbout((await client.hasReceived(3)) - endedMs, 0);
      const { how, atMs } = await client.ended();
      expect(how).toBe('eof');
      expectAbout(atMs - endedMs, 300);
    });

    test('C49 a change starts the wait again; removal ends it', onRealTime, async () => {
      const changed = await byeUnderSlowClose(server());
      await untilMs(changed.endedMs + 100);
      await updateToxic(server(), 'slow_close', { attributes: { delay: 300 } });
      expectAbout((await changed.client.ended()).atMs - changed.endedMs, 400);

      await server().call('DELETE', '/proxies/p');
      const removed = await byeUnderSlowClose(server());
      await untilMs(removed.endedMs + 100);
      await removeToxic(server(), 'slow_close');
      expect((await removed.client.ended()).atMs - removed.endedMs).toBeLessThan(200);
    });

    test('the other direction ends at once', onRealTime, async () => {
      const upstream = await startUpstream();
      await createProxy(server(), upstream.address);
      await addToxic(server(), 'slow_close', { delay: 300 });
      const client = await connectTo(await listenOf(server()));
      await roundTripMs(client);
      const startMs = now();
      client.socket.end();
      expectAbout(((await upstream.peers[0]?.ended())?.atMs ?? 0) - startMs, 0);
      expectAbout((await client.ended()).atMs - startMs, 300);
    });
  });

  describe('limit_data', () => {
    test.each([
      { writes: [50], arrives: 50, closes: false },
      { writes: [100], arrives: 100, closes: true },
      { writes: [150], arrives: 100, closes: true },
      { writes: [90, 20], arrives: 100, closes: true },
    ])('C55 of 100 bytes, $writes bring $arrives; closes: $closes', async ({ writes, arrives, closes }) => {
      const { client, peer } = await limited(server(), 100);
      for (const [index, bytes] of writes.entries()) {
        write(client, Buffer.alloc(bytes));
        if (index < writes.length - 1) await peer.hasReceived(bytes);
      }
      await peer.hasReceived(arrives);
      if (closes) await Promise.all([peer.ended(), client.ended()]);
      else await sleep(100);
      expect([peer.received().length, peer.hasEnded(), client.hasEnded()]).toEqual([arrives, closes, closes]);
    });

    test('C56 nothing at all closes at the first byte', async () => {
      const { client, peer } = await limited(server(), 0);
      await sleep(100);
      expect(client.hasEnded()).toBe(false);
      write(client, Buffer.alloc(10));
      expect((await client.ended()).how).toBe('eof');
      await peer.ended();
      expect(peer.received()).toHaveLength(0);
    });

    test('C57 what was carried counts on through changes', async () => {
      const lowered = await limited(server(), 100);
      write(lowered.client, Buffer.alloc(60));
      await lowered.peer.hasReceived(60);
      await updateToxic(server(), 'limit_data', { attributes: { bytes: 50 } });
      await sleep(100);
      expect(lowered.client.hasEnded()).toBe(false);
      write(lowered.client, Buffer.alloc(10));
      await lowered.client.ended();
      expect(lowered.peer.received()).toHaveLength(60);

      await server().call('DELETE', '/proxies/p');
      const raised = await limited(server(), 100);
      write(raised.client, Buffer.alloc(60));
      await raised.peer.hasReceived(60);
      await updateToxic(server(), 'limit_data', { attributes: { bytes: 200 } });
      write(raised.client, Buffer.alloc(200));
      await raised.client.ended();
      await raised.peer.ended();
      expect(raised.peer.received()).toHaveLength(200);
    });
  });

  describe('slicer', () => {
    test('C58 cuts into pieces below the average and waits after each', onRealTime, async () => {
      const client = await greetedBy(server(), Buffer.alloc(1000), 'slicer', { average_size: 100, size_variation: 0, delay: 10_000 });
      const startMs = write(client, 'go');
      const tookMs = (await client.hasReceived(1000)) - startMs;
      expect(client.arrivals).toHaveLength(16);
      for (const { bytes } of client.arrivals) expect([62, 63]).toContain(bytes.length);
      expect(tookMs).toBeGreaterThanOrEqual(145);
      expect(tookMs).toBeLessThanOrEqual(300);
    });

    test('C59 cuts a long stream and loses nothing', onRealTime, async () => {
      const sent = Buffer.from(Uint8Array.from({ length: 480_000 }, (_, index) => index % 251));
      const client = await greetedBy(server(), sent, 'slicer', { average_size: 1024, size_variation: 512, delay: 10 });
      write(client, 'go');
      await client.hasReceived(sent.length);
      expect(client.received().equals(sent)).toBe(true);
      expect(client.arrivals.length).toBeGreaterThanOrEqual(100);
      expect(client.arrivals.length).toBeLessThanOrEqual(720);
    });

    test.for([
      { average_size: 0, size_variation: 0, delay: 0 },
      { average_size: 10, size_variation: 50, delay: 0 },
      { average_size: -5, size_variation: -5, delay: -5 },
    ])('C60 %j harms nobody and passes all', async (attributes, { skip }) => {
      skip(!server().isEmbedded, 'a real server dies of it');
      const client = await greetedBy(server(), Buffer.alloc(1000), 'slicer', attributes);
      write(client, 'go');
      await client.hasReceived(1000);
      expect((await server().call('GET', '/version')).status).toBe(200);
    });

    test('crumbs do not keep control calls waiting', onRealTime, async ({ skip }) => {
      skip(!server().isEmbedded, 'hangs on a real server');
      const upstream = await startUpstream(({ socket }) => socket.once('data', () => socket.write(Buffer.alloc(2_000_000))));
      await createProxy(server(), upstream.address);
      await addToxic(server(), 'slicer', { average_size: 1 });
      const clients = await Promise.all(Array.from({ length: 8 }, async () => connectTo(await listenOf(server()))));
      for (const client of clients) write(client, 'go');
      await clients[0]?.hasReceived(1000);
      const startMs = now();
      await removeToxic(server(), 'slicer');
      expect(now() - startMs).toBeLessThan(500);
      await Promise.all(clients.map((client) => client.hasReceived(2_000_000)));
    });
  });

  test('crumbs that vanish do not keep control calls waiting', onRealTime, async ({ skip }) => {
    skip(!server().isEmbedded, 'only ours has one thread');
    const upstream = await startUpstream(({ socket }) => socket.write(Buffer.alloc(2_000_000)));
    await createProxy(server(), upstream.address);
    await addToxic(server(), 'slicer', { average_size: 1 });
    await addToxic(server(), 'timeout', { timeout: 0 });
    const listen = await listenOf(server());
    await Promise.all(Array.from({ length: 8 }, () => connectTo(listen)));
    await sleep(50);
    for (let round = 0; round < 5; round += 1) {
      const startMs = now();
      await server().call('GET', '/version');
      expect(now() - startMs).toBeLessThan(100);
    }
  });

  test('noop passes everything', async () => {
    const client = await echoClient(server());
    await addToxic(server(), 'noop', {});
    await roundTripMs(client, 'unharmed');
    expect(client.received().toString()).toBe('unharmed');
  });

  describe('timeout', () => {
    test('C50 closes a connection that was silent for so long', onRealTime, async () => {
      await createProxy(server(), (await startUpstream()).address);
      await addToxic(server(), 'timeout', { timeout: 200 });
      const startMs = now();
      const client = await connectTo(await listenOf(server()));
      const { how, atMs } = await client.ended();
      expect(how).toBe('eof');
      expectAbout(atMs - startMs, 200);
      expect(client.received()).toHaveLength(0);
    });

    test('C50 starts anew with each chunk that vanishes', onRealTime, async () => {
      await createProxy(server(), (await startUpstream()).address);
      await addToxic(server(), 'timeout', { timeout: 200 });
      const client = await connectTo(await listenOf(server()));
      const startMs = now();
      for (let index = 0; index <= 7; index += 1) {
        await untilMs(startMs + index * 100);
        write(client, 'x');
      }
      expectAbout((await client.ended()).atMs - startMs, 900);
      expect(client.received()).toHaveLength(0);
    });

    test('C51 0 swallows for ever; removal closes both sides', onRealTime, async () => {
      const upstream = await startUpstream();
      const client = await connectTo(await createProxy(server(), upstream.address));
      await roundTripMs(client);
      await addToxic(server(), 'timeout', { timeout: 0 });
      write(client, 'y');
      await sleep(500);
      expect(client.hasEnded()).toBe(false);
      await removeToxic(server(), 'timeout');
      const removedMs = now();
      expect((await client.ended()).atMs - removedMs).toBeLessThan(50);
      await upstream.peers[0]?.ended();
      expect(client.received().toString()).toBe('x');
    });

    test('C52 removal closes also where chance had spared the connection', async () => {
      const client = await echoClient(server());
      await addToxic(server(), 'timeout', { timeout: 100 }, { toxicity: 0 });
      await roundTripMs(client);
      await removeToxic(server(), 'timeout');
      expect((await client.ended()).how).toBe('eof');
    });
  });

  describe('reset_peer', () => {
    test.each([
      { stream: 'downstream', timeout: 0, reaches: true },
      { stream: 'downstream', timeout: 200, reaches: true },
      { stream: 'upstream', timeout: 0, reaches: false },
      { stream: 'upstream', timeout: 200, reaches: false },
    ])('C53 resets both sides $timeout ms after the first bytes $stream', onRealTime, async ({ stream, timeout, reaches }) => {
      const upstream = await startUpstream();
      await createProxy(server(), upstream.address);
      await addToxic(server(), 'reset_peer', { timeout }, { stream });
      const client = await connectTo(await listenOf(server()));
      await sleep(100);
      expect(client.hasEnded()).toBe(false);
      const sentMs = write(client, 'hello');
      const { how, atMs } = await client.ended();
      expect(how).toBe('reset');
      expectAbout(atMs - sentMs, timeout);
      const [peer] = upstream.peers;
      expect((await peer?.ended())?.how).toBe('reset');
      expect(peer?.received().toString()).toBe(reaches ? 'hello' : '');
      expect(client.received()).toHaveLength(0);
    });

    test('C54 a connection older than the toxic is closed, not reset', async () => {
      const client = await echoClient(server());
      await addToxic(server(), 'reset_peer', { timeout: 0 });
      write(client, 'y');
      expect((await client.ended()).how).toBe('eof');
      expect(client.received()).toHaveLength(0);
    });
  });

  describe('toxicity', () => {
    test('C61, C62 is drawn for each connection and each start of the stage', onRealTime, async () => {
      await createProxy(server(), (await startUpstream()).address);
      await addToxic(server(), 'latency', { latency: 150 }, { toxicity: 0.5 });
      const address = await listenOf(server());
      const clients = await Promise.all(Array.from({ length: 200 }, () => connectTo(address)));
      const first = await slowOnes(clients);
      expect(first.size).toBeGreaterThanOrEqual(70);
      expect(first.size).toBeLessThanOrEqual(130);
      expect(await slowOnes(clients)).toEqual(first);

      await updateToxic(server(), 'latency', { toxicity: 0.5 });
      const updated = await slowOnes(clients);
      expectChanged(first, updated);

      await addToxic(server(), 'noop', {}, { name: 'behind' });
      const followed = await slowOnes(clients);
      expectChanged(updated, followed);

      await addToxic(server(), 'noop', {}, { name: 'opposite', stream: 'upstream' });
      expect(await slowOnes(clients)).toEqual(followed);

      await removeToxic(server(), 'behind');
      expectChanged(followed, await slowOnes(clients));
    });
  });

  test('C63 a chain acts in the order of its making', onRealTime, async () => {
    await createProxy(server(), (await startUpstream()).address);
    await addToxic(server(), 'latency', { latency: 100 });
    await addToxic(server(), 'bandwidth', { rate: 1 });
    const client = await connectTo(await listenOf(server()));
    const sentMs = write(client, Buffer.alloc(200));
    expectAbout((await client.hasReceived(1)) - sentMs, 200);
    expectAbout((await client.hasReceived(200)) - sentMs, 300);
  });

  test.each([[['latency', 'limit_data']], [['limit_data', 'latency']]])(
    'C63 %j: ten bytes arrive late, then the end',
    onRealTime,
    async (types) => {
      await createProxy(server(), (await startUpstream()).address);
      const attributes: Record<string, Record<string, number>> = { latency: { latency: 200 }, limit_data: { bytes: 10 } };
      for (const type of types) await addToxic(server(), type, attributes[type] ?? {});
      const client = await connectTo(await listenOf(server()));
      const sentMs = write(client, Buffer.alloc(20));
      expectAbout((await client.ended()).atMs - sentMs, 200);
      expect(client.received()).toHaveLength(10);
    },
  );
});

const listenOf = async ({ call }: Server) => ((await call('GET', '/proxies/p')).json as { listen: string }).listen;

/** A client that has already exchanged an `x` with an echo server behind proxy `p`, so that the whole connection stands. */
async function echoClient(server: Server): Promise<Peer> {
  const client = await connectTo(await createProxy(server, (await startUpstream()).address));
  await roundTripMs(client);
  client.forget();
  return client;
}

/** A client whose server answers its first bytes with `greeting`, under a toxic that was there before. */
async function greetedBy(server: Server, greeting: Buffer, type: string, attributes: Record<string, number>): Promise<Peer> {
  const upstream = await startUpstream(({ socket }) => socket.once('data', () => socket.write(greeting)));
  const address = await createProxy(server, upstream.address);
  await addToxic(server, type, attributes);
  return await connectTo(address);
}

/** A client of a server that says `bye` and closes, at `endedMs`, behind a delay of 300 ms. */
async function byeUnderSlowClose(server: Server): Promise<{ client: Peer; endedMs: number }> {
  const upstream = await startUpstream(() => {});
  await createProxy(server, upstream.address);
  await addToxic(server, 'slow_close', { delay: 300 });
  const next = upstream.nextPeer();
  const client = await connectTo(await listenOf(server));
  const { socket } = await next;
  const endedMs = now();
  socket.end('bye');
  return { client, endedMs };
}

/** A connection whose client may send so many bytes. */
async function limited(server: Server, bytes: number): Promise<{ client: Peer; peer: Peer }> {
  const upstream = await startUpstream(() => {});
  await createProxy(server, upstream.address);
  await addToxic(server, 'limit_data', { bytes }, { stream: 'upstream' });
  const next = upstream.nextPeer();
  const client = await connectTo(await listenOf(server));
  return { client, peer: await next };
}

async function fiveUnderWay(server: Server): Promise<{ client: Peer; startMs: number }> {
  const client = await echoClient(server);
  await addToxic(server, 'latency', { latency: 1000 });
  const startMs = now();
  for (let index = 0; index < 5; index += 1) {
    await untilMs(startMs + index * 40);
    write(client, String(index + 1).repeat(index + 1));
  }
  return { client, startMs };
}

async function echoes(server: Server, { connections, each }: { connections: number; each: number }): Promise<number[]> {
  const address = await listenOf(server);
  const trips = Array.from({ length: connections }, async () => {
    const client = await connectTo(address);
    const tripsMs: number[] = [];
    for (let round = 0; round < each; round += 1) tripsMs.push(await roundTripMs(client, `${round}`));
    expect(client.received().toString()).toBe(Array.from({ length: each }, (_, round) => round).join(''));
    return tripsMs;
  });
  return (await Promise.all(trips)).flat();
}

/** Which connections take 150 ms to echo. */
async function slowOnes(clients: readonly Peer[]): Promise<Set<number>> {
  const tripsMs = await Promise.all(clients.map((client) => roundTripMs(client)));
  return new Set(tripsMs.flatMap((tripMs, index) => (tripMs >= 148 ? [index] : [])));
}

function expectChanged(before: Set<number>, after: Set<number>): void {
  const changed = before.symmetricDifference(after).size;
  expect(changed).toBeGreaterThanOrEqual(50);
  expect(changed).toBeLessThanOrEqual(150);
}

async function untilMs(atMs: number): Promise<void> {
  while (now() < atMs) await sleep(Math.max(1, atMs - now()));
}
