import { type Span, trace } from '@opentelemetry/api';
import type { FastifyReply } from 'fastify';
import { codes, MallError } from '../errors.ts';
import { headers } from '../telemetry/names.ts';

/** What every answer of the gateway looks like: `code` is 0 or a business code of `errors.ts`. */
export type Envelope = { code: 0; message: string; data: unknown } | { code: number; message: string; trace_id: string };

export function succeeded(reply: FastifyReply, data: unknown, span: Span | undefined = trace.getActiveSpan()): Envelope {
  reply.header(headers.traceId, traceIdOf(span));
  return { code: codes.ok, message: 'ok', data: data ?? null };
}

/** Sets status and headers for a thrown value; also for answers given outside the chain, such as fastify's own errors. */
export function failed(reply: FastifyReply, thrown: unknown, span: Span | undefined = trace.getActiveSpan()): Envelope {
  const error = thrown instanceof MallError ? thrown : new MallError('serverError', undefined, { cause: thrown });
  const traceId = traceIdOf(span);
  reply.code(error.httpStatus).header(headers.traceId, traceId);
  if (error.refusedBy !== undefined) reply.header(headers.refusedBy, error.refusedBy);
  return { code: error.code, message: error.message, trace_id: traceId };
}

const traceIdOf = (span: Span | undefined): string => span?.spanContext().traceId ?? '';
