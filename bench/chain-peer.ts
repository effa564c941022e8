import { Client as Channel, credentials, type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { runClock } from '../core/time.ts';
import { loadContract } from '../system/contracts/load.ts';
import { createTurnClock, monotonicNs } from '../system/governance/clock.ts';
import { rpcClient } from '../system/rpc/client.ts';
import { serve } from '../system/rpc/server.ts';
import type { Runtime } from '../system/runtime.ts';
import { createMetrics } from '../system/telemetry/metrics.ts';
import { otlpExporter, startTracing } from '../system/telemetry/tracing.ts';
import { tuningOf } from '../system/tuning.ts';

/*
 * One process of `chain.ts`: answers payments at a free port and makes as many calls as it is told to, by grpc-js alone or through our chains.
 */

/** Its one argument, as JSON. */
export type Peer = { peer: 'bare' | 'untraced' | 'traced'; otlp: string };
export type Order = { order: 'cpu' } | { order: 'call'; address: string; count: number };
/** `cpuUs` is what the process has used since it began. */
export type Answer = { address: string; cpuUs: number };

const { peer, otlp }: Peer = JSON.parse(process.argv[2] ?? '{}');
const request = { orderId: '0123456789abcdef', userId: 7, amountCents: 2_500 };
const receipt = { orderId: '0123456789abcdef', amountCents: 2_500, status: 'PAID' };
const inFlight = 32;

const contract = loadContract('payment');
const runtime = peer === 'bare' ? undefined : benchRuntime({ listen: await freeAddress(), isTraced: peer === 'traced' });
const address = runtime === undefined ? await serveBare() : await serveGoverned(runtime);
const callers = new Map<string, () => Promise<unknown>>();

const answer = () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ address, cpuUs: user + system } satisfies Answer);
};
process.on('message', async (order: Order) => {
  if (order.order === 'call') await callMany(callerOf(order.address), order.count);
  answer();
});
process.on('disconnect', () => process.exit());
answer();

async function callMany(call: () => Promise<unknown>, count: number): Promise<void> {
  let begun = 0;
  const one = async () => {
    while (begun < count) {
      begun += 1;
      await call();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
}

function callerOf(target: string): () => Promise<unknown> {
  const caller = callers.get(target) ?? (runtime === undefined ? callBare(target) : callGoverned(runtime, target));
  callers.set(target, caller);
  return caller;
}

function callBare(target: string): () => Promise<unknown> {
  const channel = new Channel(target, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = contract.Charge;
  return () =>
    new Promise((resolve, reject) => {
      // With a deadline, as ours: without one there is neither a timer nor a header for it.
      const deadline = Date.now() + 2_000;
      channel.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, { deadline }, (error, value) =>
        error === null ? resolve(value) : reject(error),
      );
    });
}

function callGoverned(own: Runtime, target: string): () => Promise<unknown> {
  const { charge } = rpcClient({ ...own, discovery: { ...own.discovery, targetOf: () => target } }, 'payment');
  return () => charge(request);
}

async function serveBare(): Promise<string> {
  const server = new Server();
  const answerAtOnce: handleUnaryCall<unknown, unknown> = (_call, reply) => reply(null, receipt);
  server.addService(contract, { Charge: answerAtOnce, Get: answerAtOnce });
  return `127.0.0.1:${await bind(server)}`;
}

async function serveGoverned(own: Runtime): Promise<string> {
  await serve(own, 'payment', { charge: async () => receipt, get: async () => receipt });
  return own.config.listen;
}

/** What `startRuntime` makes, without etcd and without an end. */
function benchRuntime({ listen, isTraced }: { listen: string; isTraced: boolean }): Runtime {
  const metrics = createMetrics();
  const tuning = tuningOf('orders', { mall: { tracing: { enabled: isTraced } } });
  const exporter = otlpExporter(otlp);
  return {
    config: {
      service: 'orders',
      replica: 1,
      listen,
      admin: '127.0.0.1:0',
      etcd: '127.0.0.1:1',
      mysql: '127.0.0.1:1',
      redis: '127.0.0.1:1',
      otlp,
      mysqlUser: '',
      mysqlPassword: '',
      namespace: 'bench',
      addresses: {},
      epochOffsetNs: '0',
      jwtSecret: '',
      tuning,
    },
    instance: 'orders.1',
    clock: runClock(),
    clockNs: monotonicNs,
    turnNs: createTurnClock(monotonicNs),
    random: Math.random,
    log: pino({ level: 'warn' }, process.stderr),
    metrics,
    tracer: startTracing({ service: 'orders', instance: 'orders.1', metrics, exporter, tuning: tuning.tracing }).tracer,
    cpuMilli: () => 500,
    discovery: { targetOf: (callee) => callee, instanceAt: () => undefined, publish: async () => ({ withdraw: async () => undefined }) },
    checks: new Map(),
    addCheck: () => {},
    markStarted: () => {},
    onLeave: () => {},
    onStop: () => {},
  };
}

async function freeAddress(): Promise<string> {
  const server = new Server();
  const port = await bind(server);
  server.forceShutdown();
  return `127.0.0.1:${port}`;
}

function bind(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error === null ? resolve(port) : reject(error)));
  });
}
