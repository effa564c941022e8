import { expect, test } from 'vitest';
import { cut, reset, silent, slow, throttle } from '../../../chaos/faults.ts';
import { openNetwork } from '../../../chaos/network.ts';
import { UsageError } from '../../../core/errors.ts';
import type { Wire } from '../../../system/topology.ts';
import {
  connectTo,
  deadAddress,
  describeEachServer,
  dialResult,
  expectAbout,
  now,
  roundTripMs,
  type Server,
  startUpstream,
  write,
} from './support.ts';

describeEachServer('network', (server) => {
  test('puts a proxy on every wire and takes it away again', async () => {
    const { address } = await startUpstream();
    const network = await openOn(server(), address);
    expect(Object.keys(await proxiesOf(server())).sort()).toEqual(wiresTo('').map(({ name }) => name));
    for (const { name } of wiresTo(address)) await roundTripMs(await connectTo(network.addressOf(name)));
    expect(() => network.addressOf('orders->nowhere')).toThrow("got 'orders->nowhere'");
    await network.close();
    expect(await proxiesOf(server())).toEqual({});
  });

  test('a fault on an edge reaches all its replicas, or the one it names', async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    const all = await network.apply(slow('orders->inventory', { by: '60ms' }));
    expect(all.wires).toEqual(['orders->inventory.1', 'orders->inventory.2']);
    for (const wire of all.wires) expectAbout(await roundTripMs(await connectTo(network.addressOf(wire))), 60);
    expect(await roundTripMs(await connectTo(network.addressOf('orders->mysql')))).toBeLessThan(58);
    await all.undo();

    const one = await network.apply(slow('orders->inventory', { by: '60ms', replica: 2 }));
    expect(one.wires).toEqual(['orders->inventory.2']);
    expect(await roundTripMs(await connectTo(network.addressOf('orders->inventory.1')))).toBeLessThan(58);
    await one.undo();
    expect(await toxicCount(server())).toBe(0);
  });

  test('a replica that does not exist is refused with those that do', async () => {
    await using network = await openOn(server(), '127.0.0.1:1');
    expect(() => network.wiresOf(cut('orders->inventory', { replica: 3 }))).toThrow(
      "Expected a replica of 'orders->inventory' out of 1, 2, got 3",
    );
    await expect(network.apply(cut('orders->mysql', { replica: 1 }))).rejects.toThrow("'orders->mysql' has no replicas to choose from");
    await expect(network.apply(cut('user->redis'))).rejects.toThrow(UsageError);
  });

  test('cut refuses and closes until every cut is undone', async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    const address = network.addressOf('orders->mysql');
    const client = await connectTo(address);
    await roundTripMs(client);
    const [first, second] = [await network.apply(cut('orders->mysql')), await network.apply(cut('orders->mysql'))];
    await client.ended();
    expect(await dialResult(address)).toBe('ECONNREFUSED');
    await first.undo();
    await first.undo();
    expect(await dialResult(address)).toBe('ECONNREFUSED');
    await second.undo();
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
    await fault.undo();
    await client.ended();
    await roundTripMs(await connectTo(network.addressOf('orders->mysql')));
  });

  test('silent closes after the time it is given', async () => {
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
    await fault.undo();
    await roundTripMs(await connectTo(address));
  });

  test('reset during a cut does not heal it', async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    const address = network.addressOf('orders->mysql');
    const cutting = await network.apply(cut('orders->mysql'));
    const resetting = await network.apply(reset('orders->mysql'));
    expect(await dialResult(address)).toBe('ECONNREFUSED');
    await cutting.undo();
    const client = await connectTo(address);
    write(client, 'question');
    expect((await client.ended()).how).toBe('reset');
    await resetting.undo();
  });

  test('throttle makes answers trickle', async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    await network.apply(throttle('orders->mysql', { kilobytesPerSecond: 10 }));
    const client = await connectTo(network.addressOf('orders->mysql'));
    const sentMs = write(client, Buffer.alloc(3000));
    expectAbout((await client.hasReceived(3000)) - sentMs, 300, 150);
  });

  test('faults that overlap are undone each on its own', async () => {
    await using network = await openOn(server(), (await startUpstream()).address);
    const client = await connectTo(network.addressOf('orders->mysql'));
    const short = await network.apply(slow('orders->mysql', { by: '50ms' }));
    const long = await network.apply(slow('orders->mysql', { by: '100ms' }));
    expectAbout(await roundTripMs(client), 150);
    await short.undo();
    expectAbout(await roundTripMs(client), 100);
    await long.undo();
    expect(await roundTripMs(client)).toBeLessThan(98);
  });

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
    await fault.undo();
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
  await expect(openNetwork({ controlUrl, wires: [], signal })).rejects.toThrow(`Toxiproxy at ${controlUrl} did not answer POST /populate`);
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
