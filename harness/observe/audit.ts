import mysql, { type PoolConnection, type RowDataPacket } from 'mysql2/promise';
import type { Deployment } from '../../compose/deployment.ts';
import { messageOf } from '../../core/errors.ts';
import type { Audit } from './observations.ts';

/** An order that a shopper was told about. */
export type Acknowledged = { orderId: string };

/** Both questions reject with one sentence when the database does not answer; it may be asked again. */
export type Auditor = {
  /** How many orders are neither paid nor cancelled yet. */
  unsettled: () => Promise<number>;
  /** Compares the books of inventory, orders and payment with each other, and with what shoppers were told. */
  read: (acknowledged: readonly Acknowledged[]) => Promise<Audit>;
  close: () => Promise<void>;
};

/**
 * Opens the mall's books past every proxy and notes what is on the shelves and in the accounts. Call it before the first shopper.
 * The books must agree for whoever ordered; `paidOrders` counts only orders whose idempotency key begins with `runTag`, so that a run
 * without a paid order cannot live on those of the capacity probe.
 */
export async function openAuditor(
  { mysql: server, namespace }: Pick<Deployment, 'mysql' | 'namespace'>,
  { runTag }: { runTag: string },
): Promise<Auditor> {
  const books = openBooks(server);
  const before = await books
    .read(async (ask) => ({ shelves: amounts(await ask(stockNow(namespace))), wealth: await wealthOf(ask, namespace) }))
    .catch(async (thrown) => {
      await books.close();
      throw thrown;
    });

  return {
    unsettled: () => books.read((ask) => countOf(ask, openOrders(namespace))),
    read: (acknowledged) =>
      books.read(async (ask) => {
        const ids = async (sql: string) => (await ask<{ id: string }>(sql)).map(({ id }) => id);
        const known = new Set(await ids(`SELECT id FROM ${namespace}_orders.orders`));
        const [reserved, paid] = [amounts(await ask(reservedPieces(namespace))), amounts(await ask(paidPieces(namespace)))];
        return {
          products: [...amounts(await ask(stockNow(namespace)))].map(([product, available]) => ({
            product,
            seeded: before.shelves.get(product) ?? 0,
            available,
            reserved: reserved.get(product) ?? 0,
            paid: paid.get(product) ?? 0,
          })),
          acknowledged: acknowledged.length,
          missingOrders: acknowledged.map(({ orderId }) => orderId).filter((id) => !known.has(id)),
          paidOrders: await countOf(ask, paidOrders(namespace), [`${runTag}-%`]),
          paidWithoutPayment: await ids(paidWithoutPayment(namespace)),
          chargedWrongly: [
            ...(await ids(paymentsWithoutPaidOrder(namespace))),
            ...(await ids(sameKeyTwice(namespace))),
            ...wronged(before.wealth, await wealthOf(ask, namespace)),
          ],
          unsettled: await countOf(ask, openOrders(namespace)),
        };
      }),
    close: () => books.close(),
  };
}

type Ask = <Row>(sql: string, values?: readonly string[]) => Promise<Row[]>;
type Amount = { of: string | number; amount: number };

const amounts = (rows: readonly unknown[]) => new Map((rows as Amount[]).map(({ of, amount }) => [`${of}`, amount]));

const countOf = async (ask: Ask, sql: string, values?: readonly string[]) =>
  (await ask<{ count: number }>(sql, values))[0]?.count ?? Number.NaN;

/** What a user has and what was taken from them for orders, in cents. Together they never change, unless money is taken without a trace. */
type Wealth = { balances: Map<string, number>; payments: Map<string, number> };

const wealthOf = async (ask: Ask, namespace: string): Promise<Wealth> => ({
  balances: amounts(await ask(balances(namespace))),
  payments: amounts(await ask(paymentsOfUsers(namespace))),
});

/** Users whose account lost another amount than their payments say. */
function wronged(before: Wealth, now: Wealth): string[] {
  const users = [...new Set([...before.balances.keys(), ...now.payments.keys()])];
  return users.flatMap((user) => {
    const [had, has] = [before.balances.get(user), now.balances.get(user)];
    const paid = (now.payments.get(user) ?? 0) - (before.payments.get(user) ?? 0);
    if (has === undefined) return [`user ${user}: there is no account, the payments say ${paid} cents`];
    // What was in an account that was opened since is not known. Shoppers of a run have theirs from the start.
    if (had === undefined || had - has === paid) return [];
    return [`user ${user}: the account lost ${had - has} cents, the payments say ${paid}`];
  });
}

