import { Client as Channel, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import fastify from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimPorts, type Ports } from '../../../compose/ports.ts';
import { waitUntil } from '../../../core/time.ts';
import { loadContract } from '../../../system/contracts/load.ts';
import { MallError, refused } from '../../../system/errors.ts';
import { httpChain } from '../../../system/rpc/chain.ts';
import { rpcClient } from '../../../system/rpc/client.ts';
import { serve } from '../../../system/rpc/server.ts';
import type { Runtime } from '../../../system/runtime.ts';
import type { TuningChange } from '../../../system/tuning.ts';
import { balanceGivenReplicas } from '../../support/replicas.ts';
import { metricValue, recordSpans, testRuntime } from '../../support/runtime.ts';

/*
 * What each thing that can happen to a call looks like to everyone on its way, from the shopper to the handler: go-zero's signal matrix
 * (governance.md 6.5), over real HTTP and real gRPC.
 */

type Heard = 'ok' | 'fail' | 'drop' | '–';
type Signals = {
  /** The gRPC status; none where no call was sent. */
  wire: number | 'none';
  serverBreaker: Heard;
  serverShedder: 'pass' | 'fail' | 'reject' | '–';
  clientBreaker: Heard;
  /** What the answer is worth to p2c. */
  p2c: 1000 | 0 | '–';
  http: number;
  routeBreaker: Heard;
};

type Row = {
  event: string;
  goZero: Signals;
  /** Where ours differs, and why. */
  ours?: Partial<Signals> & { why: string };
  gateway?: TuningChange;
  product?: TuningChange;
  /** What the product service does with the call that is looked at; without it, it answers. */
  handler?: () => Promise<never>;
  /** What the mall has been through before. */
  before?: (mall: Mall) => Promise<unknown>;
  /** Whose breakers refuse as soon as they may. */
  opens?: 'gateway' | 'product';
  isDown?: boolean;
  shopperLeaves?: boolean;
};

const hang = () => new Promise<never>(() => {});
const fails = (error: Error) => () => Promise.reject(error);
const ok: Signals = { wire: 0, serverBreaker: 'ok', serverShedder: 'pass', clientBreaker: 'ok', p2c: 1000, http: 200, routeBreaker: 'ok' };
const answers = (wire: number, http: number): Signals => ({ ...ok, wire, http });
const failure: Signals = {
  ...{ wire: 13, serverBreaker: 'fail', serverShedder: 'pass', clientBreaker: 'fail' },
  ...{ p2c: 0, http: 500, routeBreaker: 'fail' },
};
const unknown: Signals = { ...answers(2, 500), routeBreaker: 'fail' };
const unexpected = { ...failure, why: 'a mistake is INTERNAL, so that it counts against the service that made it' };

