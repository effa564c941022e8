import { status } from '@grpc/grpc-js';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { MallError } from '../../errors.ts';
import type { Client } from '../../rpc/client.ts';
import { withDeadline } from '../../rpc/context.ts';
import type { Runtime } from '../../runtime.ts';
import { inSpan } from '../../telemetry/spans.ts';
import { type Order, stepFailureOf } from './orders.ts';
import type { ClaimedOrder, OrderStore } from './store.ts';

export type Fulfilment = ReturnType<typeof fulfilment>;

/**
 * The life of an order that was written: `fulfil` for the call that wrote it, `settle` for the sweep that finds it later. Every write and
 * every step may fail before or after it took effect, the process may die between any two, and others may sweep meanwhile. What the shopper
 * heard still agrees with what becomes of the order, because PENDING is written before anything is charged, and only PENDING goes forward.
 */
export function fulfilment(
  runtime: Pick<Runtime, 'tracer' | 'clock' | 'log'>,
  {
    store,
    inventory,
    payment,
  }: {
    store: Pick<OrderStore, 'startPaying' | 'startUndo' | 'finish'>;
    inventory: Pick<Client<'inventory'>, 'reduce' | 'restore'>;
    payment: Pick<Client<'payment'>, 'charge'>;
  },
) {
  return { fulfil, settle };

  /**
   * Takes the stock and charges. The order is PAID then, or PENDING: that is a yes too, and the sweep charges it later. Rejects with why the
   * order is not made; with 504 when that is open, which takes two writes that fail in a row.
   */
  async function fulfil(order: ClaimedOrder): Promise<Order> {
    await takeStock(order);
    const pending = await startPaying(order);
    const failure = await failureOf(() => charge(pending));
    if (failure === undefined) return complete(pending);
    // The degraded answer: a shopper should not lose a basket because payment is away, busy, or has not said whether it charged. Were
    // this an error, the breakers of everyone on the way would open with it and refuse what could still be served.
    if (stepFailureOf(failure.error) !== 'no') return pending;
    await undo(pending);
    throw failure.error;
  }

  /** The order as it is afterwards: PAID, CANCELLED, or still open when it has to wait for the next sweep. */
  async function settle(order: ClaimedOrder): Promise<Order> {
    if (order.status === 'CREATED') return undo(order);
    if (order.status === 'CANCELLING') return giveBack(order);
    const failure = await failureOf(() => charge(order));
    if (failure === undefined) return complete(order);
    // A charge that succeeded is answered with its receipt when it is repeated, so a no is a no to all attempts.
    return stepFailureOf(failure.error) === 'no' ? undo(order) : order;
  }

  async function takeStock(order: ClaimedOrder): Promise<void> {
    const lines = order.lines.map(({ productId, quantity }) => ({ productId, quantity }));
    const failure = await failureOf(() => inSpan(runtime, 'reduce_stock', () => inventory.reduce({ orderId: order.id, lines })));
    if (failure === undefined) return;
    if (stepFailureOf(failure.error) === 'unknown') {
      await undo(order);
      throw notMade(failure.error);
    }
    await orLeft(order, () => store.finish(order, 'CANCELLED'));
    throw failure.error;
  }

  async function startPaying(order: ClaimedOrder): Promise<ClaimedOrder> {
    let pending: ClaimedOrder | undefined;
    try {
      pending = await store.startPaying(order);
    } catch (error) {
      const { status } = await undo(order);
      const isOpen = status === 'CREATED' && stepFailureOf(error) === 'unknown';
      throw isOpen ? undecided(error) : notMade(error);
    }
    // The sweep took the order for abandoned and undoes it.
    if (pending === undefined) throw notMade();
    return pending;
  }

  async function charge({ id, userId, totalCents }: Order): Promise<void> {
    await inSpan(runtime, 'initiate_payment', () => payment.charge({ orderId: id, userId, amountCents: totalCents }));
  }

  function complete(pending: ClaimedOrder): Promise<Order> {
    return orLeft(pending, () => inSpan(runtime, 'complete_order', () => store.finish(pending, 'PAID')));
  }

  async function undo(order: ClaimedOrder): Promise<Order> {
    const undone = await orLeft(order, () => store.startUndo(order));
    return undone.status === 'CANCELLING' ? giveBack(undone) : undone;
  }

  function giveBack(cancelling: ClaimedOrder): Promise<Order> {
    return orLeft(cancelling, async () => {
      await inSpan(runtime, 'restore_stock', () => inventory.restore({ orderId: cancelling.id }));
      return store.finish(cancelling, 'CANCELLED');
    });
  }

  /**
   * The order after `move`, or as it was when that failed or somebody else has taken the order over: then the sweep goes on from there. It
   * has its own time, because the caller's may be what ran out.
   */
  async function orLeft(order: ClaimedOrder, move: () => Promise<ClaimedOrder | undefined>): Promise<ClaimedOrder> {
    try {
      const ownTime = withDeadline(context.active(), runtime.clock.nowMs() + ownTimeMs);
      return (await context.with(ownTime, move)) ?? order;
    } catch (error) {
      runtime.log.warn({ err: error, order: order.id, status: order.status }, 'an order is left to the sweep');
      return order;
    }
  }
}

/** A context of its own for work that nobody waits for: no parent span, and this much time. */
export const ownContext = (runtime: Pick<Runtime, 'clock'>, timeMs: number) => withDeadline(ROOT_CONTEXT, runtime.clock.nowMs() + timeMs);

const ownTimeMs = 1_500;

async function failureOf(run: () => Promise<unknown>): Promise<{ error: unknown } | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    return { error };
  }
}

const notMade = (cause?: unknown) => new MallError('orderCreateFailed', undefined, { cause });

const undecided = (cause: unknown) =>
  new MallError('orderCreateFailed', 'It is open whether the order is made: ask again with the same idempotency key', {
    cause,
    grpcStatus: status.DEADLINE_EXCEEDED,
  });
