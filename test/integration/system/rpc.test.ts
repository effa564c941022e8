import { Client as Channel, credentials, type handleUnaryCall, Server, ServerCredentials, type StatusObject, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { protoPath as healthProto } from 'grpc-health-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { claimPorts, type Ports } from '../../../compose/ports.ts';
import { runClock, waitUntil } from '../../../core/time.ts';
import { startOtlpReceiver } from '../../../harness/observe/otlp.ts';
import type { Span } from '../../../harness/observe/otlp-decode.ts';
import { loadContract, type RpcService } from '../../../system/contracts/load.ts';
import { codes, MallError } from '../../../system/errors.ts';
import { rpcClient } from '../../../system/rpc/client.ts';
import { remainingMs, withDeadline } from '../../../system/rpc/context.ts';
import { type Handlers, serve } from '../../../system/rpc/server.ts';
import { inSpan } from '../../../system/telemetry/spans.ts';
import { otlpExporter, startTracing } from '../../../system/telemetry/tracing.ts';
import type { TuningChange } from '../../../system/tuning.ts';
import { balanceGivenReplicas } from '../../support/replicas.ts';
import { metricValue, type TestRuntime, testRuntime } from '../../support/runtime.ts';

const clock = runClock();
const undo = new AsyncDisposableStack();
const replicas = balanceGivenReplicas();
const spans: Span[] = [];
let flush: () => Promise<void>;
let ports: Ports;

beforeAll(async () => {
  ports = await claimPorts({ random: Math.random });
  undo.defer(() => ports.close());
  const receiver = await startOtlpReceiver({ epochMs: clock.nowMs(), store: { add: (batch) => void spans.push(...batch) } });
  undo.defer(receiver.close);
  const { metrics } = testRuntime('orders');
  const tracing = startTracing({ service: 'orders', instance: 'orders.1', metrics, exporter: otlpExporter(receiver.address) });
  undo.defer(() => tracing.stop(1_000));
  flush = async () => {
    const value = async (name: string) => (await metrics.registry.getSingleMetric(name)?.get())?.values[0]?.value ?? 0;
    await waitUntil({ timeoutMs: 5_000, describe: () => 'Expected every span to be handed over' }, async () => {
      return (await value('mall_spans_ended_total')) === (await value('mall_spans_exported_total'));
    });
  };
});
afterAll(() => undo.disposeAsync());

test('a request goes there and an answer comes back', async () => {
  await using mall = await paymentBehindOrders({ charge: async ({ orderId }) => ({ orderId, amountCents: 250, status: 'PAID' }) });
  expect(await mall.payment.charge({ orderId: 'o-1', userId: 7 })).toEqual({ orderId: 'o-1', amountCents: 250, status: 'PAID' });
});

test('a business failure crosses the wire with its code', async () => {
  await using mall = await paymentBehindOrders({
    charge: async () => {
      throw new MallError('insufficientBalance', 'Five cents are missing: fünf €');
    },
  });
  await expect(mall.payment.charge({})).rejects.toMatchObject({
    code: codes.insufficientBalance,
    message: 'Five cents are missing: fünf €',
    httpStatus: 409,
  });
});

test('the time left shrinks over the wire, and a server that takes longer is not waited for', async () => {
  let leftMs = Number.NaN;
  const neverAnswers = async () => {
    leftMs = remainingMs(clock);
    return new Promise<never>(() => {});
  };
  await using mall = await paymentBehindOrders({ charge: neverAnswers }, within(5_000));
  const startMs = clock.nowMs();
  const ask = context.with(withDeadline(ROOT_CONTEXT, startMs + 1_000), () => mall.payment.charge({}));
  await expect(ask).rejects.toMatchObject({ refusedBy: 'deadline', httpStatus: 504 });
  expect(clock.nowMs() - startMs).toBeGreaterThanOrEqual(999);
  expect(leftMs).toBeGreaterThan(0);
  expect(leftMs).toBeLessThan(1_000);
});

test('a call gets no more time than its own limit', async () => {
  await using mall = await paymentBehindOrders({ charge: () => new Promise(() => {}) }, within(100));
  await expect(mall.payment.charge({})).rejects.toMatchObject({ refusedBy: 'deadline' });
});

test('an address where nobody answers fails at once', async () => {
  const runtime = testRuntime('orders', { clock, replicas: { payment: `127.0.0.1:${await ports.next()}` } });
  await expect(rpcClient(runtime, 'payment').charge({})).rejects.toMatchObject({ code: codes.rpc, httpStatus: 503, refusedBy: undefined });
  await runtime.stop();
});

test('a breaker opens after failures: calls are refused by the caller and do not reach the callee', async () => {
  const handler = vi.fn(async () => {
    throw new MallError('database');
  });
  await using mall = await paymentBehindOrders({ charge: handler });
  const refusals: MallError[] = [];
  for (let index = 0; index < 100; index += 1) {
    await mall.payment.charge({}).catch((error) => error.refusedBy === 'breaker' && refusals.push(error));
  }
  const drops = await metricValue(mall.orders, 'mall_breaker_requests_total', {
    name: 'orders->payment/payment.Payment/Charge',
    result: 'drop',
  });
  expect(drops).toBeGreaterThan(20);
  // Some were refused by the callee's own breaker: the caller is told so in the same words.
  expect(refusals.length).toBeGreaterThanOrEqual(drops);
  expect(refusals[0]).toMatchObject({ code: codes.rpc, httpStatus: 503 });
  expect(handler.mock.calls.length).toBeLessThan(100 - drops + 1);

  await flush();
  const locally = spans.filter(({ attributes, kind }) => kind === 'client' && attributes?.['mall.refused_by'] === 'breaker');
  expect(locally).toHaveLength(drops);
  expect(locally.flatMap(({ events }) => events ?? []).map(({ name }) => name)).toEqual(['breaker.open']);
});

test('without breakers every call reaches the callee', async () => {
  const handler = vi.fn(async () => {
    throw new MallError('database');
  });
  await using mall = await paymentBehindOrders({ charge: handler }, { without: ['breaker'] });
  for (let index = 0; index < 50; index += 1) await mall.payment.charge({}).catch(() => {});
  expect(handler).toHaveBeenCalledTimes(50);
});

test("the callee's span is the child of the caller's, which is the child of the work it belongs to", async () => {
  await using mall = await paymentBehindOrders({
    charge: ({ orderId }) => inSpan(mall.paymentRuntime, 'draw money', async () => ({ orderId })),
  });
  const outcome = await inSpan(mall.orders, 'initiate_payment', async (span) => {
    await Promise.all([mall.payment.charge({ orderId: 'a' }), mall.payment.charge({ orderId: 'b' })]);
    return span.spanContext();
  });
  await flush();
  const trace = spans.filter(({ traceId }) => traceId === outcome.traceId);
  const childrenOf = (id: string | undefined) => trace.filter(({ parentId }) => parentId === id);
  const clients = childrenOf(outcome.spanId);
  expect(clients.map(({ name, kind, attributes }) => [name, kind, attributes?.['mall.edge'], attributes?.['mall.peer']])).toEqual(
    Array.from({ length: 2 }, () => ['payment.Payment/Charge', 'client', 'orders->payment', 'payment.1']),
  );
  for (const client of clients) {
    expect(client.attributes).toMatchObject({ 'network.peer.address': '127.0.0.1', 'network.peer.port': expect.any(Number) });
    const [server, ...others] = childrenOf(client.spanId);
    expect([server?.name, server?.kind, others]).toEqual(['payment.Payment/Charge', 'server', []]);
    expect(childrenOf(server?.spanId).map(({ name }) => name)).toEqual(['draw money']);
    // Microseconds matter: a child that starts before its parent cannot be drawn.
    expect(server?.startMs).toBeGreaterThanOrEqual(client.startMs);
  }
});

test('both sides count calls by method and status', async () => {
  await using mall = await paymentBehindOrders({ charge: async () => ({}) });
  await mall.payment.charge({});
  const labels = { method: '/payment.Payment/Charge', code: '0' };
  expect(await metricValue(mall.orders, 'rpc_client_requests_code_total', labels)).toBe(1);
  expect(await metricValue(mall.paymentRuntime, 'rpc_server_requests_code_total', labels)).toBe(1);
});

test('a server that stops lets calls in progress finish', async () => {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  await using mall = await paymentBehindOrders({
    charge: async () => {
      begun.resolve();
      await gate.promise;
      return { status: 'PAID' };
    },
  });
  const answer = mall.payment.charge({});
  await begun.promise;
  const stopped = mall.paymentRuntime.stop();
  gate.resolve();
  expect((await answer).status).toBe('PAID');
  await stopped;
  await expect(mall.payment.charge({})).rejects.toMatchObject({ code: codes.rpc });
});

test.each(['', 'payment.Payment'])("who watches the health of '%s' hears when it stops", async (service) => {
  await using mall = await paymentBehindOrders({ charge: async () => ({}) });
  await using health = watchHealth(mall.listen, service);
  await health.becomes('SERVING');
  const stopped = mall.paymentRuntime.stop();
  await health.becomes('NOT_SERVING');
  health.end();
  await stopped;
});

test('a total outage is met with a tenth more load at most', async () => {
  await using outage = await answersBarely(() => ({ code: status.UNAVAILABLE }));
  const orders = testRuntime('orders', {
    clock,
    // It would take most of the load away.
    without: ['breaker'],
    tuning: { retries: { attempts: 4, firstDelayMs: 1 } },
    replicas: { payment: outage.address },
  });
  await using _stop = { [Symbol.asyncDispose]: orders.stop };
  const payment = rpcClient(orders, 'payment');
  const calls = 300;
  for (let done = 0; done < calls; done += 20) {
    await Promise.all(Array.from({ length: 20 }, () => payment.charge({}).catch(() => undefined)));
  }
  const retried = await metricValue(orders, 'mall_retries_total', { edge: 'orders->payment', result: 'retried' });
  expect(outage.calls()).toBe(calls + retried);
  expect(retried).toBeGreaterThan(0);
  expect(retried).toBeLessThanOrEqual(calls * 0.1);
  expect(await metricValue(orders, 'mall_retries_total', { result: 'withheld' })).toBeGreaterThan(0);
});

test.each([
  { attempts: 1, failed: 10 },
  { attempts: 2, failed: 0 },
])('with $attempts attempts one of two replicas that fails is felt by $failed of 20 calls', async ({ attempts, failed }) => {
  await using sick = await answersBarely(() => ({ code: status.UNAVAILABLE }));
  await using healthy = await answersBarely(() => undefined);
  const orders = testRuntime('orders', {
    clock,
    // The breaker is the whole edge's and would open: half of what it sees fails.
    without: ['breaker'],
    tuning: { retries: { attempts, firstDelayMs: 1, budgetShare: 1 } },
    replicas: { payment: replicas.target('round_robin', sick.address, healthy.address) },
  });
  await using _stop = { [Symbol.asyncDispose]: orders.stop };
  const payment = rpcClient(orders, 'payment');
  await waitUntil({ timeoutMs: 5_000, describe: () => 'Expected both replicas to be called' }, async () => {
    await payment.get({}).catch(() => undefined);
    return sick.calls() > 0 && healthy.calls() > 0;
  });
  const outcomes = [];
  for (let index = 0; index < 20; index += 1)
    outcomes.push(
      await payment.charge({ orderId: String(index) }).then(
        () => 'ok',
        () => 'failed',
      ),
    );
  expect(outcomes.filter((outcome) => outcome === 'failed')).toHaveLength(failed);
});

test('each attempt has its span and is numbered', async () => {
  let asked = 0;
  await using callee = await answersBarely(() => {
    asked += 1;
    return asked === 2 ? { code: status.UNAVAILABLE } : undefined;
  });
  const orders = testRuntime('orders', {
    clock,
    tuning: { retries: { attempts: 2, firstDelayMs: 1, budgetShare: 1 } },
    replicas: { payment: callee.address },
  });
  await using _stop = { [Symbol.asyncDispose]: orders.stop };
  const payment = rpcClient(orders, 'payment');
  await payment.charge({});
  const { traceId } = await inSpan(orders, 'initiate_payment', async (span) => {
    await payment.charge({});
    return span.spanContext();
  });
  await flush();
  const attempts = spans.filter((span) => span.traceId === traceId && span.kind === 'client');
  expect(attempts.map(({ attributes }) => [attributes?.['rpc.status_code'], attributes?.['mall.attempt']])).toEqual([
    ['UNAVAILABLE', undefined],
    ['OK', 2],
  ]);
  expect(await metricValue(orders, 'mall_breaker_requests_total', { kind: 'client', result: 'failure' })).toBe(1);
});

test('a method that its contract does not call repeatable is asked once', async () => {
  await using callee = await answersBarely(() => ({ code: status.UNAVAILABLE }), 'user');
  const gateway = testRuntime('gateway', {
    clock,
    tuning: { retries: { attempts: 4, firstDelayMs: 1, budgetShare: 1 } },
    replicas: { user: callee.address },
  });
  await using _stop = { [Symbol.asyncDispose]: gateway.stop };
  const user = rpcClient(gateway, 'user');
  await expect(user.register({})).rejects.toMatchObject({ grpcStatus: status.UNAVAILABLE });
  expect(callee.calls()).toBe(1);
  await expect(user.get({})).rejects.toMatchObject({ grpcStatus: status.UNAVAILABLE });
  expect(callee.calls()).toBe(3);
});

/** A server of grpc-js alone: as a proxy would answer, or a process that is not quite there. */
async function answersBarely(answer: () => Partial<StatusObject> | undefined, service: RpcService = 'payment') {
  let calls = 0;
  const server = new Server();
  const contract = loadContract(service);
  const handle: handleUnaryCall<unknown, unknown> = (_call, reply) => {
    calls += 1;
    const failure = answer();
    reply(failure ?? null, failure === undefined ? {} : null);
  };
  server.addService(contract, Object.fromEntries(Object.keys(contract).map((name) => [name, handle])));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    calls: () => calls,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}

const within = (ms: number) => ({ tuning: { deadlines: { edges: { 'orders->payment': ms } } } });

/** The payment service with one handler of the test's own, and a client of it as orders has it. */
async function paymentBehindOrders(
  { charge }: Pick<Handlers<'payment'>, 'charge'>,
  { tuning = {}, without = [] }: { tuning?: TuningChange; without?: ('breaker' | 'shedding')[] } = {},
) {
  const listen = `127.0.0.1:${await ports.next()}`;
  const paymentRuntime: TestRuntime = testRuntime('payment', { clock, listen, without });
  await serve(paymentRuntime, 'payment', { charge, get: async () => ({}) });
  const orders = testRuntime('orders', { clock, tuning, without, replicas: { payment: listen } });
  const payment = rpcClient(orders, 'payment');
  return {
    listen,
    payment,
    orders,
    paymentRuntime,
    async [Symbol.asyncDispose]() {
      await orders.stop();
      await paymentRuntime.stop();
    },
  };
}

/** By gRPC's own health protocol. */
function watchHealth(address: string, service: string) {
  const { Watch } = loadSync(healthProto, { enums: String })['grpc.health.v1.Health'] as unknown as {
    Watch: { path: string; requestSerialize(value: object): Buffer; responseDeserialize(bytes: Buffer): { status: string } };
  };
  const channel = new Channel(address, credentials.createInsecure());
  const stream = channel.makeServerStreamRequest(Watch.path, Watch.requestSerialize, Watch.responseDeserialize, { service });
  let seen = '';
  stream.on('data', ({ status }) => {
    seen = status;
  });
  // It ends by being cancelled.
  stream.on('error', () => undefined);
  return {
    becomes: (expected: string) =>
      waitUntil({ timeoutMs: 5_000, describe: () => `Expected ${expected}, got '${seen}'` }, () => seen === expected),
    end: () => stream.cancel(),
    async [Symbol.asyncDispose]() {
      stream.cancel();
      channel.close();
    },
  };
}