const rows: Row[] = [
  { event: 'an answer', goZero: ok },
  { event: 'a plain error', handler: fails(new Error('plain')), goZero: unknown, ours: unexpected },
  {
    event: 'a raw error of the database',
    handler: fails(new MallError('database')),
    goZero: unknown,
    ours: { ...failure, why: 'a service without its database does not work, whoever asks' },
  },
  ...(
    [
      [3, 400],
      [5, 404],
      [6, 409],
      [7, 403],
      [9, 400],
      [10, 409],
      [11, 400],
      [16, 401],
    ] as const
  ).map(([grpcStatus, http]) => ({
    event: `a no of the business with status ${grpcStatus}`,
    handler: fails(new MallError('badParameter', 'No', { grpcStatus })),
    goZero: answers(grpcStatus, http),
  })),
  {
    event: 'nothing left in stock',
    handler: fails(new MallError('outOfStock')),
    goZero: answers(9, 400),
    ours: { http: 409, why: 'business codes have the HTTP status of their table' },
  },
  { event: 'a panic', handler: fails(new TypeError('x is not a function')), goZero: failure },
  { event: 'an internal error', handler: fails(new MallError('serverError')), goZero: failure },
  {
    event: "the server's deadline",
    handler: hang,
    product: { deadlines: { serverMs: 100 } },
    goZero: { ...failure, wire: 4, http: 504 },
  },
  {
    event: "the client's deadline",
    handler: hang,
    gateway: { deadlines: { edges: { 'gateway->product': 100 } } },
    goZero: { ...failure, wire: 4, http: 504 },
  },
  {
    event: "the server's breaker is open",
    opens: 'product',
    product: { breaker: { forcedPassMs: 600_000 } },
    before: ({ failDirectly }) => failDirectly(),
    goZero: { ...failure, wire: 14, serverBreaker: 'drop', serverShedder: '–', http: 503 },
  },
  {
    event: 'the server sheds',
    product: { deadlines: { serverMs: 60_000 } },
    before: ({ overload }) => overload(),
    goZero: { ...failure, wire: 8, serverShedder: 'reject', http: 429, routeBreaker: 'ok' },
    ours: { http: 503, why: 'the mall is overloaded, not the shopper over a limit; the breaker of the route still decides as by 429' },
  },
  {
    event: 'a breaker further in is open',
    handler: fails(refused('breaker')),
    goZero: { ...failure, wire: 14, http: 503 },
  },
  {
    event: "the gateway's client breaker is open",
    opens: 'gateway',
    gateway: { breaker: { forcedPassMs: 600_000 } },
    before: ({ failThroughClient }) => failThroughClient(),
    goZero: {
      ...{ wire: 'none', serverBreaker: '–', serverShedder: '–', clientBreaker: 'drop' },
      ...{ p2c: '–', http: 400, routeBreaker: 'ok' },
    },
    ours: {
      http: 503,
      why: 'the shopper did nothing wrong, and reports count failures by 5xx; the breaker of the route still decides as by 400',
    },
  },
  {
    event: 'no replica is ready',
    isDown: true,
    goZero: { ...failure, wire: 14, serverBreaker: '–', serverShedder: '–', p2c: '–', http: 503 },
  },
  { event: 'the shopper leaves', handler: hang, shopperLeaves: true, goZero: answers(1, 499) },
  {
    event: "the gateway's deadline",
    handler: hang,
    gateway: { deadlines: { httpMs: 100 } },
    goZero: { ...failure, wire: 4, http: 503 },
    ours: { http: 504, why: 'one status for time that ran out, wherever it did' },
  },
];

recordSpans();
const replicas = balanceGivenReplicas();
let ports: Ports;
beforeAll(async () => {
  ports = await claimPorts({ random: Math.random });
});
afterAll(() => ports.close());

test.each(rows)('$event', async ({ goZero, ours: { why, ...ours } = { why: '' }, ...row }) => {
  const expected = { ...goZero, ...ours };
  // What differs has its reason, and what has a reason differs.
  expect(why === '').toBe(JSON.stringify(expected) === JSON.stringify(goZero));

  await using mall = await startMall(row);
  await row.before?.(mall);
  const seen = await mall.watch();
  mall.behave(row.handler);
  const status = await mall.visit({ leaves: row.shopperLeaves ?? false });
  if (status !== undefined) expect(status).toBe(expected.http);
  // Who was not waited for is heard of a little later.
  await expect.poll(seen, { timeout: 5_000 }).toEqual(expected);
});

type Mall = Awaited<ReturnType<typeof startMall>>;