/** Answers questions about one moment, so that a mall that is still at work is not accused. Connects anew when the connection was lost. */
function openBooks(server: Deployment['mysql']) {
  const pool = mysql.createPool({ ...server, connectionLimit: 1, connectTimeout: 3_000, supportBigNumbers: true, decimalNumbers: true });

  async function inOneMoment<T>(connection: PoolConnection, questions: (ask: Ask) => Promise<T>): Promise<T> {
    await connection.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY');
    const answers = await questions(async <Row>(sql: string, values: readonly string[] = []) => {
      const [rows] = await connection.query<RowDataPacket[]>(sql, [...values]);
      return rows as Row[];
    });
    await connection.query('COMMIT');
    return answers;
  }

  return {
    async read<T>(questions: (ask: Ask) => Promise<T>): Promise<T> {
      let connection: PoolConnection | undefined;
      try {
        connection = await pool.getConnection();
        const answers = await inOneMoment(connection, questions);
        connection.release();
        return answers;
      } catch (cause) {
        // In the middle of a transaction it is of no use to the next question.
        connection?.destroy();
        throw new Error(`The books of the mall at ${server.host}:${server.port} could not be read: ${messageOf(cause)}`, { cause });
      }
    },
    close: () => pool.end(),
  };
}

const stockNow = (namespace: string) => `SELECT product_id AS \`of\`, available AS amount FROM ${namespace}_inventory.stock`;

const reservedPieces = (namespace: string) => `
  SELECT product_id AS \`of\`, CAST(SUM(quantity) AS SIGNED) AS amount
  FROM ${namespace}_inventory.reservation_lines JOIN ${namespace}_inventory.reservations USING (order_id)
  WHERE state = 'REDUCED' GROUP BY product_id`;

const paidPieces = (namespace: string) => `
  SELECT product_id AS \`of\`, CAST(SUM(quantity) AS SIGNED) AS amount
  FROM ${namespace}_orders.order_lines JOIN ${namespace}_orders.orders ON id = order_id
  WHERE status = 'PAID' GROUP BY product_id`;

const balances = (namespace: string) => `SELECT user_id AS \`of\`, balance_cents AS amount FROM ${namespace}_payment.accounts`;

const paymentsOfUsers = (namespace: string) => `
  SELECT user_id AS \`of\`, CAST(SUM(amount_cents) AS SIGNED) AS amount FROM ${namespace}_payment.payments GROUP BY user_id`;

const openOrders = (namespace: string) =>
  `SELECT COUNT(*) AS count FROM ${namespace}_orders.orders WHERE status NOT IN ('PAID', 'CANCELLED')`;

const paidOrders = (namespace: string) =>
  `SELECT COUNT(*) AS count FROM ${namespace}_orders.orders WHERE status = 'PAID' AND idempotency_key LIKE ?`;

const paidWithoutPayment = (namespace: string) => `
  SELECT id FROM ${namespace}_orders.orders LEFT JOIN ${namespace}_payment.payments ON order_id = id
  WHERE orders.status = 'PAID' AND (order_id IS NULL OR amount_cents <> total_cents)`;

/**
 * Money taken for an order that is not paid, or from somebody who did not order. An order that is still open may have been charged a
 * moment ago: it is counted as unsettled instead.
 */
const paymentsWithoutPaidOrder = (namespace: string) => `
  SELECT order_id AS id FROM ${namespace}_payment.payments LEFT JOIN ${namespace}_orders.orders ON id = order_id
  WHERE id IS NULL OR orders.status = 'CANCELLED' OR payments.user_id <> orders.user_id`;

/** The unique key forbids it; the audit does not trust the key. */
const sameKeyTwice = (namespace: string) => `
  SELECT MIN(id) AS id FROM ${namespace}_orders.orders WHERE status = 'PAID'
  GROUP BY user_id, idempotency_key HAVING COUNT(*) > 1`;
