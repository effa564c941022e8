import type { Answer } from '../../journey.ts';
import { type RequestOutcome, servedOutcomes } from '../../record.ts';
import type { Checkout } from '../../recording.ts';
import { outcomeOfError } from '../outcome.ts';
import type { Reply } from '../transport.ts';
import { jsonOf } from './body.ts';
import { outcomeOfAnswer } from './outcome.ts';

/** How a request of a shopper ended. A checkout that names no order is no success. */
export function outcomeOfReply(reply: Reply, route: string): RequestOutcome {
  if (reply.kind === 'timedOut') return 'timeout';
  if (reply.kind === 'broken') return outcomeOfError(reply.code);
  const outcome = outcomeOfAnswer({ status: reply.status, refusedBy: reply.header('x-refused-by'), code: codeIn(reply.text) });
  return route === 'checkout' && servedOutcomes.includes(outcome) && orderIn(reply.text) === undefined ? 'failed' : outcome;
}

export type Order = Pick<Checkout, 'orderId' | 'status'>;

/** The order that a checkout was answered with. */
export function orderIn(text: string): Order | undefined {
  const { data } = jsonOf(text);
  if (typeof data?.id !== 'string' || (data.status !== 'PAID' && data.status !== 'PENDING')) return undefined;
  return { orderId: data.id, status: data.status };
}

/** How a checkout ended, and what its body said. */
export type Decided = { outcome: RequestOutcome; text: string };

export const decidedBy = ({ outcome, text }: Pick<Answer, 'outcome' | 'text'>): Decided => ({ outcome, text });

/**
 * Compares the answers to a checkout that was made and to its repetition under the same idempotency key. A repetition that was turned
 * away, lost, or met a mall that had trouble tells nothing; one that the business said no to is an answer, and a different one.
 */
export function answersOfRepeated(first: Decided, second: Decided): 'same' | 'different' | 'unknown' {
  const order = servedOutcomes.includes(second.outcome) ? orderIn(second.text) : undefined;
  if (order !== undefined) return order.orderId === orderIn(first.text)?.orderId ? 'same' : 'different';
  if (second.outcome === 'outOfStock') return 'different';
  const code = codeIn(second.text);
  return second.outcome === 'failed' && (code === successCode || isOfBusiness(code)) ? 'different' : 'unknown';
}

function codeIn(text: string): number | undefined {
  if (text === '') return undefined;
  const { code } = jsonOf(text);
  return typeof code === 'number' ? code : undefined;
}

/** With a body that names no order. */
const successCode = 0;
/** Below are mistakes of the machinery, such as a database that is away. */
const isOfBusiness = (code: number | undefined) => code !== undefined && code >= 2_000;
