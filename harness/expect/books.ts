import type { Expectation } from './expectation.ts';
import { met, missed, unknown } from './verdicts.ts';

/** What the inventory's books say at the end of the run. */
export const stock = {
  /** No product has sold more than there was, and what is gone from the shelf is what orders took. */
  neverOversold: (): Expectation => ({
    sentence: 'no product is oversold',
    judge: ({ audit }) => {
      if (audit === undefined || audit.products.length === 0) return unknown('the stock could not be read');
      const wrong = audit.products.filter(
        ({ seeded, available, reserved, paid }) => available < 0 || seeded - available !== reserved || paid > reserved,
      );
      const examples = wrong
        .slice(0, 3)
        .map((row) => `${row.product}: ${row.seeded} seeded, ${row.available} left, ${row.reserved} reserved, ${row.paid} paid`);
      const sold = audit.products.reduce((sum, { reserved }) => sum + reserved, 0);
      if (wrong.length > 0) return missed(examples.join('; '));
      return audit.paidOrders === 0
        ? unknown('nobody bought anything')
        : met(`${sold} pieces of ${audit.products.length} products sold, the books agree`);
    },
  }),
};

/** What the orders' and payments' books say at the end of the run. */
export const orders = {
  /** Every order that a shopper was told about is in the database. */
  neverLost: (): Expectation => ({
    sentence: 'every acknowledged order is in the database',
    judge: ({ audit }) => {
      if (audit === undefined) return unknown('the orders could not be read');
      if (audit.acknowledged === 0) return unknown('no order was acknowledged');
      const { missingOrders } = audit;
      return missingOrders.length > 0
        ? missed(`${missingOrders.length} of ${audit.acknowledged} missing: ${missingOrders.slice(0, 3).join(', ')}`)
        : met(`${audit.acknowledged} of ${audit.acknowledged}`);
    },
  }),
  /** A paid order has exactly one payment of its amount, and no other order has one. */
  chargedOnce: (): Expectation => ({
    sentence: 'every paid order is charged exactly once',
    judge: ({ audit, repeated }) => {
      if (audit === undefined) return unknown('the payments could not be read');
      const wrong = [...audit.paidWithoutPayment, ...audit.chargedWrongly];
      if (wrong.length > 0) return missed(`${wrong.length} wrong: ${wrong.slice(0, 3).join(', ')}`);
      const { count, different } = repeated();
      if (different > 0) return missed(`${different} of ${count} repeated checkouts were not answered with the order of the first`);
      return audit.paidOrders === 0 ? unknown('no order was paid') : met(`${audit.paidOrders} paid orders, ${count} checkouts sent twice`);
    },
  }),
  /** Orders that were accepted while payment was away are paid or cancelled by the end of the run. */
  settled: (): Expectation => ({
    sentence: 'every order is paid or cancelled in the end',
    judge: ({ audit }) => {
      if (audit === undefined) return unknown('the orders could not be read');
      if (audit.unsettled > 0) return missed(`${audit.unsettled} orders are still open`);
      return audit.acknowledged === 0 ? unknown('no order was acknowledged') : met('none is left open');
    },
  }),
};
