import { MallError } from '../../errors.ts';
import { DuplicateKeyError, type Sql, type Tx } from '../../stores/sql.ts';
import type { Receipt } from './payment.ts';

export type PaymentStore = ReturnType<typeof paymentStore>;

export function paymentStore(sql: Sql) {
  return {
    /**
     * Takes the money once for each order; a repeated call answers with the first receipt. Throws `insufficientBalance` and leaves
     * nothing behind: balances only fall, so an order that was refused once cannot be paid by a late repetition.
     */
    charge: ({ orderId, userId, amountCents }: { orderId: string; userId: number; amountCents: number }): Promise<Receipt> =>
      sql.transaction(async (tx) => {
        try {
          await tx.execute("INSERT INTO payments (order_id, user_id, amount_cents, status) VALUES (?, ?, ?, 'PAID')", [
            orderId,
            userId,
            amountCents,
          ]);
        } catch (error) {
          if (!(error instanceof DuplicateKeyError)) throw error;
          const first = await receipt(tx, orderId);
          if (first === undefined) throw new MallError('database', `The payment of order '${orderId}' is there and cannot be read`);
          return first;
        }
        const { affectedRows } = await tx.execute(
          'UPDATE accounts SET balance_cents = balance_cents - ? WHERE user_id = ? AND balance_cents >= ?',
          [amountCents, userId, amountCents],
        );
        if (affectedRows === 0) throw new MallError('insufficientBalance');
        return { orderId, amountCents, status: 'PAID' };
      }),

    receipt: (orderId: string): Promise<Receipt | undefined> => receipt(sql, orderId),
  };
}

async function receipt(from: Tx, orderId: string): Promise<Receipt | undefined> {
  const [row] = await from.query<Receipt>(
    'SELECT order_id AS orderId, amount_cents AS amountCents, status FROM payments WHERE order_id = ?',
    [orderId],
  );
  return row;
}
