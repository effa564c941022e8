import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type ReadableSpan, TracerProvider } from '@opentelemetry/sdk-trace';
import { expect, test } from 'vitest';
import { runClock } from '../../../core/time.ts';
import { startOtlpReceiver } from '../../../harness/observe/otlp.ts';
import type { Span } from '../../../harness/observe/otlp-decode.ts';
import { createSpanStore } from '../../../harness/observe/spans.ts';
import { problemsOf } from '../../../harness/observe/traces.ts';

const runTag = 'cafe0001';
const shopperSpanId = '00f067aa0ba902b7';

/** A service that hands its spans to `address` as the mall's processes do. */
function startService(address: string, service: string, instance: string) {
  const exporter = new OTLPTraceExporter({ url: `http://${address}` });
  const refused: unknown[] = [];
  const watched = {
    export: (spans: ReadableSpan[], done: Parameters<OTLPTraceExporter['export']>[1]) =>
      exporter.export(spans, (result) => {
        if (result.code !== 0) refused.push(result.error);
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.instance.id': instance }),
    spanProcessors: [
      new BatchSpanProcessor({ exporter: watched, maxQueueSize: 65_536, maxExportBatchSize: 512, scheduledDelayMillis: 200 }),
    ],
  });
  return { tracer: provider.getTracer('test'), refused, stop: () => provider.shutdown() };
}

const traceIdOf = (n: number) => `${runTag}02${n.toString(16).padStart(22, '0')}`;
const fromShopper = (traceId: string) =>
  trace.setSpanContext(context.active(), { traceId, spanId: shopperSpanId, traceFlags: 1, isRemote: true });

test('a span comes out of the receiver as it went into the exporter', async () => {
  const clock = runClock();
  const epochMs = clock.nowMs();
  const spans: Span[] = [];
  const receiver = await startOtlpReceiver({ epochMs, store: { add: (batch) => spans.push(...batch) } });
  const orders = startService(receiver.address, 'orders', 'orders.1');
  const at = (microseconds: number): [number, number] => {
    const ns = BigInt(Math.round(epochMs * 1_000) + microseconds) * 1_000n;
    return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
  };
  const parent = orders.tracer.startSpan('Create', { kind: SpanKind.SERVER, startTime: at(1_500) }, fromShopper(traceIdOf(1)));
  const child = orders.tracer.startSpan(
    'payment.Payment/Charge für 5 €',
    {
      kind: SpanKind.CLIENT,
      startTime: at(2_001),
      attributes: { 'mall.edge': 'orders->payment', 'rpc.status_code': 14, share: 0.5, below: -3, retried: true, list: ['a', 'b'] },
    },
    trace.setSpan(context.active(), parent),
  );
  child.addEvent('breaker.open', { why: 'errors' }, at(2_100));
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'unavailable' });
  child.end(at(3_250));
  parent.end(at(4_000));
  await orders.stop();
  await receiver.close();

  expect(orders.refused).toEqual([]);
  const [made, received] = [parent.spanContext(), spans.find(({ kind }) => kind === 'server')];
  expect(received).toMatchObject({
    ...{ traceId: made.traceId, spanId: made.spanId },
    parentId: shopperSpanId,
    name: 'Create',
    failed: false,
  });
  expect(received).toMatchObject({ service: 'orders', instance: 'orders.1', startMs: 1.5, endMs: 4, attributes: {}, events: [] });
  // Bits 8 and 9: it is known that the parent is remote, and it is.
  expect((received?.flags ?? 0) & 0x300).toBe(0x300);
  expect(spans.find(({ kind }) => kind === 'client')).toEqual({
    traceId: traceIdOf(1),
    spanId: child.spanContext().spanId,
    parentId: made.spanId,
    service: 'orders',
    instance: 'orders.1',
    name: 'payment.Payment/Charge für 5 €',
    kind: 'client',
    startMs: 2.001,
    endMs: 3.25,
    failed: true,
    attributes: { 'mall.edge': 'orders->payment', 'rpc.status_code': 14, share: 0.5, below: -3, retried: true },
    events: [{ name: 'breaker.open', atMs: 2.1 }],
    flags: expect.any(Number),
  });
});

