import type { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitUntil } from '../../../core/time.ts';
import { type Replicas, watchReplicas } from '../../../system/rpc/discovery.ts';
import { connectEtcd } from '../../../system/rpc/etcd.ts';
import { publish } from '../../../system/rpc/registration.ts';
import { startTestEtcd, type TestEtcd } from '../../support/etcd.ts';

const undo = new AsyncDisposableStack();
let server: TestEtcd;
let etcd: Etcd3;

beforeAll(async () => {
  server = await startTestEtcd(undo);
  etcd = connectEtcd(server.address);
  undo.defer(() => etcd.close());
});
afterAll(() => undo.disposeAsync());

/** Each test has a namespace of its own. */
const replica = (namespace: string, address: string, number = 1) => ({ etcd, namespace, service: 'orders', replica: number, address });

function watch(namespace: string) {
  const seen: Replicas[] = [];
  const stale: unknown[] = [];
  const watching = watchReplicas({
    keys: etcd.namespace(`${namespace}/`),
    service: 'orders',
    onReplicas: (replicas) => seen.push(replicas),
    onStale: (cause) => stale.push(cause),
  });
  const latest = () => Object.fromEntries(seen.at(-1) ?? []);
  const becomes = (expected: Record<string, string>) =>
    waitUntil({ timeoutMs: 30_000, describe: () => `Expected ${JSON.stringify(expected)}, got ${JSON.stringify(latest())}` }, () => {
      return seen.length > 0 && JSON.stringify(latest()) === JSON.stringify(expected);
    });
  return { seen, stale, latest, becomes, stop: watching.stop };
}

test('a replica can be found from its publication to its withdrawal', async () => {
  const { becomes, stop } = watch('a');
  await becomes({});
  const first = await publish(replica('a', '127.0.0.1:1001'));
  const second = await publish(replica('a', '127.0.0.1:1002', 2));
  await becomes({ 1: '127.0.0.1:1001', 2: '127.0.0.1:1002' });
  await first.withdraw();
  await becomes({ 2: '127.0.0.1:1002' });
  await second.withdraw();
  await becomes({});
  stop();
});

test('a service is not mistaken for one whose name begins alike', async () => {
  const { becomes, stop } = watch('alike');
  const other = await publish({ ...replica('alike', '127.0.0.1:1001'), service: 'orders2' });
  const own = await publish(replica('alike', '127.0.0.1:1002'));
  await becomes({ 1: '127.0.0.1:1002' });
  await Promise.all([other.withdraw(), own.withdraw()]);
  stop();
});

test('a replica whose lease was revoked by others registers again', async () => {
  const kinds: string[] = [];
  const { becomes, stop } = watch('b');
  const registration = await publish({ ...replica('b', '127.0.0.1:1001'), ttlSeconds: 2, onEvent: ({ kind }) => kinds.push(kind) });
  await becomes({ 1: '127.0.0.1:1001' });
  const { kvs } = await etcd.get('b/orders/1').exec();
  await etcd.leaseClient.leaseRevoke({ ID: String(kvs[0]?.lease) });
  await waitUntil({ timeoutMs: 10_000, describe: () => `Expected a second registration, got ${kinds}` }, () => kinds.length === 3);
  await becomes({ 1: '127.0.0.1:1001' });
  await registration.withdraw();
  await becomes({});
  stop();
  expect(kinds).toEqual(['registered', 'lost', 'registered', 'withdrawn']);
});

test('a replica whose key others deleted puts it back, under the lease it has', async () => {
  const kinds: string[] = [];
  const { becomes, stop } = watch('deleted');
  const registration = await publish({ ...replica('deleted', '127.0.0.1:1001'), onEvent: ({ kind }) => kinds.push(kind) });
  await becomes({ 1: '127.0.0.1:1001' });
  const lease = (await etcd.get('deleted/orders/1').exec()).kvs[0]?.lease;
  for (let times = 1; times <= 2; times += 1) {
    await etcd.delete().key('deleted/orders/1').exec();
    await waitUntil(
      { timeoutMs: 10_000, describe: () => `Expected the key to be put back, got ${kinds}` },
      () => kinds.length === 1 + times,
    );
    expect((await etcd.get('deleted/orders/1').exec()).kvs[0]?.lease).toBe(lease);
  }
  await registration.withdraw();
  await becomes({});
  stop();
  expect(kinds).toEqual(['registered', 'restored', 'restored', 'withdrawn']);
});

test('news that its listener failed to take are told again', async () => {
  const stale: unknown[] = [];
  const taken: Replicas[] = [];
  let isFirst = true;
  const own = await publish(replica('again', '127.0.0.1:1001'));
  const watching = watchReplicas({
    keys: etcd.namespace('again/'),
    service: 'orders',
    onReplicas(replicas) {
      if (!isFirst) return taken.push(replicas);
      isFirst = false;
      throw new Error('not now');
    },
    onStale: (cause) => stale.push(cause),
  });
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the replicas to be told again' }, () => taken.length > 0);
  expect([Object.fromEntries(taken[0] ?? []), stale]).toEqual([{ 1: '127.0.0.1:1001' }, [new Error('not now')]]);
  watching.stop();
  await own.withdraw();
});

test('while etcd is away the last known replicas stay, and news arrive when it is back', async () => {
  const { seen, stale, becomes, stop } = watch('c');
  const first = await publish(replica('c', '127.0.0.1:1001'));
  await becomes({ 1: '127.0.0.1:1001' });
  const before = seen.length;
  await server.stop();
  await waitUntil({ timeoutMs: 20_000, describe: () => 'Expected word that etcd is away' }, () => stale.length > 0);
  expect(seen).toHaveLength(before);
  await server.start();
  const second = await publish(replica('c', '127.0.0.1:1002', 2));
  await becomes({ 1: '127.0.0.1:1001', 2: '127.0.0.1:1002' });
  await Promise.all([first.withdraw(), second.withdraw()]);
  await becomes({});
  stop();
});

test('the first registration fails with the name of the replica when there is no etcd', async () => {
  const nobody = connectEtcd('127.0.0.1:1');
  await expect(publish({ ...replica('d', '127.0.0.1:1001'), etcd: nobody })).rejects.toThrow(/register orders\.1 at 127\.0\.0\.1:1001/);
  nobody.close();
});
