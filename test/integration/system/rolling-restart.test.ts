import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimPorts } from '../../../compose/ports.ts';
import { runClock, waitUntil } from '../../../core/time.ts';
import { startOtlpReceiver } from '../../../harness/observe/otlp.ts';
import { monotonicNs } from '../../../system/governance/clock.ts';
import { registerP2c } from '../../../system/rpc/balancer.ts';
import { rpcClient } from '../../../system/rpc/client.ts';
import { connectEtcd } from '../../../system/rpc/etcd.ts';
import { registerEtcdResolver } from '../../../system/rpc/resolver.ts';
import type { TuningChange } from '../../../system/tuning.ts';
import { startTestEtcd, type TestEtcd } from '../../support/etcd.ts';
import { recordSpans, testRuntime } from '../../support/runtime.ts';

recordSpans();
const undo = new AsyncDisposableStack();
const clock = runClock();
let server: TestEtcd;
let etcd: Etcd3;
let otlp: string;
let loads: ReturnType<typeof registerP2c>['loads'];
const addresses = new Map<number, { listen: string; admin: string }>();

beforeAll(async () => {
  server = await startTestEtcd(undo);
  etcd = connectEtcd(server.address);
  undo.defer(() => etcd.close());
  const receiver = await startOtlpReceiver({ epochMs: clock.nowMs(), store: { add: () => undefined } });
  undo.defer(() => receiver.close());
  otlp = receiver.address;
  const ports = await claimPorts({ random: Math.random });
  undo.defer(() => ports.close());
  for (const replica of [1, 2]) {
    addresses.set(replica, { listen: `127.0.0.1:${await ports.next()}`, admin: `127.0.0.1:${await ports.next()}` });
  }
  const balancing = { policy: 'p2c_ewma', keepsState: false, failuresRaiseLoad: false } as const;
  const directory = registerEtcdResolver({ etcd, namespace: 'test', addresses: {}, balancing, random: Math.random });
  ({ loads } = registerP2c({ clockNs: monotonicNs, random: Math.random, peer: directory.peer }));
});
afterAll(() => undo.disposeAsync());

test('a rolling restart of all replicas under load costs no call', async () => {
  const replicas = [await startReplica(1), await startReplica(2)];
  const load = callAllTheTime();
  await reaches(2);
  for (const [index, replica] of replicas.entries()) {
    await load.goesOn();
    expect(await replica.end('SIGTERM')).toBe(0);
    await load.goesOn();
    replicas[index] = await startReplica(index + 1);
    await reaches(2);
  }
  await load.goesOn();
  const { failures, answered } = await load.stop();
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThan(100);
  await Promise.all(replicas.map((replica) => replica.end('SIGTERM')));
});

test('a killed replica costs the calls it had, and is forgotten with its lease', async () => {
  const shortLease = { registration: { ttlSeconds: 2 } };
  const [first, second] = [await startReplica(1, shortLease), await startReplica(2, shortLease)];
  const load = callAllTheTime();
  await reaches(2);
  await load.goesOn();
  await first.end('SIGKILL');
  // Its connection is gone, so it is not picked any more, though etcd still names it.
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the dead replica to be noticed' }, () => loads().length === 1);
  const failedByThen = load.failures.length;
  await load.goesOn();
  await waitUntil({ timeoutMs: 20_000, describe: () => 'Expected the dead replica to leave etcd' }, async () => {
    return (await etcd.getAll().prefix('test/payment/').keys()).length === 1;
  });
  await load.goesOn();
  const { failures } = await load.stop();
  expect(failures.length).toBe(failedByThen);
  // No more than were in flight.
  expect(failures.length).toBeLessThanOrEqual(lanes);
  await second.end('SIGTERM');
});

const lanes = 6;

async function reaches(count: number) {
  const describe = () => `Expected ${count} replicas to be connected, got ${loads().length}`;
  await waitUntil({ timeoutMs: 20_000, describe }, () => loads().length === count);
}

/** Calls without a pause, six at a time, and without retries. */
function callAllTheTime() {
  const runtime = testRuntime('orders', { clock, replicas: { payment: 'etcd:///payment' } });
  const payment = rpcClient(runtime, 'payment');
  const failures: unknown[] = [];
  let answered = 0;
  let isStopped = false;
  const running = Array.from({ length: lanes }, async () => {
    while (!isStopped) {
      await payment.charge({ orderId: 'O1', userId: 1, amountCents: 1 }).then(
        () => {
          answered += 1;
        },
        (error) => failures.push(error),
      );
      // Lets a failing call not starve everything else.
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  return {
    failures,
    async goesOn() {
      const before = answered;
      await waitUntil({ timeoutMs: 20_000, describe: () => 'Expected further calls to be answered' }, () => answered > before + 50);
    },
    async stop() {
      isStopped = true;
      await Promise.all(running);
      await runtime.stop();
      return { failures, answered };
    },
  };
}

async function startReplica(replica: number, tuning: TuningChange = {}) {
  const { config } = testRuntime('payment', { clock, tuning, config: { ...addresses.get(replica), replica, etcd: server.address, otlp } });
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../support/processes/answers-payments.ts')], {
    env: { ...process.env, MALL_CONFIG: JSON.stringify(config) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const exitCode = once(child, 'close').then(([code]) => code as number | null);
  undo.defer(() => void child.kill('SIGKILL'));
  const describe = () => `Expected payment.${replica} to answer, got\n${output}`;
  await waitUntil({ timeoutMs: 20_000, describe }, () => output.includes('payment answers'));
  return {
    async end(signal: 'SIGTERM' | 'SIGKILL') {
      child.kill(signal);
      return exitCode;
    },
  };
}
