import { status } from '@grpc/grpc-js';
import { type Attributes, trace as api, context, type Span, type SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { messageOf } from '../../../core/errors.ts';
import { grpcStatusOf, httpStatusOf, MallError } from '../../errors.ts';
import { attributes as names } from '../../telemetry/names.ts';
import { hrTime, type Traced } from '../../telemetry/spans.ts';
import type { Call, Interceptor } from './interceptor.ts';

/** Says on the span how the call ended; `thrown` is undefined for success. */
type Conclude<C extends Call> = (span: Span, call: C, thrown?: unknown) => void;

/** Makes the call's span, a child of the span in its context, and makes it the active one for everything further in. */
export function trace<C extends Call>(
  { tracer, clock }: Traced,
  { name, kind, attributes, conclude }: { name: string; kind: SpanKind; attributes: Attributes; conclude: Conclude<C> },
): Interceptor<C> {
  return async function trace(call, next) {
    const span = tracer.startSpan(name, { kind, attributes, startTime: hrTime(clock) }, call.context);
    if (call.attempt !== undefined) span.setAttribute(names.attempt, call.attempt);
    call.span = span;
    call.context = api.setSpan(call.context, span);
    try {
      const answer = await context.with(call.context, next, undefined, call);
      conclude(span, call);
      return answer;
    } catch (error) {
      conclude(span, call, error);
      throw error;
    } finally {
      span.end(hrTime(clock));
    }
  };
}

/** A client's span failed when the call did; a server's when the fault was the server's own. */
export function concludeRpc(hasFailed: (thrown: unknown) => boolean): Conclude<Call> {
  return function concludeRpc(span, _call, thrown) {
    const code = thrown === undefined ? 'OK' : (status[grpcStatusOf(thrown)] ?? 'UNKNOWN');
    span.setAttribute(names.rpcStatus, code);
    if (thrown === undefined) return;
    if (thrown instanceof MallError) span.setAttribute(names.code, thrown.code);
    if (!hasFailed(thrown)) return;
    span.setAttribute(names.errorType, code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(thrown) });
  };
}

export function concludeHttp(span: Span, { request, reply }: Call & { reply: { statusCode: number } }, thrown?: unknown): void {
  const { url = '' } = request as { url?: string };
  span.setAttribute(names.urlPath, url.split('?', 1)[0] ?? '');
  const status = thrown === undefined ? reply.statusCode : httpStatusOf(thrown);
  span.setAttribute(names.httpStatus, status);
  if (thrown instanceof MallError) span.setAttribute(names.code, thrown.code);
  if (status < 500) return;
  span.setAttribute(names.errorType, String(status));
  span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(thrown) });
}
