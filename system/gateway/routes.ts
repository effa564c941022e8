import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify';
import { MallError } from '../errors.ts';
import type { Client } from '../rpc/client.ts';
import { checkParameters, checkSize, type Govern, userIdOf } from './hooks.ts';
import type { AddedRoute, Limit } from './limits.ts';
import * as schemas from './schemas.ts';
import { accountView, orderView, productView } from './views.ts';

export type Services = { user: Client<'user'>; product: Client<'product'>; orders: Client<'orders'> };

/**
 * Every route of the mall, and their names. `limitOf` gives a route the limit that is asked before each of its requests; `newKey` names a checkout
 * whose shopper gave it no idempotency key.
 */
export function addRoutes(
  app: FastifyInstance,
  {
    govern,
    services,
    newKey,
    limitOf = () => undefined,
  }: { govern: Govern; services: Services; newKey: () => string; limitOf?: (route: string) => Limit | undefined },
): AddedRoute[] {
  const { user, product, orders } = services;
  const added: AddedRoute[] = [];

  open('POST', '/api/v1/user/register', schemas.registration, async ({ body }) =>
    accountView(await user.register(body as schemas.Registration)),
  );

  open('POST', '/api/v1/user/login', schemas.credentials, async ({ body }) => {
    const account = await user.login(body as schemas.Credentials);
    const token = app.jwt.sign({ user_id: account.id }, { expiresIn: `${tokenSeconds}s` });
    return { token, expires_in: tokenSeconds, user: accountView(account) };
  });

  own('GET', '/api/v1/user/:userId', schemas.userParams, async (userId, { params }) => {
    ownOnly(userId, (params as schemas.UserParams).userId);
    return accountView(await user.get({ id: userId }));
  });

  own('PUT', '/api/v1/user/info', schemas.info, async (userId, { body }) =>
    accountView(await user.updateInfo({ id: userId, name: (body as schemas.Info).name })),
  );

  open('GET', '/api/v1/products', schemas.catalogueQuery, async ({ query }) => {
    const { page, page_size } = query as schemas.CatalogueQuery;
    const { items } = await product.list({ page, pageSize: page_size });
    return { page, page_size, items: items.map(productView) };
  });

  open('GET', '/api/v1/products/:id', schemas.productParams, async ({ params }) =>
    productView(await product.get({ id: (params as schemas.IdParams).id })),
  );

  own('POST', '/api/v1/orders', schemas.checkout, async (userId, { body, headers }, reply) => {
    const key = headers['idempotency-key'];
    const lines = (body as schemas.Checkout).items.map(({ product_id, quantity }) => ({ productId: product_id, quantity }));
    const order = await orders.create({ userId, idempotencyKey: typeof key === 'string' ? key : newKey(), lines });
    // PAID and PENDING are a yes. Only a repeated checkout can meet the others.
    if (order.status === 'CREATED')
      throw new MallError('orderStatus', `Order '${order.id}' is still being made: ask again with the same idempotency key`);
    if (order.status !== 'PAID' && order.status !== 'PENDING')
      throw new MallError('orderStatus', `Order '${order.id}' was cancelled: order again with a new idempotency key`);
    if (order.status === 'PENDING') reply.code(202);
    return orderView(order);
  });

  own('GET', '/api/v1/orders/:id', schemas.orderParams, async (userId, { params }) =>
    orderView(await orders.get({ userId, id: (params as schemas.IdParams).id })),
  );

  own('GET', '/api/v1/orders', schemas.ordersQuery, async (userId, { query }) => {
    ownOnly(userId, (query as schemas.OrdersQuery).user_id ?? userId);
    const list = await orders.list({ userId });
    return { orders: list.orders.map(orderView) };
  });

  return added;

  /** A route for everybody. */
  function open(method: Method, url: string, schema: FastifySchema, handler: Handler): void {
    add({ method, url, schema, hasUser: false }, async (request, reply, limit) => {
      await limit?.(request, reply);
      checkParameters(request);
      return handler(request, reply);
    });
  }

  /** A route for who is logged in. */
  function own(method: Method, url: string, schema: FastifySchema, handler: OwnHandler): void {
    add({ method, url, schema, hasUser: true }, async (request, reply, limit) => {
      const userId = await userIdOf(request);
      await limit?.(request, reply, userId);
      checkParameters(request);
      return handler(userId, request, reply);
    });
  }

  function add({ hasUser, ...route }: { method: Method; url: string; schema: FastifySchema; hasUser: boolean }, answer: Answer): void {
    const name = `${route.method} ${route.url}`;
    const limit = limitOf(name);
    const governed = govern(name, async (request, reply) => {
      checkSize(request);
      return answer(request, reply, limit);
    });
    app.route({ ...route, attachValidation: true, handler: governed, config: { governed } });
    added.push({ name, hasUser });
  }
}

type Method = 'GET' | 'POST' | 'PUT';
type Answer = (request: FastifyRequest, reply: FastifyReply, limit: Limit | undefined) => Promise<unknown>;
type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
type OwnHandler = (userId: number, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

const tokenSeconds = 7_200;

function ownOnly(userId: number, asked: number): void {
  if (userId !== asked) throw new MallError('tokenFailed', 'The token belongs to another user');
}
