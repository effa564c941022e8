import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { afterEach, expect, test } from 'vitest';
import { inSpan } from '../../../../system/telemetry/spans.ts';
import { recordSpans, standingClock, testRuntime } from '../../../support/runtime.ts';

const spans = recordSpans();
afterEach(() => spans.reset());

test('a span starts and ends by the run clock, to the microsecond', async () => {
  const clock = standingClock(1_700_000_000_000.25);
  await inSpan(testRuntime('orders', { clock }), 'check_stock', async () => clock.advance(1.5));
  expect(spans.getFinishedSpans()).toMatchObject([
    { name: 'check_stock', startTime: [1_700_000_000, 250_000], endTime: [1_700_000_000, 1_750_000], kind: SpanKind.INTERNAL },
  ]);
});

test('spans within are children, also side by side', async () => {
  const runtime = testRuntime('orders', { clock: standingClock() });
  await inSpan(runtime, 'parent', () => Promise.all([inSpan(runtime, 'left', async () => {}), inSpan(runtime, 'right', async () => {})]));
  const [left, right, parent] = spans.getFinishedSpans();
  expect([left?.parentSpanContext?.spanId, right?.parentSpanContext?.spanId]).toEqual([
    parent?.spanContext().spanId,
    parent?.spanContext().spanId,
  ]);
});

test('a rejection passes through and marks the span as failed', async () => {
  const runtime = testRuntime('orders', { clock: standingClock() });
  const failing = inSpan(runtime, 'reduce_stock', () => Promise.reject(new Error('gone')), {
    attributes: { 'mall.edge': 'orders->mysql' },
  });
  await expect(failing).rejects.toThrow('gone');
  expect(spans.getFinishedSpans()).toMatchObject([
    { status: { code: SpanStatusCode.ERROR, message: 'gone' }, attributes: { 'mall.edge': 'orders->mysql' } },
  ]);
});

test('a rejection that is an answer passes through and leaves no mark', async () => {
  const runtime = testRuntime('orders', { clock: standingClock() });
  const answering = inSpan(runtime, 'reduce_stock', () => Promise.reject(new Error('sold out')), { hasFailed: () => false });
  await expect(answering).rejects.toThrow('sold out');
  expect(spans.getFinishedSpans()).toMatchObject([{ status: { code: SpanStatusCode.UNSET } }]);
});
