import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { Client as Channel, credentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Etcd3 } from 'etcd3';
import { protoPath as healthProto } from 'grpc-health-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimPorts, type Ports } from '../../../compose/ports.ts';
import { splitAddress } from '../../../core/address.ts';
import { runClock, waitUntil } from '../../../core/time.ts';
import { startOtlpReceiver } from '../../../harness/observe/otlp.ts';
import type { Span } from '../../../harness/observe/otlp-decode.ts';
import { rpcClient } from '../../../system/rpc/client.ts';
import { connectEtcd } from '../../../system/rpc/etcd.ts';
import type { Mechanism, TuningChange } from '../../../system/tuning.ts';
import { startTestEtcd, type TestEtcd } from '../../support/etcd.ts';
import { testRuntime } from '../../support/runtime.ts';

const clock = runClock();
const undo = new AsyncDisposableStack();
const spans: Span[] = [];
let ports: Ports;
let server: TestEtcd;
let etcd: Etcd3;
let otlp: string;

beforeAll(async () => {
  ports = await claimPorts({ random: Math.random });
  undo.defer(() => ports.close());
  server = await startTestEtcd(undo);
  etcd = connectEtcd(server.address);
  undo.defer(() => etcd.close());
  const receiver = await startOtlpReceiver({ epochMs: clock.nowMs(), store: { add: (batch) => void spans.push(...batch) } });
  undo.defer(receiver.close);
  otlp = receiver.address;
});
afterAll(() => undo.disposeAsync());

test('a process that is told to stop leaves etcd, hands over its spans and exits with 0', async () => {
  await using process = await startProcess();
  expect(await etcd.get('test/payment/1').string()).toBe(process.listen);
  expect((await process.payment.charge({ orderId: 'o-1' })).status).toBe('PAID');

  process.child.kill('SIGTERM');
  await waitUntil(
    { timeoutMs: 10_000, everyMs: 5, describe: () => 'Expected the process to say that it is not ready any more' },
    process.isLeaving,
  );
  // Told once more, it goes on as it was.
  process.child.kill('SIGTERM');
  process.child.kill('SIGINT');
  expect(await process.exitCode).toBe(0);
  expect(await etcd.get('test/payment/1').string()).toBeNull();
  const own = spans.filter(({ instance }) => instance === 'payment.1');
  expect(own.map(({ name }) => name)).toEqual(['charge', 'payment.Payment/Charge']);
});

test('a process that is told to stop while it registers does not stay in etcd', async () => {
  await using gate = await gateTo(server.address);
  await using process = await startProcess({
    untilReady: false,
    registry: gate.address,
    tuning: { stop: { wrapUpMs: 2_000, waitMs: 8_000 } },
  });
  await waitUntil({ timeoutMs: 20_000, describe: () => 'Expected the process to want to register' }, () => gate.isKnockedAt());
  process.child.kill('SIGTERM');
  // Once it has answered it has also seen the signal. Whether it is ready it could only tell with etcd.
  await fetch(`http://${process.admin}/health`);
  gate.open();
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the process to register' }, () =>
    process.output().includes('payment answers'),
  );
  expect(await process.isLeaving()).toBe(true);
  expect(await process.exitCode).toBe(0);
  expect(process.output()).toContain('The replica is withdrawn');
  expect(await etcd.get('test/payment/1').string()).toBeNull();
});

test('a process ends when its time to stop is over, and names what it did not wait for', async () => {
  const mute = createServer();
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const collector = `127.0.0.1:${(mute.address() as AddressInfo).port}`;
  await using process = await startProcess({ collector, tuning: { stop: { wrapUpMs: 0, waitMs: 500 } } });
  await process.payment.charge({ orderId: 'o-1' });
  process.child.kill('SIGTERM');
  expect(await process.exitCode).toBe(0);
  expect(process.lines().map((line): unknown => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ level: 'error', msg: "Stopping 'tracing' took too long: after 500 ms the process ends without it" }),
  );
  mute.close();
});

test('an operator is told about health, readiness and metrics', async () => {
  await using process = await startProcess();
  await process.payment.charge({ orderId: 'o-1' });
  const ask = async (path: string) => {
    const response = await fetch(`http://${process.admin}${path}`);
    return [response.status, await response.text()] as const;
  };
  expect(await ask('/health')).toEqual([200, '{"status":"ok"}']);
  expect(await ask('/ready')).toEqual([200, '{"status":"ready","failing":{}}']);
  const [, metrics] = await ask('/metrics');
  expect(metrics).toContain('rpc_server_requests_code_total{method="/payment.Payment/Charge",code="0"} 1');
  for (const name of ['mall_cpu_usage_milli', 'process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds']) {
    expect(metrics).toMatch(new RegExp(`^${name} [0-9.e+-]+$`, 'm'));
  }
  expect((await ask('/nowhere'))[0]).toBe(404);
});

