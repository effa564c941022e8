/** What a request may carry, as JSON Schema for fastify, and the type that a request which passed has. */
export const registration = body(
  { mobile: text(1, 20), name: text(1, 64), password: text(1, 128) },
  { required: ['mobile', 'name', 'password'] },
);
export type Registration = { mobile: string; name: string; password: string };

export const credentials = body({ mobile: text(1, 20), password: text(1, 128) }, { required: ['mobile', 'password'] });
export type Credentials = { mobile: string; password: string };

export const info = body({ name: text(1, 64) }, { required: ['name'] });
export type Info = { name: string };

export const userParams = { params: object({ userId: id() }) };
export type UserParams = { userId: number };

export const catalogueQuery = { querystring: object({ page: whole(1, 10_000, 1), page_size: whole(1, 100, 20) }) };
export type CatalogueQuery = { page: number; page_size: number };

export const productParams = { params: object({ id: productId() }) };
export const orderParams = { params: object({ id: { type: 'string', pattern: '^[0-9A-Z]{26}$' } }) };
export type IdParams = { id: string };

export const checkout = {
  ...body(
    {
      items: {
        type: 'array',
        minItems: 1,
        maxItems: 20,
        items: object({ product_id: productId(), quantity: whole(1, 99) }, { required: ['product_id', 'quantity'] }),
      },
    },
    { required: ['items'] },
  ),
  headers: object({ 'idempotency-key': { type: 'string', pattern: '^[!-~]{1,64}$' } }),
};
export type Checkout = { items: { product_id: string; quantity: number }[] };

export const ordersQuery = { querystring: object({ user_id: id() }) };
export type OrdersQuery = { user_id?: number };

function body(properties: Record<string, unknown>, rest: { required: string[] }) {
  return { body: object(properties, rest) };
}

function object(properties: Record<string, unknown>, rest: { required?: string[] } = {}) {
  return { type: 'object', properties, ...rest };
}

function text(minLength: number, maxLength: number) {
  return { type: 'string', minLength, maxLength };
}

function whole(minimum: number, maximum: number, byDefault?: number) {
  return { type: 'integer', minimum, maximum, ...(byDefault !== undefined && { default: byDefault }) };
}

function id() {
  return whole(1, Number.MAX_SAFE_INTEGER);
}

function productId() {
  return { type: 'string', pattern: '^[A-Za-z0-9_-]{1,32}$' };
}