/** A shopper in front of a gateway with one route, and a product service behind it. */
async function startMall({
  gateway: gatewayTuning = {},
  product: productTuning = {},
  opens,
  isDown = false,
}: Omit<Row, 'goZero' | 'event'>) {
  const undo = new AsyncDisposableStack();
  const address = `127.0.0.1:${await ports.next()}`;
  // A breaker with history refuses for sure where chance is always against the call, and never where it is always for it.
  const chance = (side: Row['opens']) => ({ random: () => (opens === side ? 0 : 1) });

  let cpuMilli = 0;
  let behaviour: (() => Promise<unknown>) | undefined;
  let begun = 0;
  const product = { ...testRuntime('product', { listen: address, tuning: productTuning, cpuMilli: () => cpuMilli }), ...chance('product') };
  if (!isDown) {
    const get = async () => {
      begun += 1;
      await behaviour?.();
      return { id: 'p-1', name: 'Pen', description: '', priceCents: 100 };
    };
    await serve(product, 'product', { get, list: async () => ({}), getMany: async () => ({}) });
    undo.defer(product.stop);
  }
  const hasBegun = (count: number) =>
    waitUntil({ timeoutMs: 5_000, describe: () => `Expected ${count} calls to have begun, got ${begun}` }, () => begun >= count);

  const target = replicas.target('p2c_ewma', address);
  const gateway = { ...testRuntime('gateway', { replicas: { product: target }, tuning: gatewayTuning }), ...chance('gateway') };
  const client = rpcClient(gateway, 'product');
  undo.defer(gateway.stop);
  const app = fastify({ forceCloseConnections: true });
  app.get(
    path,
    httpChain(gateway)(`GET ${path}`, () => client.get({ id: 'p-1' })),
  );
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  undo.defer(() => app.close());

  /** Past the gateway, by a client without any governance. */
  const direct = new Channel(address, credentials.createInsecure());
  undo.defer(async () => direct.close());
  const { Get } = loadContract('product');
  const askDirectly = () =>
    new Promise<ServiceError | null>((resolve) => {
      direct.makeUnaryRequest(Get.path, Get.requestSerialize, Get.responseDeserialize, { id: 'p-1' }, new Metadata(), resolve);
    });

  const counts = async () => ({
    wire: await byLabel(gateway, 'rpc_client_requests_code_total', 'code'),
    http: await byLabel(gateway, 'http_server_requests_code_total', 'code'),
    serverBreaker: await byLabel(product, 'mall_breaker_requests_total', 'result', { kind: 'server' }),
    clientBreaker: await byLabel(gateway, 'mall_breaker_requests_total', 'result', { kind: 'client' }),
    routeBreaker: await byLabel(gateway, 'mall_breaker_requests_total', 'result', { kind: 'http' }),
    serverShedder: await byLabel(product, 'mall_shedding_requests_total', 'result'),
    picks: replicas.picksOf(address),
  });

  return {
    behave(next: (() => Promise<unknown>) | undefined) {
      behaviour = next;
    },

    /** Tells what was heard since then. */
    async watch() {
      const before = await counts();
      return async () => {
        const after = await counts();
        const heard = (name: Exclude<keyof typeof after, 'picks'>) => {
          const grown = [...after[name]].filter(([label, count]) => count > (before[name].get(label) ?? 0)).map(([label]) => label);
          return grown.length === 0 ? '–' : grown.map((label) => words[label] ?? label).join('+');
        };
        const clientBreaker = heard('clientBreaker');
        return {
          wire: clientBreaker === 'drop' ? 'none' : Number(heard('wire')),
          serverBreaker: heard('serverBreaker'),
          serverShedder: heard('serverShedder').replace('ok', 'pass').replace('drop', 'reject'),
          clientBreaker,
          p2c: after.picks === before.picks ? '–' : replicas.successOf(address),
          http: Number(heard('http')),
          routeBreaker: heard('routeBreaker'),
        };
      };
    },

    /** The status that the shopper gets; undefined when he does not wait for it. */
    async visit({ leaves }: { leaves: boolean }) {
      const patience = new AbortController();
      const answer = fetch(`${url}/api/v1/products/p-1`, { signal: patience.signal });
      if (!leaves) return (await answer).status;
      await hasBegun(1);
      patience.abort();
      await expect(answer).rejects.toThrow();
      return undefined;
    },

    async failDirectly() {
      behaviour = fails(new Error('down'));
      for (let index = 0; index < 60; index += 1) await askDirectly();
    },

    async failThroughClient() {
      behaviour = fails(new MallError('database'));
      for (let index = 0; index < 60; index += 1) await client.get({ id: 'p-1' }).catch(() => undefined);
    },

    /** At full CPU, without history, one call may be in progress; twenty are. */
    async overload() {
      cpuMilli = 1_000;
      const releases: (() => void)[] = [];
      behaviour = () => new Promise<void>((resolve) => releases.push(resolve));
      const calls = Array.from({ length: 40 }, askDirectly);
      await hasBegun(40);
      for (const release of releases.splice(0, 20)) release();
      await waitUntil({ timeoutMs: 5_000, describe: () => 'Expected twenty calls to end' }, async () => {
        return (await metricValue(product, 'mall_shedding_requests_total', { result: 'pass' })) === 20;
      });
      undo.defer(async () => {
        for (const release of releases) release();
        await Promise.all(calls);
      });
    },

    [Symbol.asyncDispose]: () => undo.disposeAsync(),
  };
}

const path = '/api/v1/products/:id';
/** What the metrics call it, and the table. */
const words: Record<string, string> = { success: 'ok', failure: 'fail', pass: 'ok' };

async function byLabel(runtime: Runtime, name: string, label: string, where: Record<string, string> = {}): Promise<Map<string, number>> {
  const values = (await runtime.metrics.registry.getSingleMetric(name)?.get())?.values ?? [];
  const sums = new Map<string, number>();
  for (const { labels, value } of values) {
    if (Object.entries(where).some(([key, expected]) => labels[key] !== expected)) continue;
    const of = String(labels[label]);
    sums.set(of, (sums.get(of) ?? 0) + value);
  }
  return sums;
}
