import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createSocketServer, type Socket } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { blackHole, closeAfter, cut, reset, silent, slice, slow, slowClose, throttle } from '../../../chaos/faults.ts';
import { openNetwork } from '../../../chaos/network.ts';
import { ownPrefix } from '../../../chaos/owner.ts';
import { UsageError } from '../../../core/errors.ts';
import { waitUntil } from '../../../core/time.ts';
import type { Wire } from '../../../system/topology.ts';
import {
  connectTo,
  deadAddress,
  describeEachServer,
  dialResult,
  expectAbout,
  now,
  onRealTime,
  roundTripMs,
  type Server,
  startUpstream,
  write,
} from './support.ts';

describeEachServer('network', (server) => {
  test('puts a proxy on every wire and takes it away again', async () => {
    const { address } = await startUpstream();
    const network = await openOn(server(), address);
    const names = Object.keys(await proxiesOf(server())).sort();
    expect(names).toEqual(wiresTo('').map(({ name }) => `${ownPrefix()}${name}`));
    for (const { name } of wiresTo(address)) await roundTripMs(await connectTo(network.addressOf(name)));
    expect(() => network.addressOf('orders->nowhere')).toThrow("got 'orders->nowhere'");
    await network.close();
    expect(await proxiesOf(server())).toEqual({});
  });

  test('a fault on an edge reaches all its replicas, or the one it names', onRealTime, async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    const both = slow('orders->inventory', { by: '60ms' });
    expect(network.placesOf(both)).toEqual(['orders->inventory.1', 'orders->inventory.2']);
    const all = await network.apply(both);
    for (const wire of network.placesOf(both)) expectAbout(await roundTripMs(await connectTo(network.addressOf(wire))), 60);
    expect(await roundTripMs(await connectTo(network.addressOf('orders->mysql')))).toBeLessThan(58);
    await all();

    const second = slow('orders->inventory', { by: '60ms', replica: 2 });
    expect(network.placesOf(second)).toEqual(['orders->inventory.2']);
    const one = await network.apply(second);
    expect(await roundTripMs(await connectTo(network.addressOf('orders->inventory.1')))).toBeLessThan(58);
    await one();
    expect(await toxicCount(server())).toBe(0);
  });

  test('a replica that does not exist is refused with those that do', async () => {
    await using network = await openOn(server(), '127.0.0.1:1');
    expect(() => network.placesOf(cut('orders->inventory', { replica: 3 }))).toThrow(
      "Expected a replica of 'orders->inventory' out of 1, 2, got 3",
    );
    expect(() => network.apply(cut('orders->mysql', { replica: 1 }))).toThrow("'orders->mysql' has no replicas to choose from");
    expect(() => network.apply(cut('user->redis'))).toThrow(UsageError);
  });

  test('cut refuses and closes until every cut is undone', async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    const address = network.addressOf('orders->mysql');
    const client = await connectTo(address);
    await roundTripMs(client);
    const [first, second] = [await network.apply(cut('orders->mysql')), await network.apply(cut('orders->mysql'))];
    await client.ended();
    expect(await dialResult(address)).toBe('ECONNREFUSED');
    await first();
    await first();
    expect(await dialResult(address)).toBe('ECONNREFUSED');
    await second();
    await roundTripMs(await connectTo(address));
  });

  test('silent swallows answers while it lasts', async () => {
    const upstream = await startUpstream();
    await using network = await openOn(server(), upstream.address);
    const client = await connectTo(network.addressOf('orders->mysql'));
    await roundTripMs(client);
    const fault = await network.apply(silent('orders->mysql'));
    write(client, 'question');
    await upstream.peers[0]?.hasReceived(9);
    expect(client.received().toString()).toBe('x');
    await fault();
    await client.ended();
    await roundTripMs(await connectTo(network.addressOf('orders->mysql')));
  });

  test('silent closes after the time it is given', onRealTime, async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    await network.apply(silent('orders->mysql', { closesAfter: '100ms' }));
    const startMs = now();
    const { how, atMs } = await (await connectTo(network.addressOf('orders->mysql'))).ended();
    expect(how).toBe('eof');
    expectAbout(atMs - startMs, 100);
  });

  test('reset closes what is open and resets what comes after', async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    const address = network.addressOf('orders->mysql');
    const before = await connectTo(address);
    await roundTripMs(before);
    const fault = await network.apply(reset('orders->mysql'));
    await before.ended();
    const during = await connectTo(address);
    write(during, 'question');
    expect((await during.ended()).how).toBe('reset');
    await fault();
    await roundTripMs(await connectTo(address));
  });

  test('reset during a cut does not heal it', async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    const address = network.addressOf('orders->mysql');
    const cutting = await network.apply(cut('orders->mysql'));
    const resetting = await network.apply(reset('orders->mysql'));
    expect(await dialResult(address)).toBe('ECONNREFUSED');
    await cutting();
    const client = await connectTo(address);
    write(client, 'question');
    expect((await client.ended()).how).toBe('reset');
    await resetting();
  });

  test('throttle makes answers trickle', onRealTime, async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    await network.apply(throttle('orders->mysql', { kilobytesPerSecond: 10 }));
    const client = await connectTo(network.addressOf('orders->mysql'));
    const sentMs = write(client, Buffer.alloc(3000));
    expectAbout((await client.hasReceived(3000)) - sentMs, 300, 150);
  });

  test('a black hole keeps what is sent, and lets it all through when it ends', async () => {
    const upstream = await startUpstream();
    await using network = await openOn(server(), upstream.address);
    const client = await connectTo(network.addressOf('orders->mysql'));
    await roundTripMs(client);
    const end = await network.apply(blackHole('orders->mysql'));
    write(client, 'question');
    const other = await connectTo(network.addressOf('orders->inventory.1'));
    for (let index = 0; index < 5; index++) await roundTripMs(other);
    expect(upstream.peers[0]?.received().toString()).toBe('x');
    await end();
    await client.hasReceived(9);
    expect(client.received().toString()).toBe('xquestion');
  });

  test('slice makes answers come in pieces', onRealTime, async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    await network.apply(slice('orders->mysql', { bytes: 100, pause: '5ms' }));
    const client = await connectTo(network.addressOf('orders->mysql'));
    const sentMs = write(client, Buffer.alloc(1_000));
    // Pieces are half to all of the size: 10 to 20 of them, after each of which there is a pause.
    expect((await client.hasReceived(1_000)) - sentMs).toBeGreaterThan(45);
    expect(client.arrivals.length).toBeGreaterThanOrEqual(10);
  });

  test('close after some bytes closes each connection when it has carried them', async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    await network.apply(closeAfter('orders->mysql', { bytes: 100 }));
    for (let connection = 0; connection < 2; connection++) {
      const client = await connectTo(network.addressOf('orders->mysql'));
      write(client, Buffer.alloc(150));
      await client.ended();
      expect(client.received()).toHaveLength(100);
    }
  });

  test('slow close lets who hangs up wait', onRealTime, async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    await network.apply(slowClose('orders->mysql', { by: '150ms' }));
    const client = await connectTo(network.addressOf('orders->mysql'));
    await roundTripMs(client);
    const startMs = now();
    client.socket.end();
    expectAbout((await client.ended()).atMs - startMs, 150);
  });

  test.each([
    ['upstream', 80],
    ['downstream', 80],
    ['both', 160],
  ] as const)('slow on the way %s takes %d ms', onRealTime, async (direction, expectedMs) => {
    await using network = await openOn(server(), (await startUpstream()).address);
    const end = await network.apply(slow('orders->mysql', { by: '80ms', direction }));
    expectAbout(await roundTripMs(await connectTo(network.addressOf('orders->mysql'))), expectedMs);
    expect(await toxicCount(server())).toBe(direction === 'both' ? 2 : 1);
    await end();
    expect(await toxicCount(server())).toBe(0);
  });

  test('toxicity draws for each connection whether it is touched', async () => {
    const upstream = await startUpstream();
    await using network = await openOn(server(), upstream.address);
    await network.apply(silent('orders->mysql', { toxicity: '50%' }));
    const clients = await Promise.all(Array.from({ length: 60 }, () => connectTo(network.addressOf('orders->mysql'))));
    for (const client of clients) write(client, 'x');
    // Every question has arrived, so every answer that comes at all is on its way.
    await waitUntil(
      { timeoutMs: 5_000, describe: () => `${upstream.peers.length} of 60` },
      () => upstream.peers.filter((peer) => peer.received().length > 0).length === 60,
    );
    await roundTripMs(await connectTo(network.addressOf('orders->inventory.1')));
    const touched = clients.filter((client) => client.received().length === 0).length;
    // A fair draw falls outside once in 100,000 runs.
    expect(touched).toBeGreaterThan(12);
    expect(touched).toBeLessThan(48);
  });

  test('proxies of a run that was killed are taken away, those of others are not', async () => {
    const { call } = server();
    const dead = `stampede:${hostname()}:999999:1:orders->mysql`;
    const others = [`stampede:elsewhere:999999:1:orders->mysql`, 'somebody', `${ownPrefix(process.ppid)}orders->mysql`];
    for (const name of [dead, ...others])
      await call('POST', '/proxies', { body: { name, listen: '127.0.0.1:0', upstream: '127.0.0.1:1' } });
    const network = await openOn(server(), '127.0.0.1:1');
    expect(Object.keys(await proxiesOf(server()))).toHaveLength(wiresTo('').length + others.length);
    await network.close();
    expect(Object.keys(await proxiesOf(server())).sort()).toEqual(others.sort());
  });

  test('faults that overlap are undone each on its own', onRealTime, async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    const client = await connectTo(network.addressOf('orders->mysql'));
    const short = await network.apply(slow('orders->mysql', { by: '50ms' }));
    const long = await network.apply(slow('orders->mysql', { by: '100ms' }));
    expectAbout(await roundTripMs(client), 150);
    await short();
    expectAbout(await roundTripMs(client), 100);
    await long();
    expect(await roundTripMs(client)).toBeLessThan(98);
  });

  test('faults of different kinds on a wire leave each other alone', onRealTime, async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    const address = network.addressOf('orders->mysql');
    const client = await connectTo(address);
    const slowing = await network.apply(slow('orders->mysql', { by: '60ms' }));
    const holding = await network.apply(blackHole('orders->mysql', { direction: 'upstream' }));
    const cutting = await network.apply(cut('orders->mysql'));
    await client.ended();
    await holding();
    expect(await dialResult(address)).toBe('ECONNREFUSED');
    await cutting();
    expectAbout(await roundTripMs(await connectTo(address)), 60);
    await slowing();
    expect(await roundTripMs(await connectTo(address))).toBeLessThan(58);
    expect(await toxicCount(server())).toBe(0);
  });

  test.each([slow('orders->inventory', { by: '60ms', direction: 'both' }), reset('orders->inventory'), cut('orders->inventory')])(
    'where one replica cannot be touched none is: $kind',
    onRealTime,
    async (fault) => {
      await using network = await openOn(server(), (await startUpstream()).address);
      await server().call('DELETE', `/proxies/${encodeURIComponent(`${ownPrefix()}orders->inventory.2`)}`);
      await expect(network.apply(fault)).rejects.toThrow('with 404: proxy not found');
      expect(await toxicCount(server())).toBe(0);
      expect(await roundTripMs(await connectTo(network.addressOf('orders->inventory.1')))).toBeLessThan(58);
    },
  );

  test('a reset that cannot close what is open leaves no toxic', async () => {
    const refusing = await startRefusing(server(), 'POST', `/proxies/${encodeURIComponent(`${ownPrefix()}orders->mysql`)}`);
    const network = await openNetwork({ controlUrl: refusing, wires: wiresTo((await startUpstream()).address), signal });
    onTestFinished(() => network.close());
    await expect(network.apply(reset('orders->mysql'))).rejects.toThrow('with 500: no');
    expect(await toxicCount(server())).toBe(0);
    await roundTripMs(await connectTo(network.addressOf('orders->mysql')));
  });

  test.skipIf(ownAddress() === undefined)(
    'a server elsewhere is used where that is allowed, by the address it has there',
    onRealTime,
    async () => {
      const elsewhere = await forwardFrom(ownAddress() ?? '', server().controlUrl);
      const options = { controlUrl: `http://${elsewhere}`, wires: wiresTo((await startUpstream()).address), signal };
      await expect(openNetwork(options)).rejects.toThrow('Toxiproxy must be on this machine');
      expect(await proxiesOf(server())).toEqual({});

      const network = await openNetwork({ ...options, allowRemote: true });
      const address = network.addressOf('orders->mysql');
      expect(address.split(':')[0]).toBe(ownAddress());
      const client = await connectTo(address);
      await roundTripMs(client);
      const end = await network.apply(slow('orders->mysql', { by: '60ms' }));
      expectAbout(await roundTripMs(client), 60);
      await end();
      await network.close();
      expect(await proxiesOf(server())).toEqual({});
    },
  );

  test('a proxy that cannot be made leaves none behind', async () => {
    const wires = [...wiresTo('127.0.0.1:1'), { name: 'orders->user.1', edge: 'orders->user', replica: 1, upstream: '' } as const];
    await expect(openNetwork({ controlUrl: server().controlUrl, wires, signal })).rejects.toThrow(
      /refused POST \/populate with 400: .*upstream at proxy 4/,
    );
    expect(await proxiesOf(server())).toEqual({});
  });

  test('undoing what is gone is fine', async () => {
    await using network = await openOn(server(), '127.0.0.1:1');
    const fault = await network.apply(slow('orders->mysql', { by: '50ms' }));
    await server().call('POST', '/reset');
    await fault();
  });
});

