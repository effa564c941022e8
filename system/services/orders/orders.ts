import { codes, MallError } from '../../errors.ts';

/**
 *     CREATED ──▶ PENDING ──▶ PAID
 *        │           │
 *        ├───────────┴──▶ CANCELLING ──▶ CANCELLED
 *        └──────────────────────────────────▲
 *
 * CREATED: written, and perhaps its stock taken. Nothing was charged, so whoever finds it abandoned undoes it. PENDING: its stock is taken
 * and it may have been charged, so from here it goes forward, and only a no of the payment ends it otherwise. CANCELLING: what it took is
 * being given back. PAID and CANCELLED are final. An order whose stock was refused has nothing to give back and is CANCELLED at once.
 */
export type OrderStatus = 'CREATED' | 'PENDING' | 'PAID' | 'CANCELLING' | 'CANCELLED';
export type OrderLine = { productId: string; quantity: number; priceCents: number };
export type Order = { id: string; userId: number; status: OrderStatus; totalCents: number; lines: OrderLine[] };

export type WantedLine = { productId: string; quantity: number };

const limits = { lines: 20, quantity: 99 } as const;

/** What a shopper's software may call a checkout, so that it can repeat it: 1 to 64 visible ASCII characters. */
export const isKey = (text: string) => /^[!-~]{1,64}$/.test(text);

/** One line for each product, in the order in which they are stored; or the sentence that says what is wrong. */
export function linesOf(wanted: readonly WantedLine[]): WantedLine[] | string {
  const quantities = new Map<string, number>();
  for (const { productId, quantity } of wanted) {
    if (productId === '') return 'Expected every line to name a product';
    quantities.set(productId, (quantities.get(productId) ?? 0) + quantity);
    if (!Number.isInteger(quantity) || quantity < 1) return `Expected a quantity from 1 of '${productId}', got ${quantity}`;
  }
  if (quantities.size === 0 || quantities.size > limits.lines) return `Expected 1 to ${limits.lines} products, got ${quantities.size}`;
  const lines = [...quantities].map(([productId, quantity]) => ({ productId, quantity })).sort(byProduct);
  const tooMany = lines.find(({ quantity }) => quantity > limits.quantity);
  return tooMany === undefined ? lines : `Expected at most ${limits.quantity} of '${tooMany.productId}', got ${tooMany.quantity}`;
}

const byProduct = (a: WantedLine, b: WantedLine) => (a.productId < b.productId ? -1 : 1);

/** Whether an order is for these lines. Both come in the order of `linesOf`. */
export const isFor = ({ lines }: Order, wanted: readonly WantedLine[]) =>
  lines.length === wanted.length &&
  wanted.every(({ productId, quantity }, index) => lines[index]?.productId === productId && lines[index]?.quantity === quantity);

/** The lines with what they cost today, or the first product that is not in the catalogue. */
export function priced(lines: readonly WantedLine[], priceCents: ReadonlyMap<string, number>): OrderLine[] | string {
  const unknown = lines.find(({ productId }) => !priceCents.has(productId));
  if (unknown !== undefined) return `There is no product '${unknown.productId}'`;
  return lines.map((line) => ({ ...line, priceCents: priceCents.get(line.productId) ?? 0 }));
}

export const totalCentsOf = (lines: readonly OrderLine[]) =>
  lines.reduce((sum, { quantity, priceCents }) => sum + quantity * priceCents, 0);

/**
 * How a step outside of the orders failed. `no`: the service looked at it and decided against it. `turnedAway`: a breaker was open, or the
 * call was shed or limited. Neither carried the step out. `unknown`: it may have been carried out, or may still be.
 */
export type StepFailure = 'no' | 'turnedAway' | 'unknown';

/** What can be known of a step from the way it failed. */
export function stepFailureOf(thrown: unknown): StepFailure {
  if (!(thrown instanceof MallError) || thrown.refusedBy === 'deadline') return 'unknown';
  if (thrown.refusedBy !== undefined) return 'turnedAway';
  return decisions.has(thrown.code) ? 'no' : 'unknown';
}

/** Codes that only a service that looked at the request gives. */
const decisions: ReadonlySet<number> = new Set([
  codes.badParameter,
  codes.orderStatus,
  codes.outOfStock,
  codes.paymentFailed,
  codes.insufficientBalance,
]);