test('a gRPC client may ask for health by the standard protocol', async () => {
  await using process = await startProcess();
  const method = loadSync(healthProto)['grpc.health.v1.Health'] as unknown as Record<
    string,
    { path: string; requestSerialize(value: object): Buffer; responseDeserialize(bytes: Buffer): { status: unknown } }
  >;
  const check = method.Check;
  if (check === undefined) throw new Error('Expected the health protocol to have Check');
  const channel = new Channel(process.listen, credentials.createInsecure());
  const answer = await new Promise((resolve, reject) => {
    channel.makeUnaryRequest(check.path, check.requestSerialize, check.responseDeserialize, {}, (error, value) =>
      error === null ? resolve(value) : reject(error),
    );
  });
  expect(answer).toMatchObject({ status: 1 });
  channel.close();
});

test('an error that nobody caught ends the process with 1, and is the last thing in its log', async () => {
  await using process = await startProcess();
  await process.payment.get({ orderId: 'o-1' }).catch(() => undefined);
  expect(await process.exitCode).toBe(1);
  expect(JSON.parse(process.lines().at(-1) ?? '{}')).toMatchObject({ level: 'fatal', err: { message: 'nobody caught this' } });
});

test('thousands of calls that ran out of time do not take the others down with them', async () => {
  await using process = await startProcess({ without: ['breaker', 'shedding'] });
  await process.payment.charge({ orderId: 'o-1' });
  const ask = (client: typeof process.payment) =>
    client.charge({ orderId: 'o-1' }).then(
      ({ status }) => status,
      (error) => error.refusedBy ?? `${error}: ${error.cause}`,
    );
  process.child.kill('SIGSTOP');
  const hasty = await Promise.all(Array.from({ length: 3_000 }, () => ask(process.hastyPayment)));
  const patient = Array.from({ length: 10 }, () => ask(process.payment));
  process.child.kill('SIGCONT');
  expect(new Set(hasty)).toEqual(new Set(['deadline']));
  expect(new Set(await Promise.all(patient))).toEqual(new Set(['PAID']));
});

test('an address that is taken is named', async () => {
  await using first = await startProcess();
  const second = await startProcess({ listen: first.listen, untilReady: false });
  expect(await second.exitCode).toBe(1);
  expect(second.lines().join('\n')).toContain(`Expected to answer gRPC at ${first.listen}`);
});

async function startProcess({
  listen = '',
  untilReady = true,
  without = [],
  tuning = {},
  registry = server.address,
  collector = otlp,
}: {
  listen?: string;
  untilReady?: boolean;
  without?: Mechanism[];
  tuning?: TuningChange;
  /** Where it finds etcd. */
  registry?: string;
  /** Where it sends its spans. */
  collector?: string;
} = {}) {
  const address = listen || `127.0.0.1:${await ports.next()}`;
  const admin = `127.0.0.1:${await ports.next()}`;
  const { config } = testRuntime('payment', {
    clock,
    config: { listen: address, admin, etcd: registry, otlp: collector },
    without,
    tuning,
  });
  const fixture = join(import.meta.dirname, '../../support/processes/answers-payments.ts');
  const child: ChildProcess = spawn(process.execPath, [fixture], {
    env: { ...process.env, MALL_CONFIG: JSON.stringify(config) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  // 'close' comes after the last output, 'exit' may come before it.
  const exitCode = once(child, 'close').then(([code]) => code as number | null);
  if (untilReady) {
    await waitUntil({ timeoutMs: 20_000, describe: () => `Expected payment to answer, got\n${output}` }, () =>
      output.includes('payment answers'),
    );
  }
  const callerWithin = (ms: number) =>
    testRuntime('orders', { clock, without, replicas: { payment: address }, tuning: { deadlines: { edges: { 'orders->payment': ms } } } });
  const [caller, hastyCaller] = [callerWithin(10_000), callerWithin(300)];
  const payment = rpcClient(caller, 'payment');
  const hastyPayment = rpcClient(hastyCaller, 'payment');
  return {
    child,
    listen: address,
    admin,
    payment,
    hastyPayment,
    exitCode,
    output: () => output,
    lines: () => output.trim().split('\n'),
    isLeaving: async () => (await (await fetch(`http://${admin}/ready`)).text()).includes('The process is stopping'),
    async [Symbol.asyncDispose]() {
      await Promise.all([caller.stop(), hastyCaller.stop()]);
      child.kill('SIGKILL');
      await exitCode;
    },
  };
}

/** Keeps whoever connects waiting until it is opened. */
async function gateTo(address: string) {
  const opened = Promise.withResolvers<void>();
  const sockets = new Set<Socket>();
  let isKnockedAt = false;
  const gate = createServer(async (outside) => {
    isKnockedAt = true;
    sockets.add(outside.on('error', () => undefined));
    await opened.promise;
    const inside = connect(splitAddress(address));
    sockets.add(inside.on('error', () => undefined));
    outside.pipe(inside).pipe(outside);
  });
  gate.listen(0, '127.0.0.1');
  await once(gate, 'listening');
  return {
    address: `127.0.0.1:${(gate.address() as AddressInfo).port}`,
    isKnockedAt: () => isKnockedAt,
    open: () => opened.resolve(),
    [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => gate.close(() => resolve()));
    },
  };
}
