import type { RunClock } from '../../../core/time.ts';
import { DuplicateKeyError, type Sql } from '../../stores/sql.ts';
import type { Order, OrderLine, OrderStatus } from './orders.ts';

/**
 * An order that this process works on. The claim is the value of `settle_after_ms`: until then nobody else takes the order up, and
 * whoever does so writes a later value. A holder who slept past its time therefore changes nothing, because its claim is no longer there.
 */
export type ClaimedOrder = Order & { claimMs: number };
export type OrderStore = ReturnType<typeof orderStore>;

export function orderStore({ sql, clock }: { sql: Sql; clock: RunClock }) {
  const nowMs = () => Math.floor(clock.nowMs());

  return {
    /** Writes the order as CREATED and claims it. Undefined when the user placed an order with this key before. */
    async insert(order: Omit<Order, 'status'> & { key: string }, claimForMs: number): Promise<ClaimedOrder | undefined> {
      const { id, userId, key, totalCents, lines } = order;
      const claimMs = nowMs() + claimForMs;
      try {
        await sql.transaction(async (tx) => {
          await tx.execute(
            "INSERT INTO orders (id, user_id, idempotency_key, status, total_cents, settle_after_ms) VALUES (?, ?, ?, 'CREATED', ?, ?)",
            [id, userId, key, totalCents, claimMs],
          );
          await tx.execute(
            `INSERT INTO order_lines (order_id, product_id, quantity, price_cents) VALUES ${lines.map(() => '(?, ?, ?, ?)').join(', ')}`,
            lines.flatMap(({ productId, quantity, priceCents }) => [id, productId, quantity, priceCents]),
          );
        });
      } catch (error) {
        if (error instanceof DuplicateKeyError) return undefined;
        throw error;
      }
      return { id, userId, status: 'CREATED', totalCents, lines, claimMs };
    },

    byKey: async ({ userId, key }: { userId: number; key: string }): Promise<Order | undefined> =>
      (await read('orders o', 'WHERE o.user_id = ? AND o.idempotency_key = ? ORDER BY l.product_id', [userId, key]))[0],

    byId: async ({ userId, id }: { userId: number; id: string }): Promise<Order | undefined> =>
      (await read('orders o', 'WHERE o.id = ? AND o.user_id = ? ORDER BY l.product_id', [id, userId]))[0],

    /** The newest first. */
    ofUser: ({ userId, most }: { userId: number; most: number }): Promise<Order[]> =>
      read(`(SELECT * FROM orders WHERE user_id = ? ORDER BY id DESC LIMIT ${most}) o`, 'ORDER BY o.id DESC, l.product_id', [userId]),

    /** Orders that are open and that nobody works on, the longest waiting first; `claimMs` is the claim that has run out. */
    due: (most: number): Promise<ClaimedOrder[]> =>
      read(
        `(SELECT * FROM orders WHERE settle_after_ms <= ? ORDER BY settle_after_ms LIMIT ${most}) o`,
        'ORDER BY o.settle_after_ms, o.id, l.product_id',
        [nowMs()],
      ),

    /** Takes the order over. Undefined when somebody else was faster. */
    claim: (order: ClaimedOrder, claimForMs: number): Promise<ClaimedOrder | undefined> =>
      move(order, { status: order.status, claimMs: nowMs() + claimForMs }),

    /** Marks that the order may be charged from now on, and keeps the claim. */
    startPaying: (order: ClaimedOrder) => move(order, { status: 'PENDING', claimMs: order.claimMs }),

    /** Marks that the order is being undone, and keeps the claim. Whoever does not know whether `startPaying` was written may call it, too. */
    startUndo: (order: ClaimedOrder) => move(order, { status: 'CANCELLING', claimMs: order.claimMs, from: ['CREATED', 'PENDING'] }),

    /** Ends the order. */
    finish: (order: ClaimedOrder, status: 'PAID' | 'CANCELLED') => move(order, { status, claimMs: null }),
  };

  /**
   * The order as it is now, or undefined when the claim on it was lost: then nothing has changed. As the status is compared too, a statement
   * that was given up and reaches the database late cannot take back what was written after it.
   */
  async function move(
    order: ClaimedOrder,
    { status, claimMs, from = [order.status] }: { status: OrderStatus; claimMs: number | null; from?: readonly OrderStatus[] },
  ): Promise<ClaimedOrder | undefined> {
    const { affectedRows } = await sql.execute(
      `UPDATE orders SET status = ?, settle_after_ms = ? WHERE id = ? AND settle_after_ms = ? AND status IN (${from.map(() => '?').join(', ')})`,
      [status, claimMs, order.id, order.claimMs, ...from],
    );
    return affectedRows > 0 ? { ...order, status, claimMs: claimMs ?? 0 } : undefined;
  }

  /** Orders with their lines in one statement: a line a row. */
  async function read(from: string, rest: string, params: (string | number)[]): Promise<ClaimedOrder[]> {
    const rows = await sql.query<Row>(
      `SELECT o.id, o.user_id AS userId, o.status, o.total_cents AS totalCents, o.settle_after_ms AS claimMs,
        l.product_id AS productId, l.quantity, l.price_cents AS priceCents
      FROM ${from} JOIN order_lines l ON l.order_id = o.id ${rest}`,
      params,
    );
    const orders = new Map<string, ClaimedOrder>();
    for (const { id, userId, status, totalCents, claimMs, ...line } of rows) {
      const order = orders.get(id) ?? { id, userId, status, totalCents, claimMs: claimMs ?? 0, lines: [] };
      order.lines.push(line);
      orders.set(id, order);
    }
    return [...orders.values()];
  }
}

type Row = Omit<Order, 'lines'> & { claimMs: number | null } & OrderLine;
