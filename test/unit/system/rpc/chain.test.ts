import { type Context, context, ROOT_CONTEXT, SpanStatusCode } from '@opentelemetry/api';
import { afterEach, expect, test, vi } from 'vitest';
import { cancelled, MallError } from '../../../../system/errors.ts';
import { clientLayers, httpLayers, retryBudget, serverLayers } from '../../../../system/rpc/chain.ts';
import { deadlineOf, hangUpOf, remainingMs, withDeadline } from '../../../../system/rpc/context.ts';
import { type Call, compose, entered, type Interceptor } from '../../../../system/rpc/interceptors/interceptor.ts';
import { observedShedder } from '../../../../system/telemetry/governance.ts';
import type { TuningChange } from '../../../../system/tuning.ts';
import { metricValue, recordSpans, standingClock, type TestRuntime, testRuntime } from '../../../support/runtime.ts';

const spans = recordSpans();
const names = (layers: { name: string }[]) => layers.map(({ name }) => name);
const charge = { edge: 'orders->payment', path: '/payment.Payment/Charge' };
const call = (): Call => ({ request: 'a request', context: ROOT_CONTEXT });

afterEach(() => {
  spans.reset();
  vi.useRealTimers();
});

test('the first layer is the outermost', async () => {
  const told: string[] = [];
  const layer =
    (name: string): Interceptor =>
    async (inner, next) => {
      told.push(`${name} before`);
      const answer = await next(inner);
      told.push(`${name} after`);
      return answer;
    };
  const answer = compose([layer('a'), layer('b')], async ({ request }) => `answer to ${request}`);
  await expect(answer(call())).resolves.toBe('answer to a request');
  expect(told).toEqual(['a before', 'b before', 'b after', 'a after']);
});

test('a call is governed in the order of go-zero', () => {
  const runtime = testRuntime('orders');
  const shedder = observedShedder(runtime, { kind: 'rpc' });
  expect(names(clientLayers(runtime, charge))).toEqual(['trace', 'metrics', 'breaker', 'deadline']);
  expect(names(serverLayers(runtime, { path: charge.path, shedder }))).toEqual([
    'trace',
    'recover',
    'metrics',
    'breaker',
    'shedding',
    'deadline',
  ]);
  expect(names(httpLayers(runtime, { route: 'POST /api/v1/orders', shedder }))).toEqual([
    'trace',
    'metrics',
    'connections',
    'breaker',
    'shedding',
    'deadline',
    'recover',
  ]);
});

test.each<[TuningChange, client: string[], server: string[], http: string[]]>([
  [{ breaker: { enabled: false } }, ['breaker'], ['breaker'], ['breaker']],
  [{ deadlines: { enabled: false } }, ['deadline'], ['deadline'], ['deadline']],
  [{ limits: { enabled: false } }, [], [], ['connections']],
  [{ tracing: { enabled: false } }, ['trace'], ['trace'], ['trace']],
])('what is switched off leaves its place empty: %j', (tuning, client, server, http) => {
  const layersOf = (runtime: TestRuntime) => {
    const shedder = observedShedder(runtime, { kind: 'rpc' });
    return [
      clientLayers(runtime, charge),
      serverLayers(runtime, { path: charge.path, shedder }),
      httpLayers(runtime, { route: 'POST /api/v1/orders', shedder }),
    ].map(names);
  };
  const whole = layersOf(testRuntime('orders'));
  const without = [client, server, http];
  expect(layersOf(testRuntime('orders', { tuning }))).toEqual(
    whole.map((layers, side) => layers.filter((layer) => !without[side]?.includes(layer))),
  );
});

test('retries stand outside all else, where a method may be repeated and the tuning wants them', () => {
  const budgeted = (attempts: number) => {
    const runtime = testRuntime('orders', { tuning: { retries: { attempts } } });
    return names(clientLayers(runtime, { ...charge, budget: retryBudget(runtime) }));
  };
  expect(budgeted(3)).toEqual(['retry', 'trace', 'metrics', 'breaker', 'deadline']);
  expect(budgeted(1)).toEqual(['trace', 'metrics', 'breaker', 'deadline']);
});

test('the time left shrinks on the way in and is never more than the own limit', async () => {
  const clock = standingClock();
  const runtime = testRuntime('orders', { clock, tuning: { deadlines: { edges: { 'orders->payment': 2_000 } } } });
  const shedder = observedShedder(runtime, { kind: 'rpc' });
  const left: number[] = [];
  const inner = compose(
    clientLayers(runtime, charge),
    entered(async () => left.push(remainingMs(clock))),
  );
  const outer = compose(
    serverLayers(runtime, { path: '/orders.Orders/Create', shedder }),
    entered(async () => {
      left.push(remainingMs(clock));
      clock.advance(300);
      await inner({ request: null, context: context.active() });
    }),
  );

  await outer({ request: null, context: withDeadline(ROOT_CONTEXT, clock.nowMs() + 5_000) });
  await outer({ request: null, context: withDeadline(ROOT_CONTEXT, clock.nowMs() + 800) });
  expect(left).toEqual([2_000, 1_700, 800, 500]);
});

