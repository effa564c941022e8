import { codes, MallError } from '../../errors.ts';
import { DuplicateKeyError, type Sql, type Tx } from '../../stores/sql.ts';
import { openingBalanceCents, type Receipt } from './payment.ts';

export type PaymentStore = ReturnType<typeof paymentStore>;
type Charge = { orderId: string; userId: number; amountCents: number };

export function paymentStore(sql: Sql) {
  return {
    /**
     * Takes the money once for each order; a repeated call answers with the first receipt. Throws `insufficientBalance` and leaves
     * nothing behind: balances only fall, so an order that was refused once cannot be paid by a late repetition. Throws `orderStatus` when
     * the order was paid by another user or with another amount.
     */
    async charge(charge: Charge): Promise<Receipt> {
      try {
        return await take(charge);
      } catch (error) {
        if (!isTooLow(error)) throw error;
        // Perhaps there is no account yet. It is opened outside of the transaction, where newcomers cannot lock each other out.
        await sql.execute('INSERT IGNORE INTO accounts (user_id, balance_cents) VALUES (?, ?)', [charge.userId, openingBalanceCents]);
        return take(charge);
      }
    },

    receipt: async (orderId: string): Promise<Receipt | undefined> => {
      const payment = await paymentOf(sql, orderId);
      return payment && { orderId, amountCents: payment.amountCents, status: 'PAID' };
    },
  };

  function take({ orderId, userId, amountCents }: Charge): Promise<Receipt> {
    return sql.transaction(async (tx) => {
      if (await isFirst(tx, { orderId, userId, amountCents })) {
        const { affectedRows } = await tx.execute(
          'UPDATE accounts SET balance_cents = balance_cents - ? WHERE user_id = ? AND balance_cents >= ?',
          [amountCents, userId, amountCents],
        );
        if (affectedRows === 0) throw new MallError('insufficientBalance');
      }
      return { orderId, amountCents, status: 'PAID' };
    });
  }
}

/** Whether this is the order's first charge; it is written then. */
async function isFirst(tx: Tx, { orderId, userId, amountCents }: Charge): Promise<boolean> {
  try {
    await tx.execute("INSERT INTO payments (order_id, user_id, amount_cents, status) VALUES (?, ?, ?, 'PAID')", [
      orderId,
      userId,
      amountCents,
    ]);
    return true;
  } catch (error) {
    if (!(error instanceof DuplicateKeyError)) throw error;
    const first = await paymentOf(tx, orderId);
    if (first === undefined) throw new MallError('database', `The payment of order '${orderId}' is there and cannot be read`);
    if (first.userId !== userId || first.amountCents !== amountCents)
      throw new MallError('orderStatus', `Order '${orderId}' was paid by another user or with another amount`);
    return false;
  }
}

async function paymentOf(from: Tx, orderId: string): Promise<{ userId: number; amountCents: number } | undefined> {
  const [row] = await from.query<{ userId: number; amountCents: number }>(
    'SELECT user_id AS userId, amount_cents AS amountCents FROM payments WHERE order_id = ?',
    [orderId],
  );
  return row;
}

const isTooLow = (thrown: unknown) => thrown instanceof MallError && thrown.code === codes.insufficientBalance;
