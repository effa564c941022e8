/** Money taken for an order. */
export type Receipt = { orderId: string; amountCents: number; status: 'PAID' };

/** What may be charged: whole cents, none of them negative. */
export const isAmount = (cents: number) => Number.isSafeInteger(cents) && cents >= 0;
