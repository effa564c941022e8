import { type Span, trace } from '@opentelemetry/api';
import type { FastifyReply } from 'fastify';
import { codes, MallError } from '../errors.ts';
import { headers } from '../telemetry/names.ts';

/** What every answer of the gateway looks like: `code` is 0 or a business code of `errors.ts`. */
export type Envelope = { code: 0; message: string; data: unknown } | { code: number; message: string; trace_id: string };

export function succeeded(reply: FastifyReply, data: unknown, span: Span | undefined = trace.getActiveSpan()): Envelope {
  nameTrace(reply, traceIdOf(span));
  return { code: codes.ok, message: 'ok', data: data ?? null };
}

/** Sets status and headers for a thrown value; also for answers given outside the chain, such as fastify's own errors. */
export function failed(reply: FastifyReply, thrown: unknown, span: Span | undefined = trace.getActiveSpan()): Envelope {
  const error = thrown instanceof MallError ? thrown : new MallError('serverError', undefined, { cause: thrown });
  const traceId = traceIdOf(span);
  nameTrace(reply.code(error.httpStatus), traceId);
  if (error.refusedBy !== undefined) reply.header(headers.refusedBy, error.refusedBy);
  return { code: error.code, message: error.message, trace_id: traceId };
}

function nameTrace(reply: FastifyReply, traceId: string): void {
  // Where tracing is switched off there is none.
  if (traceId !== '') reply.header(headers.traceId, traceId);
}

const traceIdOf = (span: Span | undefined): string => span?.spanContext().traceId ?? '';
