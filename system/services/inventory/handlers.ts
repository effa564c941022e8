import { MallError } from '../../errors.ts';
import type { Handlers } from '../../rpc/server.ts';
import { missingOf, type StockLine, shelfOrder } from './inventory.ts';
import type { InventoryStore } from './store.ts';

export function inventoryHandlers(store: InventoryStore): Handlers<'inventory'> {
  return {
    async check(request) {
      const lines = parsed(request.lines);
      const missing = missingOf(lines, await store.available(lines.map(({ productId }) => productId)));
      return { available: missing.length === 0, missing };
    },

    async reduce({ orderId, lines }) {
      await store.reduce({ orderId, lines: parsed(lines) });
      return {};
    },

    async restore({ orderId }) {
      await store.restore(orderId);
      return {};
    },
  };
}

function parsed(lines: readonly StockLine[]): StockLine[] {
  const ordered = shelfOrder(lines);
  if (ordered === undefined) throw new MallError('badParameter', 'Expected at least one product, and quantities from 1');
  return ordered;
}
