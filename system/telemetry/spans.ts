import type { Attributes, HrTime, Span, SpanKind, Tracer } from '@opentelemetry/api';
import { context, INVALID_SPAN_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import { messageOf } from '../../core/errors.ts';
import type { RunClock } from '../../core/time.ts';

/** What it takes to make a span. A `Runtime` is one. */
export type Traced = { readonly tracer: Tracer; readonly clock: RunClock };

/** Where tracing is switched off: one span stands for all, and nothing is done for it. */
const noSpan = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
export const noTracer: Tracer = {
  startSpan: () => noSpan,
  // Called with the function last, whatever comes before it.
  startActiveSpan: (...args: unknown[]) => (args.at(-1) as (span: Span) => never)(noSpan),
};

/**
 * Runs `run` inside a new span, a child of the active one. The span ends when the promise settles; a rejection passes through and marks it failed,
 * unless `hasFailed` calls it an answer.
 * Start and end come from the run's clock, because the SDK's own start times are whole milliseconds.
 */
export async function inSpan<T>(
  { tracer, clock }: Traced,
  name: string,
  run: (span: Span) => Promise<T>,
  { kind, attributes, hasFailed = () => true }: { kind?: SpanKind; attributes?: Attributes; hasFailed?: (thrown: unknown) => boolean } = {},
): Promise<T> {
  if (tracer === noTracer) return run(noSpan);
  const parent = context.active();
  const options = { startTime: hrTime(clock), ...(kind !== undefined && { kind }), ...(attributes !== undefined && { attributes }) };
  const span = tracer.startSpan(name, options, parent);
  try {
    return await context.with(trace.setSpan(parent, span), run, undefined, span);
  } catch (error) {
    if (hasFailed(error)) span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) });
    throw error;
  } finally {
    span.end(hrTime(clock));
  }
}

/** Now, in the shape OpenTelemetry wants: [seconds, nanoseconds]. */
export function hrTime(clock: RunClock): HrTime {
  const nowNs = clock.nowNs();
  return [Number(nowNs / 1_000_000_000n), Number(nowNs % 1_000_000_000n)];
}