test.each(['http://192.168.1.7:8474', 'http://toxiproxy:8474', 'https://127.0.0.1:1', 'nonsense'])(
  'refuses to speak to %s',
  async (controlUrl) => {
    await expect(openNetwork({ controlUrl, wires: [], signal })).rejects.toThrow(UsageError);
  },
);

test('a server that is not there is named', async () => {
  const controlUrl = `http://${await deadAddress()}`;
  await expect(openNetwork({ controlUrl, wires: [], signal })).rejects.toThrow(`Toxiproxy at ${controlUrl} did not answer GET /proxies`);
});

test('what is no Toxiproxy is asked who it is, and nothing is done to it', async () => {
  const asked: string[] = [];
  const stranger = createServer(({ method, url }, response) => {
    asked.push(`${method} ${url}`);
    response.end('<html>welcome</html>');
  }).listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  onTestFinished(() => void stranger.close());
  const controlUrl = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
  const opening = openNetwork({ controlUrl, wires: wiresTo('127.0.0.1:1'), signal });
  await expect(opening).rejects.toThrow(UsageError);
  await expect(opening).rejects.toThrow(`What answers at ${controlUrl} is no Toxiproxy`);
  expect(asked).toEqual(['GET /proxies']);
});

const signal = new AbortController().signal;

