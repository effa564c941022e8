import { once } from 'node:events';
import { createServer } from 'node:net';
import {
  type ClientUnaryCall,
  credentials,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import type { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { splitAddress } from '../../../core/address.ts';
import { seededRandom } from '../../../core/random.ts';
import { waitUntil } from '../../../core/time.ts';
import { MallError } from '../../../system/errors.ts';
import { monotonicNs } from '../../../system/governance/clock.ts';
import { type BalanceReport, type Choice, registerP2c } from '../../../system/rpc/balancer.ts';
import { deadlineOf, withDeadline } from '../../../system/rpc/context.ts';
import { connectEtcd } from '../../../system/rpc/etcd.ts';
import { publish, type RegistrationEvent } from '../../../system/rpc/registration.ts';
import { type Balancing, type ResolverEvent, registerEtcdResolver } from '../../../system/rpc/resolver.ts';
import { type Judges, toStatus } from '../../../system/rpc/status.ts';
import { startTestEtcd, type TestEtcd } from '../../support/etcd.ts';
import { recordSpans } from '../../support/runtime.ts';

// For its side effect: contexts follow a call from callback to callback.
recordSpans();
const undo = new AsyncDisposableStack();
let server: TestEtcd;
let etcd: Etcd3;

beforeAll(async () => {
  server = await startTestEtcd(undo);
  etcd = connectEtcd(server.address);
  undo.defer(() => etcd.close());
});
afterAll(() => undo.disposeAsync());

test('p2c gives a slow replica little', async () => {
  await using shop = await openShop({ namespace: 'p2c', policy: 'p2c_ewma' });
  for (const delayMs of [2, 2, 40]) await shop.addReplica({ delayMs });
  await shop.reaches(3);
  await shop.call({ count: 300 });
  shop.picks.clear();
  await shop.call({ count: 600 });
  expect(shop.shareOf(3)).toBeLessThan(0.15);
  expect(shop.shareOf(1) + shop.shareOf(2)).toBeGreaterThan(0.85);
});

test('round robin gives a slow replica its third', async () => {
  await using shop = await openShop({ namespace: 'robin', policy: 'round_robin' });
  for (const delayMs of [2, 2, 40]) await shop.addReplica({ delayMs });
  await shop.reaches(3);
  shop.picks.clear();
  await shop.call({ count: 300 });
  expect([1, 2, 3].map((replica) => shop.picks.get(addressOf(replica)))).toEqual([100, 100, 100]);
});

test('picks, loads and peers are told by true addresses and names, whatever is dialled', async () => {
  await using shop = await openShop({ namespace: 'names', policy: 'p2c_ewma' });
  await shop.addReplica({ delayMs: 0 });
  const { dialled } = await shop.callOnce();
  expect(shop.choices).toEqual([{ target: 'inventory', address: addressOf(1), instance: 'inventory.1' }]);
  expect(shop.directory.peer(dialled)).toMatchObject({ instance: 'inventory.1', address: addressOf(1) });
  expect(shop.directory.peer(addressOf(1))).toBeUndefined();
  expect(shop.loads()).toEqual([
    { target: 'inventory', address: addressOf(1), instance: 'inventory.1', load: expect.any(Number), inflight: 0, success: 1_000 },
  ]);
});

test('what is no address is passed over and told of; the other replicas are called', async () => {
  await using shop = await openShop({ namespace: 'malformed', policy: 'p2c_ewma' });
  await etcd.put('malformed/inventory/9').value('not-an-address');
  await shop.addReplica({ delayMs: 0 });
  await shop.reaches(1);
  const told = shop.events.filter(({ event }) => event.kind === 'malformed');
  expect(told[0]?.event).toEqual({ kind: 'malformed', service: 'inventory', instance: 'inventory.9', value: 'not-an-address' });
  await shop.addReplica({ delayMs: 0 });
  await shop.reaches(2);
  expect(shop.events.map(({ event }) => event.kind)).not.toContain('stale');
});

test('what is found out about replicas does not belong to the call that dialled first', async () => {
  // A client that has nothing open yet: the first call opens it.
  const fresh = connectEtcd(server.address);
  undo.defer(() => fresh.close());
  await using shop = await openShop({ namespace: 'ownerless', policy: 'p2c_ewma', client: fresh });
  await shop.addReplica({ delayMs: 0 });
  await context.with(withDeadline(ROOT_CONTEXT, 1_234), () => shop.callOnce());
  await shop.addReplica({ delayMs: 0 });
  await shop.reaches(2);
  expect(shop.events.length).toBeGreaterThan(1);
  expect(new Set(shop.events.map(({ deadlineMs }) => deadlineMs))).toEqual(new Set([Number.POSITIVE_INFINITY]));
});

test.each([
  { judges: 'cause' as const, thrown: new MallError('paymentTimeout'), success: 1_000 },
  { judges: 'cause' as const, thrown: new MallError('database'), success: 0 },
  { judges: 'status' as const, thrown: new MallError('paymentTimeout'), success: 0 },
  { judges: 'status' as const, thrown: new MallError('orderMissing'), success: 1_000 },
])('judged by $judges a replica that answers $thrown.message stands at $success of 1000', async ({ judges, thrown, success }) => {
  await using shop = await openShop({ namespace: `answers_${judges}_${success}`, judges });
  await shop.addReplica({ delayMs: 0, answer: toStatus(thrown) });
  await expect(shop.callOnce()).rejects.toMatchObject({ details: thrown.message });
  expect(shop.loads().map((load) => load.success)).toEqual([success]);
});

test.each([
  { keepsState: false, known: 'nothing' },
  { keepsState: true, known: 'everything' },
])('when a replica comes, $known is remembered of the others (keepsState $keepsState)', async ({ keepsState }) => {
  await using shop = await openShop({ namespace: `comes_${keepsState}`, keepsState });
  await shop.addReplica({ delayMs: 2, answer: toStatus(new MallError('database')) });
  await shop.callOnce().catch(() => undefined);
  expect(shop.loads()).toMatchObject([{ success: 0 }]);
  await shop.addReplica({ delayMs: 2 });
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the other replica to be connected' }, () => shop.loads().length === 2);
  const first = shop.loads().find(({ instance }) => instance === 'inventory.1');
  expect([first?.success, (first?.load ?? 0) > 1]).toEqual(keepsState ? [0, true] : [1_000, false]);
});

test('a replica that cannot be reached makes nothing be forgotten of the others', async () => {
  await using shop = await openShop({ namespace: 'unreachable' });
  const dying = await shop.addReplica({ delayMs: 2 });
  await shop.addReplica({ delayMs: 2, answer: toStatus(new MallError('database')) });
  await shop.reaches(2);
  dying.kill();
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the dead replica to be noticed' }, () => shop.loads().length === 1);
  await shop.callOnce().catch(() => undefined);
  const door = await slammedDoor(dying.address);
  await waitUntil({ timeoutMs: 10_000, describe: () => `Expected 3 knocks, got ${door.knocks()}` }, () => door.knocks() > 2);
  await door.close();
  expect(shop.loads()).toMatchObject([{ instance: 'inventory.2', success: 0 }]);
});

test('replicas that register one address are one, until the last of them leaves', async () => {
  await using shop = await openShop({ namespace: 'shared' });
  const { registration } = await shop.addReplica({ delayMs: 0 });
  await shop.reaches(1);
  const other = await publish({ etcd, namespace: 'shared', service: 'inventory', replica: 7, address: addressOf(1) });
  const known = () => shop.events.flatMap(({ event }) => (event.kind === 'endpoints' ? [event.peers.map(({ address }) => address)] : []));
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected word of the second key' }, () => known().length === 2);
  await registration.withdraw();
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected word that the first key is gone' }, () => known().length === 3);
  await shop.call({ count: 20 });
  await other.withdraw();
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the address to be gone' }, () => shop.loads().length === 0);
  expect(known()).toEqual([[addressOf(1)], [addressOf(1)], [addressOf(1)], []]);
});

test('of more than 32 replicas a caller knows 32, and others after every change', async () => {
  await using shop = await openShop({ namespace: 'many' });
  for (let replica = 1; replica <= 40; replica += 1) await shop.addReplica({ delayMs: 0 });
  const isComplete = () => shop.events.some(({ event }) => event.kind === 'endpoints' && event.peers.length === 40);
  await shop.callOnce();
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected word of all 40 replicas' }, isComplete);
  await shop.reaches(32);
  const before = shop.loads().map(({ instance }) => instance);
  await shop.addReplica({ delayMs: 0 });
  const areOthers = () => shop.loads().length === 32 && shop.loads().some(({ instance }) => !before.includes(instance));
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected another choice of 32 replicas' }, areOthers);
  await shop.call({ count: 20 });
});

test.each([
  { failuresRaiseLoad: false, least: 0.2, most: 1 },
  { failuresRaiseLoad: true, least: 0, most: 0.1 },
])('of three, one that fails at once gets $least to $most of the calls (failuresRaiseLoad $failuresRaiseLoad)', async (expected) => {
  const { failuresRaiseLoad, least, most } = expected;
  await using shop = await openShop({ namespace: `fails_${failuresRaiseLoad}`, failuresRaiseLoad });
  for (const delayMs of [5, 5]) await shop.addReplica({ delayMs });
  await shop.addReplica({ delayMs: 0, answer: toStatus(new MallError('database')) });
  await shop.reaches(3);
  const load = shop.callUntilStopped();
  await waitUntil({ timeoutMs: 20_000, describe: () => 'Expected 600 calls' }, () => shop.picked() > 600);
  await load.stop();
  expect(shop.shareOf(3)).toBeGreaterThanOrEqual(least);
  expect(shop.shareOf(3)).toBeLessThanOrEqual(most);
});

test('a caller that was idle for so long that it forgot all replicas finds them again', async () => {
  await using shop = await openShop({ namespace: 'idle', idleMs: 1_000 });
  await shop.addReplica({ delayMs: 0 });
  await shop.callOnce();
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the caller to give up its connections' }, () => shop.loads().length === 0);
  await shop.callOnce();
});

test('the first answer is told with the load of every replica, and the next ones within the minute are not', async () => {
  await using shop = await openShop({ namespace: 'reports' });
  await shop.addReplica({ delayMs: 0 });
  await shop.call({ count: 20 });
  expect(shop.reports).toEqual([
    { target: 'inventory', replicas: [{ address: addressOf(1), load: expect.any(Number), requests: expect.any(Number) }] },
  ]);
});

test('without a replica calls fail at once, and work as soon as there is one', async () => {
  await using shop = await openShop({ namespace: 'none', policy: 'p2c_ewma' });
  await expect(shop.callOnce()).rejects.toMatchObject({
    code: status.UNAVAILABLE,
    details: 'p2c_ewma: there are no replicas (etcd key none/inventory/)',
  });
  await shop.addReplica({ delayMs: 0 });
  await shop.reaches(1);
});

test.each<Balancing['policy']>(['p2c_ewma', 'p2c_inflight', 'round_robin'])(
  '%s: a replica that withdraws and then stops costs no call',
  async (policy) => {
    await using shop = await openShop({ namespace: `leave_${policy}`, policy });
    const leaving = await shop.addReplica({ delayMs: 20 });
    await shop.addReplica({ delayMs: 2 });
    await shop.reaches(2);
    const load = shop.callUntilStopped();
    await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected calls in flight at the leaving replica' }, () => leaving.inFlight() > 0);
    await leaving.registration.withdraw();
    await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the withdrawn replica to leave' }, () => shop.loads().length === 1);
    await leaving.stopGently();
    shop.picks.clear();
    await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected 100 further calls' }, () => shop.picked() > 100);
    expect(await load.stop()).toEqual([]);
    expect(shop.shareOf(2)).toBe(1);
  },
);

test('while etcd is away the known replicas are called, also when one of them dies and returns', async () => {
  await using shop = await openShop({ namespace: 'away', policy: 'p2c_ewma' });
  const first = await shop.addReplica({ delayMs: 1 });
  await shop.addReplica({ delayMs: 1 });
  await shop.reaches(2);
  await server.stop();
  await shop.call({ count: 50 });
  first.kill();
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the dead replica to be noticed' }, () => shop.loads().length === 1);
  await shop.call({ count: 50 });
  await first.revive();
  await waitUntil({ timeoutMs: 30_000, describe: () => 'Expected the revived replica to be connected' }, () => shop.loads().length === 2);
  await shop.call({ count: 50 });
  await server.start();
});

test('an etcd that is away for longer than a lease costs no call, and replicas register again', async () => {
  await using shop = await openShop({ namespace: 'outage' });
  const replicas = [await shop.addReplica({ delayMs: 1, ttlSeconds: 1 }), await shop.addReplica({ delayMs: 1, ttlSeconds: 1 })];
  await shop.reaches(2);
  const leaseOf = async (replica: number) => (await etcd.get(`outage/inventory/${replica}`).exec()).kvs[0]?.lease;
  const before = [await leaseOf(1), await leaseOf(2)];
  const load = shop.callUntilStopped();
  await server.stop();
  const histories = () => replicas.map(({ history }) => history.join(' '));
  const becomes = (expected: string) =>
    waitUntil({ timeoutMs: 30_000, describe: () => `Expected '${expected}' of both, got '${histories()}'` }, () =>
      histories().every((history) => history === expected),
    );
  await becomes('registered lost');
  await server.start();
  await becomes('registered lost registered');
  for (const lease of before) {
    const isOver = async () => (await etcd.leaseClient.leaseTimeToLive({ ID: String(lease) })).TTL === '-1';
    await waitUntil({ timeoutMs: 20_000, describe: () => 'Expected the lost leases to run out' }, isOver);
  }
  shop.picks.clear();
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected 100 further calls' }, () => shop.picked() > 100);
  expect(await load.stop()).toEqual([]);
  expect(shop.loads()).toHaveLength(2);
  for (const [index, lease] of before.entries()) expect(await leaseOf(index + 1)).not.toBe(lease);
});

test.each([false, true])('calls cut off by a dying replica do not weigh on it when it is back (keepsState %s)', async (keepsState) => {
  await using shop = await openShop({ namespace: `cut_${keepsState}`, keepsState });
  const dying = await shop.addReplica({ delayMs: 5 });
  await shop.addReplica({ delayMs: 5 });
  await shop.reaches(2);
  const load = shop.callUntilStopped();
  for (let times = 0; times < 3; times += 1) {
    await waitUntil({ timeoutMs: 10_000, everyMs: 1, describe: () => 'Expected calls in flight' }, () => dying.inFlight() > 1);
    dying.kill();
    await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the dead replica to be noticed' }, () => shop.loads().length === 1);
    await dying.revive();
    await waitUntil({ timeoutMs: 30_000, describe: () => 'Expected the replica to be back' }, () => shop.loads().length === 2);
  }
  await load.stop();
  expect(shop.loads().map(({ inflight }) => inflight)).toEqual([0, 0]);
});

test.each([false, true])('calls given up between pick and start do not weigh on a replica (keepsState %s)', async (keepsState) => {
  await using shop = await openShop({ namespace: `given_up_${keepsState}`, keepsState });
  await shop.addReplica({ delayMs: 0 });
  await shop.reaches(1);
  for (let turns = 0; turns < 12; turns += 1) await shop.giveUpAfter({ turns });
  await shop.callOnce();
  expect(shop.loads().map(({ inflight }) => inflight)).toEqual([0]);
});

/** What a replica registers; nobody listens there, as where it is really dialled is told by `addresses`. */
const addressOf = (replica: number) => `10.0.0.${replica}:4000`;

/** A caller of `inventory` in a namespace of its own. */
async function openShop({
  namespace,
  policy = 'p2c_ewma',
  keepsState = false,
  failuresRaiseLoad = false,
  judges = 'cause',
  idleMs = 60_000,
  client: reader = etcd,
}: {
  namespace: string;
  policy?: Balancing['policy'];
  keepsState?: boolean;
  failuresRaiseLoad?: boolean;
  judges?: Judges;
  /** After so long without a call everything is given up. */
  idleMs?: number;
  client?: Etcd3;
}) {
  const shopUndo = new AsyncDisposableStack();
  const addresses: Record<string, string> = {};
  const choices: Choice[] = [];
  const picks = new Map<string, number>();
  const reports: BalanceReport[] = [];
  const events: { event: ResolverEvent; deadlineMs: number }[] = [];
  const directory = registerEtcdResolver({
    etcd: reader,
    namespace,
    addresses,
    balancing: { policy, keepsState, failuresRaiseLoad },
    random: seededRandom(1),
    onEvent: (event) => events.push({ event, deadlineMs: deadlineOf() }),
  });
  const balancing = registerP2c({
    clockNs: monotonicNs,
    random: seededRandom(2),
    judges,
    peer: directory.peer,
    countPicks: (choice) => () => {
      choices.push(choice);
      picks.set(choice.address, (picks.get(choice.address) ?? 0) + 1);
    },
    onReport: (report) => reports.push(report),
  });
  const client = new Echo('etcd:///inventory', credentials.createInsecure(), {
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 100,
    'grpc.client_idle_timeout_ms': idleMs,
  });
  shopUndo.defer(() => client.close());
  let replicas = 0;

  function callOnce(begun = (_call: ClientUnaryCall) => {}): Promise<{ dialled: string }> {
    return new Promise((resolve, reject) => {
      const call: ClientUnaryCall = client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        Buffer.alloc(1),
        { deadline: Date.now() + 10_000 },
        (error) => (error === null ? resolve({ dialled: call.getPeer() }) : reject(error)),
      );
      begun(call);
    });
  }

  const picked = () => [...picks.values()].reduce((sum, count) => sum + count, 0);

  return {
    directory,
    events,
    choices,
    picks,
    reports,
    picked,
    loads: balancing.loads,
    callOnce,
    shareOf: (replica: number) => (picks.get(addressOf(replica)) ?? 0) / picked(),

    /** Cancels a call that many microtasks after it began. */
    async giveUpAfter({ turns }: { turns: number }) {
      const given = callOnce(async (call) => {
        for (let turn = 0; turn < turns; turn += 1) await undefined;
        call.cancel();
      });
      await given.catch(() => {});
    },

    /** Six at a time. */
    async call({ count }: { count: number }) {
      let left = count;
      await Promise.all(
        Array.from({ length: 6 }, async () => {
          while (left-- > 0) await callOnce();
        }),
      );
    },

    callUntilStopped() {
      let isStopped = false;
      const failures: unknown[] = [];
      const lanes = Array.from({ length: 6 }, async () => {
        while (!isStopped) await callOnce().catch((error) => failures.push(error));
      });
      return {
        async stop() {
          isStopped = true;
          await Promise.all(lanes);
          return failures;
        },
      };
    },

    /** Calls until that many replicas are connected. */
    reaches: (count: number) =>
      waitUntil({ timeoutMs: 20_000, describe: () => `Expected ${count} replicas, got ${balancing.loads().length}` }, async () => {
        await callOnce().catch(() => {});
        return balancing.loads().length === count;
      }),

    async addReplica({ delayMs, answer, ttlSeconds = 10 }: { delayMs: number; answer?: StatusObject; ttlSeconds?: number }) {
      replicas += 1;
      const backend = await startBackend(delayMs, answer);
      shopUndo.defer(() => backend.kill());
      const address = addressOf(replicas);
      addresses[address] = backend.address;
      const history: string[] = [];
      const onEvent = ({ kind }: RegistrationEvent) => void history.push(kind);
      const registration = await publish({ etcd, namespace, service: 'inventory', replica: replicas, address, ttlSeconds, onEvent });
      shopUndo.defer(() => registration.withdraw());
      return { ...backend, registration, history };
    },

    [Symbol.asyncDispose]: () => shopUndo.disposeAsync(),
  };
}

/** Hangs up on whoever connects, where a replica used to answer. */
async function slammedDoor(address: string) {
  let knocks = 0;
  const door = createServer((socket) => {
    knocks += 1;
    socket.destroy();
  });
  door.listen(splitAddress(address));
  await once(door, 'listening');
  return { knocks: () => knocks, close: () => new Promise((resolve) => door.close(resolve)) };
}

const identity = (bytes: Buffer) => bytes;
const method = {
  path: '/Echo/Say',
  requestStream: false,
  responseStream: false,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
};
const Echo = makeGenericClientConstructor({ say: method }, 'Echo');

/** Answers after a while; can be killed and revived at the same port. */
async function startBackend(delayMs: number, failure?: StatusObject) {
  let inFlight = 0;
  let port = 0;
  let grpc = new Server();

  async function listen() {
    grpc = new Server();
    grpc.addService(Echo.service, {
      say({ request }: { request: Buffer }, answer: (error: Partial<StatusObject> | null, reply?: Buffer) => void) {
        inFlight += 1;
        setTimeout(() => {
          inFlight -= 1;
          if (failure === undefined) answer(null, request);
          else answer(failure);
        }, delayMs);
      },
    });
    port = await new Promise<number>((resolve, reject) => {
      grpc.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    });
  }

  await listen();
  return {
    address: `127.0.0.1:${port}`,
    inFlight: () => inFlight,
    kill: () => grpc.forceShutdown(),
    revive: listen,
    stopGently: () => new Promise<void>((resolve, reject) => grpc.tryShutdown((error) => (error ? reject(error) : resolve()))),
  };
}
