import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Canaries, openCanaries, type Protocol, type Station } from '../../../chaos/canary/canaries.ts';
import { startEmbedded } from '../../../chaos/embedded/start.ts';
import {
  blackHole,
  closeAfter,
  cut,
  kill,
  type NetworkFault,
  pause,
  reset,
  sentenceOf,
  silent,
  slice,
  slow,
  slowClose,
  throttle,
} from '../../../chaos/faults.ts';
import { type Network, openNetwork } from '../../../chaos/network.ts';
import { monotonic, waitUntil } from '../../../core/time.ts';
import type { Wire } from '../../../system/topology.ts';
import { startTestEtcd } from '../../support/etcd.ts';
import { startTestStores } from '../../support/stores.ts';

const undo = new AsyncDisposableStack();
const { signal } = new AbortController();
let network: Network;
let canaries: Canaries;
let redisAddress: string;

/** Four wires, one for each protocol, to the servers that are really behind them. */
beforeAll(async () => {
  const stores = await startTestStores(undo);
  const { host, port, user, password } = stores.mysql;
  redisAddress = stores.redis.address;
  const wires: Wire[] = [
    { name: 'orders->payment.1', edge: 'orders->payment', replica: 1, upstream: await startGrpcServer() },
    { name: 'user->redis', edge: 'user->redis', upstream: redisAddress },
    { name: 'user->mysql', edge: 'user->mysql', upstream: `${host}:${port}` },
    { name: 'user->etcd', edge: 'user->etcd', upstream: (await startTestEtcd(undo)).address },
  ];
  const server = await startEmbedded({ signal });
  undo.defer(() => server.close());
  network = await openNetwork({ controlUrl: server.controlUrl, wires, signal });
  undo.defer(() => network.close());
  const protocols: Record<string, Protocol> = {
    'orders->payment.1': { kind: 'http2' },
    'user->redis': { kind: 'redis' },
    'user->mysql': { kind: 'mysql', user, password },
    'user->etcd': { kind: 'http1', path: '/version' },
  };
  const stations = wires.map(
    ({ name, upstream }): Station => ({
      place: name,
      protocol: protocols[name] ?? { kind: 'http2' },
      through: network.addressOf(name),
      direct: upstream,
    }),
  );
  canaries = openCanaries({ stations, nowMs: monotonic, signal, calmEveryMs: 20, goneWithinMs: 10_000 });
  undo.defer(() => canaries.close());
}, 60_000);
afterAll(() => undo.disposeAsync());

const edges = ['orders->payment', 'user->redis', 'user->mysql', 'user->etcd'] as const;
type Edge = (typeof edges)[number];
const onEvery = (fault: (edge: Edge) => NetworkFault) => edges.map((edge) => fault(edge));
const answersAreShort: Edge = 'user->etcd';

const faults = [
  ...onEvery((edge) => slow(edge, { by: '100ms' })),
  ...onEvery((edge) => slow(edge, { by: '100ms', direction: 'upstream' })),
  ...onEvery((edge) => slow(edge, { by: '100ms', direction: 'both', toxicity: '50%' })),
  ...onEvery((edge) => cut(edge)),
  ...onEvery((edge) => blackHole(edge)),
  ...onEvery((edge) => blackHole(edge, { direction: 'upstream' })),
  ...onEvery((edge) => silent(edge)),
  ...onEvery((edge) => reset(edge)),
  ...onEvery((edge) => slowClose(edge, { by: '200ms' })),
  // What is about bytes needs answers of some length.
  ...edges.filter((edge) => edge !== answersAreShort).map((edge) => throttle(edge, { kilobytesPerSecond: 10 })),
  ...edges.filter((edge) => edge !== answersAreShort).map((edge) => slice(edge, { bytes: 200, pause: '3ms' })),
  ...edges.filter((edge) => edge !== answersAreShort).map((edge) => closeAfter(edge, { bytes: 10_000 })),
  throttle('user->redis', { kilobytesPerSecond: 10, direction: 'upstream' }),
];

