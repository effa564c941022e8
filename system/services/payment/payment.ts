/** Money taken for an order. */
export type Receipt = { orderId: string; amountCents: number; status: 'PAID' };

/** What a user who pays for the first time has, unless somebody opened the account before. */
export const openingBalanceCents = 1_000_000_00;

/** What may be charged: whole cents, none of them negative. */
export const isAmount = (cents: number) => Number.isSafeInteger(cents) && cents >= 0;
