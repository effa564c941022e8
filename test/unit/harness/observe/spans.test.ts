import { describe, expect, test } from 'vitest';
import { createSpanStore } from '../../../../harness/observe/spans.ts';
import { aCall, aSpan, runTag, traceIdOf } from './a-span.ts';

const always = { fromMs: -1e9, untilMs: 1e9 };
const [browse, view, checkout] = [0, 1, 2] as const;
const atGateway = (traceId: string, { startMs = 0, tookMs = 5 } = {}) =>
  aSpan({ instance: 'gateway.1', kind: 'server', traceId, startMs, endMs: startMs + tookMs });

describe('counts', () => {
  test('every span is counted for its instance, kept or not', () => {
    const store = createSpanStore({ runTag, keepEvery: {} });
    store.add([aSpan({ instance: 'orders.1' }), aSpan({ instance: 'orders.1' }), aSpan({ instance: 'user.1', traceId: 'f'.repeat(32) })]);
    expect(store.receivedByInstance()).toEqual(new Map(Object.entries({ 'orders.1': 2, 'user.1': 1 })));
    expect(store.tracesOf('checkout', always)).toEqual([]);
  });

  test('calls of traces that are not kept count as well', () => {
    const store = createSpanStore({ runTag, keepEvery: {} });
    store.add([aCall('orders->payment')]);
    expect(store.calls('orders->payment', always).count).toBe(1);
  });

  test('spans of other trace ids are not kept, also those with our tag and a route that does not exist', () => {
    const store = createSpanStore({ runTag });
    const strangers = ['f'.repeat(32), `${runTag}ff${'0'.repeat(22)}`];
    store.add(strangers.map((traceId) => aSpan({ traceId, failed: true })));
    expect(strangers.map(store.trace)).toEqual([undefined, undefined]);
    expect(store.left()).toEqual({ traces: 0, spans: 0, calls: 0 });
  });
});

describe('sampling', () => {
  test('one in so many traces of a route is kept, whole, by its id', () => {
    const store = createSpanStore({ runTag, keepEvery: { browse: 4 } });
    for (let n = 0; n < 40; n++) {
      store.add([atGateway(traceIdOf(browse, n))]);
      store.add([aSpan({ traceId: traceIdOf(browse, n), instance: 'product.1' })]);
    }
    expect(store.tracesOf('browse', always)).toHaveLength(10);
    expect(store.tracesOf('browse', always).every(({ spans, why }) => spans.length === 2 && why === 'sampled')).toBe(true);
    expect(store.trace(traceIdOf(browse, 8))?.gateway?.instance).toBe('gateway.1');
    expect(store.trace(traceIdOf(browse, 9))).toBeUndefined();
  });

  test('a trace belongs to the window in which the gateway began with it, or its earliest span when the gateway is silent', () => {
    const store = createSpanStore({ runTag });
    store.add([aSpan({ traceId: traceIdOf(checkout, 1), startMs: 900 }), atGateway(traceIdOf(checkout, 1), { startMs: 1_100 })]);
    store.add([aSpan({ traceId: traceIdOf(checkout, 2), startMs: 1_500 }), aSpan({ traceId: traceIdOf(checkout, 2), startMs: 800 })]);
    const idsIn = (fromMs: number) => store.tracesOf('checkout', { fromMs, untilMs: fromMs + 1_000 }).map(({ traceId }) => traceId);
    expect(idsIn(0)).toEqual([traceIdOf(checkout, 2)]);
    expect(idsIn(1_000)).toEqual([traceIdOf(checkout, 1)]);
    expect(store.tracesOf('view', always)).toEqual([]);
  });
});