test('all of 20,000 spans of two processes arrive and make whole traces', async () => {
  const store = createSpanStore({ runTag });
  const receiver = await startOtlpReceiver({ epochMs: Date.now(), store });
  const gateway = startService(receiver.address, 'gateway', 'gateway.1');
  const orders = startService(receiver.address, 'orders', 'orders.1');
  const requests = 5_000;
  for (let n = 0; n < requests; n++) {
    const root = gateway.tracer.startSpan('POST /api/v1/orders', { kind: SpanKind.SERVER }, fromShopper(traceIdOf(n)));
    const call = gateway.tracer.startSpan(
      'Create',
      { kind: SpanKind.CLIENT, attributes: { 'mall.edge': 'gateway->orders', 'mall.peer': 'orders.1', 'rpc.status_code': 0 } },
      trace.setSpan(context.active(), root),
    );
    const server = orders.tracer.startSpan('Create', { kind: SpanKind.SERVER }, trace.setSpan(context.active(), call));
    orders.tracer
      .startSpan('INSERT', { kind: SpanKind.CLIENT, attributes: { 'mall.edge': 'orders->mysql' } }, trace.setSpan(context.active(), server))
      .end();
    server.end();
    call.end();
    root.end();
  }
  await Promise.all([gateway.stop(), orders.stop()]);
  await receiver.close();

  expect([...gateway.refused, ...orders.refused]).toEqual([]);
  expect(Object.fromEntries(store.receivedByInstance())).toEqual({ 'gateway.1': 2 * requests, 'orders.1': 2 * requests });
  const always = { fromMs: -60_000, untilMs: 600_000 };
  expect(store.picks('gateway->orders', always)).toEqual(new Map([['orders.1', requests]]));
  expect(store.calls('orders->mysql', always)).toMatchObject({ count: requests, failed: 0 });
  const traces = store.tracesOf('checkout', always);
  expect(traces).toHaveLength(requests);
  expect(traces.flatMap(problemsOf)).toEqual([]);
});

test('a batch that is no trace export is refused with INVALID_ARGUMENT, and the next one is taken', async () => {
  const store = createSpanStore({ runTag });
  await using receiver = await startedReceiver(store);
  const client = new Client(receiver.address, credentials.createInsecure());
  const send = (bytes: Buffer) =>
    new Promise<{ code: number; details: string }>((resolve) => {
      const asIs = (value: Buffer) => value;
      const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
      client.makeUnaryRequest(path, asIs, asIs, bytes, new Metadata(), (error) => resolve(error ?? { code: 0, details: '' }));
    });
  expect(await send(Buffer.from('not a trace'))).toMatchObject({
    code: 3,
    details: expect.stringMatching(/Expected an OTLP trace export/),
  });
  expect(await send(Buffer.alloc(0))).toMatchObject({ code: 0 });
  expect(store.receivedByInstance().size).toBe(0);
  client.close();
});

test('the receiver closes when its signal fires', async () => {
  const stop = new AbortController();
  const receiver = await startOtlpReceiver({ epochMs: 0, store: { add() {} }, signal: stop.signal });
  stop.abort();
  const client = new Client(receiver.address, credentials.createInsecure());
  await expect(
    new Promise((resolve, reject) => client.waitForReady(Date.now() + 300, (error) => (error ? reject(error) : resolve(undefined)))),
  ).rejects.toThrow();
  client.close();
  await expect(startOtlpReceiver({ epochMs: 0, store: { add() {} }, signal: stop.signal })).rejects.toThrow();
});

async function startedReceiver(store: { add: (spans: readonly Span[]) => void }) {
  const receiver = await startOtlpReceiver({ epochMs: 0, store });
  return { ...receiver, [Symbol.asyncDispose]: receiver.close };
}