test.each(faults.map((fault) => [sentenceOf(fault), fault] as const))(
  '%s: felt when it is on, and gone when it is over',
  async (_sentence, fault) => {
    const askedMs = monotonic();
    const watch = canaries.watch(fault, network.placesOf(fault));
    const end = await network.apply(fault);
    const describe = () => `not felt: ${JSON.stringify(watch.effects())}`;
    await waitUntil({ timeoutMs: 5_000, describe }, () => watch.effects().every(({ felt }) => felt !== undefined)).finally(end);
    const endedMs = monotonic();
    watch.ended();
    await watch.done;
    for (const { felt, goneAtMs, doubt } of watch.effects()) {
      expect(felt?.atMs).toBeGreaterThanOrEqual(askedMs);
      expect(goneAtMs).toBeGreaterThanOrEqual(endedMs);
      expect(doubt).toBeUndefined();
    }
  },
);

test('a fault on one wire is not felt on another', async () => {
  const end = await network.apply(blackHole('user->redis'));
  const [felt, elsewhere] = [
    canaries.watch(blackHole('user->redis'), ['user->redis']),
    canaries.watch(blackHole('user->mysql'), ['user->mysql']),
  ];
  await waitUntil({ timeoutMs: 5_000, describe: () => 'never felt' }, () => felt.effects()[0]?.felt);
  await end();
  for (const watch of [felt, elsewhere]) watch.ended();
  await Promise.all([felt.done, elsewhere.done]);
  expect(elsewhere.effects()).toEqual([{ place: 'user->mysql', goneAtMs: expect.any(Number) }]);
});

test('a delay that would drown in what answers differ by anyway is doubted', async () => {
  const end = await network.apply(slow('user->redis', { by: '200ms', jitter: '190ms' }));
  const restless = openCanaries({
    stations: [
      {
        place: 'user->redis',
        protocol: { kind: 'redis' },
        through: network.addressOf('user->redis'),
        direct: redisAddress,
      },
    ],
    ...{ nowMs: monotonic, signal, calmEveryMs: 1, goneWithinMs: 0 },
  });
  const doubtIn = () => {
    const watch = restless.watch(slow('user->redis', { by: '5ms' }), ['user->redis']);
    watch.ended();
    return watch;
  };
  // As soon as there is a calm to compare with.
  await waitUntil({ timeoutMs: 10_000, everyMs: 100, describe: () => 'never doubted' }, async () => {
    const watch = doubtIn();
    await watch.done;
    return /^5\.0 ms later would not stand out: answers were up to \d+ ms apart/.test(watch.effects()[0]?.doubt ?? '');
  }).finally(async () => {
    await restless.close();
    await end();
  });
});

test('a callee that is away is no fault of the network, and said to be away', async () => {
  const away = openCanaries({
    stations: [{ place: 'orders->user.1', protocol: { kind: 'http2' }, through: '127.0.0.1:1', direct: '127.0.0.1:1' }],
    ...{ nowMs: monotonic, signal, goneWithinMs: 0, watchEveryMs: 1 },
  });
  const watch = away.watch(cut('orders->user'), ['orders->user.1']);
  await waitUntil({ timeoutMs: 5_000, describe: () => 'never doubted' }, async () => {
    const again = away.watch(cut('orders->user'), ['orders->user.1']);
    await new Promise((resolve) => setTimeout(resolve, 20));
    again.ended();
    await again.done;
    return again.effects()[0]?.doubt === 'the callee itself did not answer';
  });
  expect(watch.effects()[0]?.felt).toBeUndefined();
  await away.close();
});

test('a process is asked itself', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const processes = openCanaries({
    stations: [{ place: 'payment.1', protocol: { kind: 'http2' }, through: address }],
    ...{ nowMs: monotonic, signal, goneWithinMs: 0 },
  });
  const [killed, paused] = [processes.watch(kill('payment'), ['payment.1']), processes.watch(pause('payment'), ['payment.1'])];
  server.close();
  await waitUntil({ timeoutMs: 5_000, describe: () => 'never felt' }, () => killed.effects()[0]?.felt);
  expect(killed.effects()[0]?.felt?.sign).toMatch(/refused|closed|reset/);
  expect(paused.effects()[0]?.felt).toBeUndefined();
  await processes.close();
  // Whoever waits for a watch is let go.
  await Promise.all([killed.done, paused.done]);
});

test('nobody looks where there is no station', async () => {
  const watch = canaries.watch(cut('orders->user'), ['orders->user.1']);
  watch.ended();
  await watch.done;
  expect(watch.effects()).toEqual([{ place: 'orders->user.1', doubt: 'nobody looked there' }]);
});

async function startGrpcServer(): Promise<string> {
  const server = new Server();
  const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', ServerCredentials.createInsecure());
  undo.defer(async () => server.forceShutdown());
  return `127.0.0.1:${port}`;
}
