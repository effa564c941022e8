import { expect, test } from 'vitest';
import { seededRandom } from '../../../../core/random.ts';
import { createShopperSpans } from '../../../../harness/drivers/trace.ts';

test('a trace id tells its run and its route, and a traceparent is sampled', () => {
  const shopperSpan = createShopperSpans({ runTag: 'cafe0001', random: seededRandom(1) });
  for (const [route, prefix] of [
    ['browse', 'cafe000100'],
    ['view', 'cafe000101'],
    ['checkout', 'cafe000102'],
    ['repetition', 'cafe0001ff'],
  ] as const) {
    const { traceId, spanId, traceparent } = shopperSpan(route);
    expect(traceId).toMatch(new RegExp(`^${prefix}[0-9a-f]{22}$`));
    expect(spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(traceparent).toBe(`00-${traceId}-${spanId}-01`);
  }
});

test('no two requests share a trace', () => {
  const shopperSpan = createShopperSpans({ runTag: 'cafe0001', random: seededRandom(1) });
  expect(new Set(Array.from({ length: 10_000 }, () => shopperSpan('browse').traceId)).size).toBe(10_000);
});

test('a span id is never all zeros', () => {
  expect(createShopperSpans({ runTag: 'cafe0001', random: () => 0 })('view').spanId).not.toBe('0000000000000000');
});

test('a tag that is not 8 hex digits is refused', () => {
  expect(() => createShopperSpans({ runTag: 'run-1', random: Math.random })).toThrow("Expected 'runTag' to be 8 hex digits, got 'run-1'");
});
