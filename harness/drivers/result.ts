import type { Route } from '../../system/topology.ts';
import { type RequestOutcome, servedOutcomes } from '../record.ts';
import type { Checkout } from '../recording.ts';
import { jsonOf } from './body.ts';
import { outcomeOfAnswer, outcomeOfError } from './outcome.ts';
import type { Reply } from './transport.ts';

/** What a shopper took from a reply: `order` is there for a checkout that was made. */
export type Result = {
  outcome: RequestOutcome;
  endedMs: number;
  order?: Pick<Checkout, 'orderId' | 'status'>;
  /** The business code, where the body was read. */
  code?: number;
};

export function resultOf(reply: Reply, route: Route): Result {
  const { endedMs } = reply;
  if (reply.kind === 'timedOut') return { outcome: 'timeout', endedMs };
  if (reply.kind === 'broken') return { outcome: outcomeOfError(reply.code), endedMs };
  const { code: read, data } = reply.body === '' ? {} : jsonOf(reply.body);
  const code = typeof read === 'number' ? read : undefined;
  const outcome = outcomeOfAnswer({ status: reply.status, refusedBy: reply.refusedBy, code });
  const result: Result = { outcome, endedMs, ...(code === undefined ? {} : { code }) };
  if (route !== 'checkout' || !servedOutcomes.includes(outcome)) return result;
  // Success without an order is no success.
  if (typeof data?.id !== 'string' || (data.status !== 'PAID' && data.status !== 'PENDING')) return { ...result, outcome: 'failed' };
  return { ...result, order: { orderId: data.id, status: data.status } };
}

/**
 * Compares the answers to a checkout that was made and to its repetition under the same idempotency key. A repetition that was turned
 * away, lost, or met a mall that had trouble tells nothing; one that the business said no to is an answer, and a different one.
 */
export function answersOfRepeated(first: Result, { outcome, order, code }: Result): 'same' | 'different' | 'unknown' {
  if (order !== undefined) return order.orderId === first.order?.orderId ? 'same' : 'different';
  if (outcome === 'outOfStock') return 'different';
  return outcome === 'failed' && (code === successCode || isOfBusiness(code)) ? 'different' : 'unknown';
}

/** With a body that names no order. */
const successCode = 0;
/** Below are mistakes of the machinery, such as a database that is away. */
const isOfBusiness = (code: number | undefined) => code !== undefined && code >= 2_000;
