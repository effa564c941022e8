import type { Order__Output } from '../contracts/gen/orders/Order.ts';
import type { Item__Output } from '../contracts/gen/product/Item.ts';
import type { Account__Output } from '../contracts/gen/user/Account.ts';

/** What the services say, in the snake_case of the mall's JSON. */
export const accountView = ({ id, mobile, name }: Account__Output) => ({ id, mobile, name });

export const productView = ({ id, name, description, priceCents }: Item__Output) => ({ id, name, description, price_cents: priceCents });

export const orderView = ({ id, userId, status, totalCents, lines }: Order__Output) => ({
  id,
  user_id: userId,
  status,
  total_cents: totalCents,
  items: lines.map(({ productId, quantity, priceCents }) => ({ product_id: productId, quantity, price_cents: priceCents })),
});