describe('odd traces', () => {
  test('a trace that turns out failed is kept with the spans that came before and after', () => {
    const store = createSpanStore({ runTag, keepEvery: {} });
    const traceId = traceIdOf(view, 1);
    store.add([aSpan({ traceId, spanId: '01' }), aSpan({ traceId, spanId: '02', failed: true })]);
    store.add([aSpan({ traceId: traceIdOf(view, 2) }), aSpan({ traceId, spanId: '03' })]);
    expect(store.trace(traceId)?.spans.map(({ spanId }) => spanId)).toEqual(['01', '02', '03']);
    expect(store.trace(traceId)?.why).toBe('failed');
    expect(store.trace(traceIdOf(view, 2))).toBeUndefined();
  });

  test('a trace much slower than the others of its route is kept', () => {
    const store = createSpanStore({ runTag, keepEvery: {} });
    for (let n = 0; n < 1_000; n++) store.add([atGateway(traceIdOf(view, n), { startMs: n * 10, tookMs: 5 + (n % 7) })]);
    store.add([atGateway(traceIdOf(view, 5_000), { startMs: 10_500, tookMs: 400 })]);
    expect(store.trace(traceIdOf(view, 5_000))?.why).toBe('slow');
    // The threshold follows the 98th percentile: few of the ordinary ones are taken for slow.
    expect(store.tracesOf('view', always).length).toBeLessThan(200);
  });

  test('no more than so many odd traces of a route are kept in a second', () => {
    const store = createSpanStore({ runTag, keepEvery: {}, oddPerSecond: 3 });
    const fail = (n: number, startMs: number) => store.add([aSpan({ traceId: traceIdOf(view, n), startMs, failed: true })]);
    for (let n = 0; n < 10; n++) fail(n, 500);
    for (let n = 10; n < 20; n++) fail(n, 1_500);
    expect(store.tracesOf('view', always)).toHaveLength(6);
  });

  test('what came too long ago is forgotten, and kept traces never are', () => {
    const store = createSpanStore({ runTag, keepEvery: { checkout: 1 }, recentSpans: 10 });
    store.add([aSpan({ traceId: traceIdOf(checkout, 1) }), aSpan({ traceId: traceIdOf(view, 1), spanId: 'early' })]);
    for (let n = 2; n < 40; n++) store.add([aSpan({ traceId: traceIdOf(view, n) })]);
    store.add([aSpan({ traceId: traceIdOf(view, 1), spanId: 'late', failed: true }), aSpan({ traceId: traceIdOf(checkout, 1) })]);
    expect(store.trace(traceIdOf(view, 1))?.spans.map(({ spanId }) => spanId)).toEqual(['late']);
    expect(store.trace(traceIdOf(checkout, 1))?.spans).toHaveLength(2);
  });
});

describe('bounds', () => {
  test('when the store is nearly full no trace is begun, those that have begun go on, and the rest is counted', () => {
    const store = createSpanStore({ runTag, maxSpansKept: 100 });
    for (let n = 0; n < 120; n++) store.add([aSpan({ traceId: traceIdOf(checkout, n) })]);
    expect(store.tracesOf('checkout', always)).toHaveLength(75);
    expect(store.left()).toEqual({ traces: 45, spans: 45, calls: 0 });
    store.add([aSpan({ traceId: traceIdOf(checkout, 0), spanId: '02' })]);
    expect(store.trace(traceIdOf(checkout, 0))?.spans).toHaveLength(2);
  });

  test('a failed trace still finds room when sampled ones do not, and is no longer left out', () => {
    const store = createSpanStore({ runTag, maxSpansKept: 100 });
    for (let n = 0; n < 80; n++) store.add([aSpan({ traceId: traceIdOf(checkout, n) })]);
    store.add([aSpan({ traceId: traceIdOf(checkout, 79), failed: true })]);
    expect(store.trace(traceIdOf(checkout, 79))).toMatchObject({ why: 'failed', spans: { length: 2 } });
    expect(store.left()).toMatchObject({ traces: 4, spans: 4 });
  });

  test('spans kept never exceed the bound, and a trace that was cut short is not offered for judgement', () => {
    const store = createSpanStore({ runTag, maxSpansKept: 100 });
    for (let n = 0; n < 250; n++) store.add([aSpan({ traceId: traceIdOf(checkout, n % 2), failed: n % 3 === 0 })]);
    expect(store.left()).toMatchObject({ traces: 2, spans: 150 });
    expect(store.trace(traceIdOf(checkout, 0))?.truncated).toBe(true);
    expect(store.tracesOf('checkout', always)).toEqual([]);
  });
});
