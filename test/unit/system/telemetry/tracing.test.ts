import { ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { afterAll, expect, test } from 'vitest';
import { startTracing } from '../../../../system/telemetry/tracing.ts';
import { metricValue, testRuntime } from '../../../support/runtime.ts';

const runtime = testRuntime('orders');
const exported: ReadableSpan[] = [];
let answer = 0;
const exporter: SpanExporter = {
  export(spans, done) {
    exported.push(...spans);
    done(answer === 0 ? { code: 0 } : { code: 1, error: new Error('The collector is gone') });
  },
  shutdown: async () => undefined,
};
const { tracer, stop } = startTracing({ service: 'orders', instance: 'orders.1', metrics: runtime.metrics, exporter });
const counts = async () => [await metricValue(runtime, 'mall_spans_ended_total'), await metricValue(runtime, 'mall_spans_exported_total')];
afterAll(() => stop(1_000));

test('spans of a trace that its maker does not sample are not made', async () => {
  const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: TraceFlags.NONE, isRemote: true };
  tracer.startSpan('unwanted', {}, trace.setSpanContext(ROOT_CONTEXT, parent)).end();
  expect(await counts()).toEqual([0, 0]);
});

test('what ended and what was handed over are counted apart, so that a loss is seen', async () => {
  tracer.startSpan('first').end();
  expect(await counts()).toEqual([1, 0]);
  answer = 1;
  await stop(1_000);
  expect(exported.map(({ name }) => name)).toEqual(['first']);
  expect(exported[0]?.resource.attributes).toMatchObject({ 'service.name': 'orders', 'service.instance.id': 'orders.1' });
  expect(await counts()).toEqual([1, 0]);
});
