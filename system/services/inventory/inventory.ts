export type StockLine = { productId: string; quantity: number };

/**
 * The lines as they are taken from the shelf: one for each product, in one order everywhere. Two orders for the same products then
 * wait for each other instead of locking each other out. Undefined when a quantity is not a whole number from 1 or there is no line.
 */
export function shelfOrder(lines: readonly StockLine[]): StockLine[] | undefined {
  const wanted = new Map<string, number>();
  for (const { productId, quantity } of lines) {
    if (!Number.isInteger(quantity) || quantity < 1) return undefined;
    wanted.set(productId, (wanted.get(productId) ?? 0) + quantity);
  }
  if (wanted.size === 0) return undefined;
  return [...wanted].map(([productId, quantity]) => ({ productId, quantity })).sort((a, b) => (a.productId < b.productId ? -1 : 1));
}

/** The products there is too little of; a product that nobody has heard of has nothing available. */
export function missingOf(lines: readonly StockLine[], available: ReadonlyMap<string, number>): string[] {
  return lines.filter(({ productId, quantity }) => (available.get(productId) ?? 0) < quantity).map(({ productId }) => productId);
}
