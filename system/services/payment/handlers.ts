import { MallError } from '../../errors.ts';
import type { Handlers } from '../../rpc/server.ts';
import { isAmount } from './payment.ts';
import type { PaymentStore } from './store.ts';

export function paymentHandlers(store: PaymentStore): Handlers<'payment'> {
  return {
    async charge({ orderId, userId, amountCents }) {
      if (!isAmount(amountCents)) throw new MallError('badParameter', `Expected an amount in whole cents from 0, got ${amountCents}`);
      return store.charge({ orderId, userId, amountCents }).catch((error) => {
        // Whether the money was taken is open: the caller has to ask again, and a repeated charge takes it once.
        if (error instanceof MallError && error.refusedBy === 'deadline')
          throw new MallError('paymentTimeout', undefined, { cause: error });
        throw error;
      });
    },

    async get({ orderId }) {
      const receipt = await store.receipt(orderId);
      if (receipt === undefined) throw new MallError('orderMissing', `Order '${orderId}' was not paid`);
      return receipt;
    },
  };
}
