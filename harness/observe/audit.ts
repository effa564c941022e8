import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import type { Deployment } from '../../compose/deployment.ts';
import type { Audit } from './observations.ts';

/** An order that a shopper was told about. */
export type Acknowledged = { orderId: string };

export type Auditor = {
  /** How many orders are neither paid nor cancelled yet. */
  unsettled: () => Promise<number>;
  /** Compares the books of inventory, orders and payment with each other, and with what shoppers were told. */
  read: (acknowledged: readonly Acknowledged[]) => Promise<Audit>;
  close: () => Promise<void>;
};

/** Opens the mall's books past every proxy and notes what is on the shelves. Call it before the first shopper. */
export async function openAuditor({ mysql: server, namespace }: Pick<Deployment, 'mysql' | 'namespace'>): Promise<Auditor> {
  const books = await mysql.createConnection({ ...server, supportBigNumbers: true, decimalNumbers: true });
  const shelves = await rows<{ product: string; available: number }>(books, stockNow(namespace));
  const seeded = new Map(shelves.map(({ product, available }) => [product, available]));

  const unsettled = async () => (await rows<{ open: number }>(books, openOrders(namespace)))[0]?.open ?? 0;

  return {
    unsettled,
    async read(acknowledged) {
      const [stock, taken, sold] = [
        await rows<{ product: string; available: number }>(books, stockNow(namespace)),
        await rows<{ product: string; pieces: number }>(books, reservedPieces(namespace)),
        await rows<{ product: string; pieces: number }>(books, paidPieces(namespace)),
      ];
      const pieces = (of: typeof taken) => new Map(of.map((row) => [row.product, row.pieces]));
      const [reserved, paid] = [pieces(taken), pieces(sold)];
      const known = new Set((await rows<{ id: string }>(books, `SELECT id FROM ${namespace}_orders.orders`)).map(({ id }) => id));
      const ids = async (sql: string) => (await rows<{ id: string }>(books, sql)).map(({ id }) => id);
      return {
        products: stock.map(({ product, available }) => ({
          product,
          seeded: seeded.get(product) ?? 0,
          available,
          reserved: reserved.get(product) ?? 0,
          paid: paid.get(product) ?? 0,
        })),
        acknowledged: acknowledged.length,
        missingOrders: acknowledged.map(({ orderId }) => orderId).filter((id) => !known.has(id)),
        paidOrders: (await rows<{ count: number }>(books, paidOrders(namespace)))[0]?.count ?? 0,
        paidWithoutPayment: await ids(paidWithoutPayment(namespace)),
        chargedWrongly: [...(await ids(paymentsWithoutPaidOrder(namespace))), ...(await ids(sameKeyTwice(namespace)))],
        unsettled: await unsettled(),
      };
    },
    close: () => books.end(),
  };
}

async function rows<Row>(books: Connection, sql: string): Promise<Row[]> {
  const [found] = await books.query<RowDataPacket[]>(sql);
  return found as Row[];
}

const stockNow = (namespace: string) => `SELECT product_id AS product, available FROM ${namespace}_inventory.stock`;

const reservedPieces = (namespace: string) => `
  SELECT product_id AS product, CAST(SUM(quantity) AS SIGNED) AS pieces
  FROM ${namespace}_inventory.reservation_lines JOIN ${namespace}_inventory.reservations USING (order_id)
  WHERE state = 'REDUCED' GROUP BY product_id`;

const paidPieces = (namespace: string) => `
  SELECT product_id AS product, CAST(SUM(quantity) AS SIGNED) AS pieces
  FROM ${namespace}_orders.order_lines JOIN ${namespace}_orders.orders ON id = order_id
  WHERE status = 'PAID' GROUP BY product_id`;

const openOrders = (namespace: string) =>
  `SELECT COUNT(*) AS open FROM ${namespace}_orders.orders WHERE status NOT IN ('PAID', 'CANCELLED')`;

const paidOrders = (namespace: string) => `SELECT COUNT(*) AS count FROM ${namespace}_orders.orders WHERE status = 'PAID'`;

const paidWithoutPayment = (namespace: string) => `
  SELECT id FROM ${namespace}_orders.orders LEFT JOIN ${namespace}_payment.payments ON order_id = id
  WHERE orders.status = 'PAID' AND (order_id IS NULL OR amount_cents <> total_cents)`;

/** Money taken for an order that is not paid. One that is still open may have been charged a moment ago: it is counted as unsettled instead. */
const paymentsWithoutPaidOrder = (namespace: string) => `
  SELECT order_id AS id FROM ${namespace}_payment.payments LEFT JOIN ${namespace}_orders.orders ON id = order_id
  WHERE id IS NULL OR orders.status = 'CANCELLED'`;

/** The unique key forbids it; the audit does not trust the key. */
const sameKeyTwice = (namespace: string) => `
  SELECT MIN(id) AS id FROM ${namespace}_orders.orders WHERE status = 'PAID'
  GROUP BY user_id, idempotency_key HAVING COUNT(*) > 1`;
