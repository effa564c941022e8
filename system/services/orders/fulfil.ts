import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { codes, MallError } from '../../errors.ts';
import type { Client } from '../../rpc/client.ts';
import { withDeadline } from '../../rpc/context.ts';
import type { Runtime } from '../../runtime.ts';
import { inSpan } from '../../telemetry/spans.ts';
import { type Attempt, afterFailure, type Order, type Step, type StepFailure } from './orders.ts';
import type { ClaimedOrder, OrderStore } from './store.ts';

export type Fulfil = ReturnType<typeof fulfilment>;

/**
 * Brings an order forward from wherever it is: take the stock, charge, complete; or give everything back. Each step may be repeated
 * without harm, so the call that places an order and the sweep that settles it later share this function.
 */
export function fulfilment(
  runtime: Pick<Runtime, 'tracer' | 'clock' | 'log'>,
  {
    store,
    inventory,
    payment,
  }: {
    store: Pick<OrderStore, 'finish' | 'park' | 'startUndo'>;
    inventory: Pick<Client<'inventory'>, 'reduce' | 'restore'>;
    payment: Pick<Client<'payment'>, 'charge'>;
  },
) {
  /**
   * The order as it is afterwards. It is still open (CREATED, PENDING, CANCELLING) when a step has to wait for the next sweep. When
   * placing, rejects with what the shopper has to hear about an order that is not accepted.
   */
  return async function fulfil(order: ClaimedOrder, attempt: Attempt): Promise<Order> {
    if (order.status === 'CANCELLING') return giveBack(order);
    if (order.status === 'CREATED') {
      const failure = await failureOf(() => inSpan(runtime, 'reduce_stock', () => reduceStock(order)));
      if (failure !== undefined) return decide(order, { step: 'reduce', failure, attempt });
    }
    const failure = await failureOf(() => inSpan(runtime, 'initiate_payment', () => initiatePayment(order)));
    if (failure !== undefined) return decide(order, { step: 'charge', failure, attempt });
    return complete(order);
  };

  async function reduceStock({ id, lines }: Order): Promise<void> {
    await inventory.reduce({ orderId: id, lines: lines.map(({ productId, quantity }) => ({ productId, quantity })) });
  }

  async function initiatePayment({ id, userId, totalCents }: Order): Promise<void> {
    await payment.charge({ orderId: id, userId, amountCents: totalCents });
  }

  /** The money is taken: whatever happens now, the order stands, and the sweep finds it if it cannot be marked here. */
  async function complete(order: ClaimedOrder): Promise<Order> {
    const finish = () => inSpan(runtime, 'complete_order', () => store.finish(order, 'PAID'));
    try {
      return (await withOwnTime(finish)) ?? { ...order, status: 'PAID' };
    } catch (error) {
      runtime.log.warn({ err: error, order: order.id }, 'a paid order could not be completed and is left to the sweep');
      return { ...order, status: 'PENDING' };
    }
  }

  async function decide(
    order: ClaimedOrder,
    { step, failure, attempt }: { step: Step; failure: MallError; attempt: Attempt },
  ): Promise<Order> {
    const decision = afterFailure({ step, failure: kindOf(failure), attempt });
    const after = await carryOut(order, decision.action, failure);
    if (attempt === 'settling' || decision.answer === 'accepted') return after;
    if (decision.answer === 'asItCame') throw failure;
    throw new MallError(decision.answer, undefined, { cause: failure, refusedBy: failure.refusedBy });
  }

  async function carryOut(order: ClaimedOrder, what: ReturnType<typeof afterFailure>['action'], failure: MallError): Promise<Order> {
    switch (what) {
      case 'leave':
        return order;
      case 'park':
        return (await withOwnTime(() => store.park(order, parkedForMs))) ?? order;
      case 'cancel':
      case 'undo':
        try {
          return what === 'undo' ? await undo(order) : ((await withOwnTime(() => store.finish(order, 'CANCELLED'))) ?? order);
        } catch (error) {
          // What the shopper has to hear is why the order failed, not that it could not be tidied up at once.
          runtime.log.warn({ err: error, order: order.id, because: failure.message }, 'an order is left to the sweep');
          return order;
        }
      default:
        return what satisfies never;
    }
  }

  async function undo(order: ClaimedOrder): Promise<Order> {
    const cancelling = await withOwnTime(() => store.startUndo(order));
    return cancelling === undefined ? order : giveBack(cancelling);
  }

  async function giveBack(order: ClaimedOrder): Promise<Order> {
    try {
      return await withOwnTime(async () => {
        await inSpan(runtime, 'restore_stock', () => inventory.restore({ orderId: order.id }));
        return (await store.finish(order, 'CANCELLED')) ?? order;
      });
    } catch (error) {
      runtime.log.warn({ err: error, order: order.id }, 'the stock of a cancelled order is left to the sweep');
      return order;
    }
  }

  /** Tidying up has its own time: the caller's may be what ran out. */
  function withOwnTime<T>(run: () => Promise<T>): Promise<T> {
    return context.with(withDeadline(context.active(), runtime.clock.nowMs() + ownTimeMs), run);
  }
}

/** A context of its own for work that nobody waits for: no parent span, and this much time. */
export const ownContext = (runtime: Pick<Runtime, 'clock'>, timeMs: number) => withDeadline(ROOT_CONTEXT, runtime.clock.nowMs() + timeMs);

const parkedForMs = 1_000;
const ownTimeMs = 1_500;

async function failureOf(run: () => Promise<void>): Promise<MallError | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (error instanceof MallError) return error;
    throw error;
  }
}

/** What can be known of a step from the way it failed. */
export function kindOf({ refusedBy, code }: Pick<MallError, 'refusedBy' | 'code'>): StepFailure {
  if (refusedBy === 'breaker') return 'broken';
  if (refusedBy === 'shedding' || refusedBy === 'limit') return 'turnedAway';
  return refusedBy === undefined && decided.has(code) ? 'no' : 'unknown';
}

/** Codes that only a service that looked at the request gives. */
const decided: ReadonlySet<number> = new Set([
  codes.badParameter,
  codes.orderStatus,
  codes.outOfStock,
  codes.paymentFailed,
  codes.insufficientBalance,
]);