test.each<[TuningChange['deadlines'], client: number, server: number]>([
  [{}, 500, 2_000],
  [{ serverMs: 800 }, 500, 800],
  [{ edges: { 'orders->payment': 300 }, methods: { '/payment.Payment/Charge': 400 } }, 300, 400],
  [{ edges: { 'orders->payment': 0 }, methods: { '/payment.Payment/Charge': 0 } }, 9_000, 9_000],
  [{ enabled: false }, 9_000, 9_000],
])('with deadlines %j a call with 9 s left gets %i ms as the caller and %i ms as the callee', async (deadlines = {}, client, server) => {
  const clock = standingClock();
  const runtime = testRuntime('orders', { clock, tuning: { deadlines } });
  const shedder = observedShedder(runtime, { kind: 'rpc' });
  const left: number[] = [];
  for (const layers of [clientLayers(runtime, charge), serverLayers(runtime, { path: charge.path, shedder })]) {
    const ask = compose(
      layers,
      entered(async () => left.push(remainingMs(clock))),
    );
    await ask({ request: null, context: withDeadline(ROOT_CONTEXT, clock.nowMs() + 9_000) });
  }
  expect(left).toEqual([client, server]);
});

test('a call whose time is used up is not sent, and says nothing about the callee', async () => {
  const clock = standingClock();
  const runtime = testRuntime('orders', { clock });
  const send = vi.fn();
  const ask = compose(clientLayers(runtime, charge), send);
  await expect(ask({ request: null, context: withDeadline(ROOT_CONTEXT, clock.nowMs()) })).rejects.toMatchObject({ refusedBy: 'deadline' });
  expect(send).not.toHaveBeenCalled();
  expect(await metricValue(runtime, 'mall_breaker_requests_total')).toBe(0);
  expect(spans.getFinishedSpans()[0]?.attributes).toMatchObject({ 'mall.refused_by': 'deadline', 'rpc.status_code': 'DEADLINE_EXCEEDED' });
});

test('a call whose caller has gone away is not sent, and says nothing about the callee', async () => {
  const runtime = testRuntime('orders');
  const send = vi.fn();
  const hangUp = new AbortController();
  hangUp.abort(cancelled());
  const ask = compose(clientLayers(runtime, charge), send);
  const gone = withDeadline(ROOT_CONTEXT, Number.POSITIVE_INFINITY, hangUp);
  await expect(ask({ request: null, context: gone })).rejects.toMatchObject({ grpcStatus: 1 });
  expect(send).not.toHaveBeenCalled();
  expect(await metricValue(runtime, 'mall_breaker_requests_total')).toBe(0);
});

test('a handler whose caller goes away is not waited for; work with a time of its own does not hear of it', async () => {
  const runtime = testRuntime('orders');
  const hangUp = new AbortController();
  const begun = Promise.withResolvers<Context>();
  const answer = compose(
    serverLayers(runtime, { path: charge.path, shedder: observedShedder(runtime, { kind: 'rpc' }) }),
    entered(() => {
      begun.resolve(context.active());
      return new Promise(() => {});
    }),
  );
  const outcome = answer({ request: null, context: withDeadline(ROOT_CONTEXT, Number.POSITIVE_INFINITY, hangUp) });
  const within = await begun.promise;
  hangUp.abort(cancelled());
  await expect(outcome).rejects.toMatchObject({ grpcStatus: 1, httpStatus: 499 });
  expect(hangUpOf(within)?.aborted).toBe(true);
  expect(hangUpOf(withDeadline(within, 1_000))).toBeUndefined();
  expect(await metricValue(runtime, 'mall_breaker_requests_total', { kind: 'server', result: 'success' })).toBe(1);
});

test('a server answers at the deadline, whatever its handler still does', async () => {
  vi.useFakeTimers();
  const runtime = testRuntime('orders', { clock: standingClock(), tuning: { deadlines: { serverMs: 250 } } });
  const answer = compose(
    serverLayers(runtime, { path: charge.path, shedder: observedShedder(runtime, { kind: 'rpc' }) }),
    () => new Promise(() => {}),
  );
  const outcome = expect(answer(call())).rejects.toMatchObject({ refusedBy: 'deadline' });
  await vi.advanceTimersByTimeAsync(250);
  await outcome;
  expect(await metricValue(runtime, 'rpc_server_requests_code_total', { code: '4' })).toBe(1);
});

