import { expect, test } from 'vitest';
import { seededRandom } from '../../../../core/random.ts';
import { createSpans } from '../../../../harness/drivers/trace.ts';

test('a trace id tells its run and its step, and a traceparent is sampled', () => {
  const spanOf = createSpans({ runTag: 'cafe0001', random: seededRandom(1) });
  for (const [step, prefix] of [
    [0, 'cafe000100'],
    [1, 'cafe000101'],
    [31, 'cafe00011f'],
    [255, 'cafe0001ff'],
  ] as const) {
    const { traceId, spanId, traceparent } = spanOf(step);
    expect(traceId).toMatch(new RegExp(`^${prefix}[0-9a-f]{22}$`));
    expect(spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(traceparent).toBe(`00-${traceId}-${spanId}-01`);
  }
});

test('no two requests share a trace', () => {
  const spanOf = createSpans({ runTag: 'cafe0001', random: seededRandom(1) });
  expect(new Set(Array.from({ length: 10_000 }, () => spanOf(0).traceId)).size).toBe(10_000);
});

test('a span id is never all zeros', () => {
  expect(createSpans({ runTag: 'cafe0001', random: () => 0 })(1).spanId).not.toBe('0000000000000000');
});

test('a tag that is not 8 hex digits is refused', () => {
  expect(() => createSpans({ runTag: 'run-1', random: Math.random })).toThrow("Expected 'runTag' to be 8 hex digits, got 'run-1'");
});
