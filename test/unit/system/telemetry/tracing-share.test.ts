import { ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import { afterAll, expect, test } from 'vitest';
import { startTracing } from '../../../../system/telemetry/tracing.ts';
import { metricValue, testRuntime } from '../../../support/runtime.ts';

const { metrics, ...runtime } = testRuntime('orders');
const { tracer, stop } = startTracing({
  service: 'orders',
  instance: 'orders.1',
  metrics,
  exporter: { export: (_spans, done) => done({ code: 0 }), shutdown: async () => undefined },
  tuning: { enabled: true, sampledShare: 0.25 },
});
afterAll(() => stop(1_000));

test('of the traces that begin here a share is recorded; others follow whoever began them', async () => {
  const recorded = () => metricValue({ ...runtime, metrics }, 'mall_spans_ended_total');
  for (let index = 0; index < 2_000; index += 1) tracer.startSpan('here', {}, ROOT_CONTEXT).end();
  const here = await recorded();
  // Ids are random: six standard deviations either way.
  expect(here).toBeGreaterThan(380);
  expect(here).toBeLessThan(620);

  const parent = { traceId: 'f'.repeat(32), spanId: 'b'.repeat(16), traceFlags: TraceFlags.SAMPLED, isRemote: true };
  for (let index = 0; index < 100; index += 1) tracer.startSpan('elsewhere', {}, trace.setSpanContext(ROOT_CONTEXT, parent)).end();
  expect((await recorded()) - here).toBe(100);
});
