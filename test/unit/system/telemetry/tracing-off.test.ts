import { setImmediate as turn } from 'node:timers/promises';
import { context, defaultTextMapGetter, defaultTextMapSetter, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { afterAll, expect, test } from 'vitest';
import { deadlineOf, withDeadline } from '../../../../system/rpc/context.ts';
import { inSpan } from '../../../../system/telemetry/spans.ts';
import { startTracing } from '../../../../system/telemetry/tracing.ts';
import { metricValue, testRuntime } from '../../../support/runtime.ts';

const runtime = testRuntime('orders');
const { tracer, stop } = startTracing({
  service: 'orders',
  instance: 'orders.1',
  metrics: runtime.metrics,
  exporter: { export: () => expect.unreachable('There is nothing to hand over'), shutdown: async () => undefined },
  tuning: { enabled: false, sampledShare: 1 },
});
afterAll(() => stop(1_000));

test('work that would have a span is done without one', async () => {
  const seen = await inSpan({ ...runtime, tracer }, 'check_stock', async (span) => [span.isRecording(), trace.getActiveSpan()]);
  expect(seen).toEqual([false, undefined]);
  await expect(inSpan({ ...runtime, tracer }, 'check_stock', () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
  expect(await metricValue(runtime, 'mall_spans_ended_total')).toBe(0);
});

test('the time left still follows the work', async () => {
  const seen = await Promise.all(
    [1, 2].map((deadlineMs) =>
      context.with(withDeadline(ROOT_CONTEXT, deadlineMs), async () => {
        await turn();
        return deadlineOf();
      }),
    ),
  );
  expect([...seen, deadlineOf()]).toEqual([1, 2, Number.POSITIVE_INFINITY]);
});

test.each([
  { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'vendor=1', baggage: 'shopper=7' },
  { traceparent: 'of another kind' },
  {},
])('a trace is handed on as it came: %j', (headers) => {
  const onwards = {};
  propagation.inject(propagation.extract(ROOT_CONTEXT, headers, defaultTextMapGetter), onwards, defaultTextMapSetter);
  expect(onwards).toEqual(headers);
});
