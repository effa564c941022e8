import { MallError } from '../../errors.ts';
import { DuplicateKeyError, isDeadlock, type Sql, type Tx } from '../../stores/sql.ts';
import type { StockLine } from './inventory.ts';

export type InventoryStore = ReturnType<typeof inventoryStore>;

/**
 * Both transactions begin by inserting the reservation: the primary key decides which of two calls for one order comes first, without
 * the gap locks that a `SELECT … FOR UPDATE` of a missing row would hold against every other order.
 */
export function inventoryStore(sql: Sql) {
  return {
    async available(productIds: readonly string[]): Promise<Map<string, number>> {
      const places = productIds.map(() => '?').join(', ');
      const rows = await sql.query<{ id: string; available: number }>(
        `SELECT product_id AS id, available FROM stock WHERE product_id IN (${places})`,
        productIds,
      );
      return new Map(rows.map(({ id, available }) => [id, available]));
    },

    /** Takes all lines or none, once for each order. `lines` in shelf order. Throws `outOfStock`, or `orderStatus` for an order that was given back. */
    reduce: ({ orderId, lines }: { orderId: string; lines: readonly StockLine[] }): Promise<void> =>
      transaction(async (tx) => {
        if (!(await isNew(tx, orderId))) {
          const [reservation] = await tx.query<{ state: string }>('SELECT state FROM reservations WHERE order_id = ?', [orderId]);
          if (reservation?.state === 'REDUCED') return;
          throw new MallError('orderStatus', `The stock of order '${orderId}' was given back`);
        }
        await tx.execute(
          `INSERT INTO reservation_lines (order_id, product_id, quantity) VALUES ${lines.map(() => '(?, ?, ?)').join(', ')}`,
          lines.flatMap(({ productId, quantity }) => [orderId, productId, quantity]),
        );
        for (const { productId, quantity } of lines) {
          const { affectedRows } = await tx.execute('UPDATE stock SET available = available - ? WHERE product_id = ? AND available >= ?', [
            quantity,
            productId,
            quantity,
          ]);
          if (affectedRows === 0) throw new MallError('outOfStock', `Fewer than ${quantity} of '${productId}' are left`);
        }
      }),

    /** Gives back exactly what the order took, once. */
    restore: (orderId: string): Promise<void> =>
      transaction(async (tx) => {
        const { affectedRows } = await tx.execute(
          "INSERT INTO reservations (order_id, state) VALUES (?, 'RESTORED') ON DUPLICATE KEY UPDATE state = 'RESTORED'",
          [orderId],
        );
        // One row is a new one, or one that was restored before; a row that was changed counts twice.
        if (affectedRows !== 2) return;
        const lines = await tx.query<StockLine>(
          'SELECT product_id AS productId, quantity FROM reservation_lines WHERE order_id = ? ORDER BY product_id',
          [orderId],
        );
        for (const { productId, quantity } of lines) {
          await tx.execute('UPDATE stock SET available = available + ? WHERE product_id = ?', [quantity, productId]);
        }
      }),
  };
  /** Repetitions of a call that all wait for the first one lock each other out when that fails; the one that is given up runs again. */
  async function transaction(run: (tx: Tx) => Promise<void>): Promise<void> {
    try {
      await sql.transaction(run);
    } catch (error) {
      if (!isDeadlock(error)) throw error;
      await sql.transaction(run);
    }
  }
}

/** Whether the order had no reservation yet; it has one now. */
async function isNew(tx: Tx, orderId: string): Promise<boolean> {
  try {
    await tx.execute("INSERT INTO reservations (order_id, state) VALUES (?, 'REDUCED')", [orderId]);
    return true;
  } catch (error) {
    if (error instanceof DuplicateKeyError) return false;
    throw error;
  }
}