test("a breaker refuses after failures, on the caller's span and in the metrics of the edge", async () => {
  const clock = standingClock();
  const runtime = testRuntime('orders', { clock });
  const ask = compose(clientLayers(runtime, charge), async () => {
    throw new MallError('rpc');
  });
  const outcomes: (string | undefined)[] = [];
  for (let index = 0; index < 100; index += 1) {
    clock.advance(10);
    await ask(call()).catch((error) => outcomes.push(error.refusedBy));
  }
  const refusals = outcomes.filter((by) => by === 'breaker').length;
  expect(refusals).toBeGreaterThan(50);

  const labels = { name: 'orders->payment/payment.Payment/Charge', kind: 'client' };
  expect(await metricValue(runtime, 'mall_breaker_requests_total', { ...labels, result: 'drop' })).toBe(refusals);
  expect(await metricValue(runtime, 'mall_breaker_requests_total', { ...labels, result: 'failure' })).toBe(100 - refusals);
  expect(await metricValue(runtime, 'mall_breaker_trips_total', labels)).toBe(1);
  expect(await metricValue(runtime, 'mall_breaker_drop_ratio', labels)).toBeGreaterThan(0.5);

  const refused = spans.getFinishedSpans().filter(({ attributes }) => attributes['mall.refused_by'] === 'breaker');
  expect(refused).toHaveLength(refusals);
  expect(refused[0]?.events.map(({ name }) => name)).toEqual(['breaker.open']);
  expect(refused[0]?.attributes).toMatchObject({
    'rpc.system.name': 'grpc',
    'rpc.method': 'payment.Payment/Charge',
    'mall.edge': 'orders->payment',
  });
});

test('a business failure is an error to the caller, not to the server, and opens no breaker', async () => {
  const runtime = testRuntime('inventory', { clock: standingClock() });
  const soldOut = async () => {
    throw new MallError('outOfStock');
  };
  const shedder = observedShedder(runtime, { kind: 'rpc' });
  const layers = [clientLayers(runtime, charge), serverLayers(runtime, { path: charge.path, shedder })];
  for (const answer of layers.map((chain) => compose(chain, soldOut))) {
    for (let index = 0; index < 50; index += 1) await answer(call()).catch(() => {});
  }
  expect(await metricValue(runtime, 'mall_breaker_requests_total', { result: 'success' })).toBe(100);
  const [asked, answered] = [spans.getFinishedSpans()[0], spans.getFinishedSpans()[50]];
  expect([asked?.status.code, answered?.status.code]).toEqual([SpanStatusCode.ERROR, SpanStatusCode.UNSET]);
  expect(answered?.attributes).toMatchObject({ 'mall.code': 3004, 'rpc.status_code': 'FAILED_PRECONDITION' });
});

test.each([
  { without: [], refused: 1 },
  { without: ['shedding'], refused: 0 },
] as const)(
  'an overloaded server without $without turns $refused of 41 calls away, before their handler is asked, and counts them all',
  async ({ without, refused }) => {
    const runtime = testRuntime('orders', { clock: standingClock(), cpuMilli: () => 1_000, without });
    const shedder = observedShedder(runtime, { kind: 'rpc' });
    const releases: (() => void)[] = [];
    const handler = vi.fn(() => new Promise<void>((resolve) => releases.push(resolve)));
    const answer = compose(serverLayers(runtime, { path: charge.path, shedder }), handler);

    // With no history one call may be in flight at full load, and the average must have seen more.
    const flying = Array.from({ length: 40 }, () => answer(call()));
    for (const release of releases.splice(0, 20)) release();
    await Promise.all(flying.slice(0, 20));
    const last = answer(call()).then(
      () => undefined,
      (error) => error,
    );
    expect(handler).toHaveBeenCalledTimes(41 - refused);
    for (const release of releases) release();
    await Promise.all(flying);
    if (refused > 0) expect(await last).toMatchObject({ refusedBy: 'shedding', grpcStatus: 8 });
    else expect(await last).toBeUndefined();
    expect(await metricValue(runtime, 'mall_shedding_requests_total', { kind: 'rpc', result: 'drop' })).toBe(refused);
    expect(await metricValue(runtime, 'mall_shedding_requests_total', { kind: 'rpc', result: 'pass' })).toBe(41 - refused);
  },
);

test('an unexpected failure becomes a plain one, is logged with its stack and is counted', async () => {
  const runtime = testRuntime('orders', { clock: standingClock() });
  const shedder = observedShedder(runtime, { kind: 'rpc' });
  const answer = compose(serverLayers(runtime, { path: charge.path, shedder }), async () => {
    throw new TypeError('x is not a function');
  });
  await expect(answer(call())).rejects.toMatchObject({ code: 1001, message: 'The mall made a mistake' });
  expect(runtime.lines).toMatchObject([{ call: charge.path, err: { message: 'x is not a function' } }]);
  expect(await metricValue(runtime, 'rpc_server_requests_code_total', { method: charge.path, code: '13' })).toBe(1);
});

test('without a limit the time left is endless', () => {
  expect(deadlineOf(ROOT_CONTEXT)).toBe(Number.POSITIVE_INFINITY);
});