const wiresTo = (upstream: string): Wire[] => [
  { name: 'orders->inventory.1', edge: 'orders->inventory', replica: 1, upstream },
  { name: 'orders->inventory.2', edge: 'orders->inventory', replica: 2, upstream },
  { name: 'orders->mysql', edge: 'orders->mysql', upstream },
];

async function openOn(server: Server, upstream: string) {
  const network = await openNetwork({ controlUrl: server.controlUrl, wires: wiresTo(upstream), signal });
  return { ...network, [Symbol.asyncDispose]: () => network.close() };
}

const proxiesOf = async ({ call }: Server) => (await call('GET', '/proxies')).json as Record<string, { toxics: unknown[] }>;

const toxicCount = async (server: Server) => Object.values(await proxiesOf(server)).flatMap(({ toxics }) => toxics).length;

/** An address of this machine that others could reach it by, where it has one. */
function ownAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flatMap((one) => one ?? []);
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}

/** Answers where, on `host`, the control API of a server can be reached too, until the test is over. */
async function forwardFrom(host: string, controlUrl: string): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createSocketServer((near) => {
    const far = connect({ host: '127.0.0.1', port: Number(new URL(controlUrl).port) });
    for (const socket of [near, far]) {
      sockets.add(socket);
      // What matters is that it has ended.
      socket.on('error', () => {});
    }
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  }).listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `${host}:${(server.address() as AddressInfo).port}`;
}

/** Passes on to a server whatever is asked, but for one thing, which it refuses. */
async function startRefusing({ call }: Server, method: string, path: string): Promise<string> {
  const server = createServer(async (request, response) => {
    if (request.method === method && request.url === path) return response.writeHead(500).end('no');
    const body = await text(request);
    const answer = await call(request.method ?? '', request.url ?? '', body === '' ? {} : { body });
    response.writeHead(answer.status).end(answer.text);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
