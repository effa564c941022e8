import '@fastify/jwt';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { messageOf } from '../../core/errors.ts';
import { adminAnswer, adminPaths, type Watched } from '../admin.ts';
import { MallError } from '../errors.ts';
import type { Govern } from '../rpc/chain.ts';

/** What a token says: whose it is, and nothing else. */
export type Token = { user_id: number };
declare module '@fastify/jwt' {
  interface FastifyJWT {
    payload: Token & { iat?: number };
    user: Token;
  }
}

export type { Govern } from '../rpc/chain.ts';

/** The user whose valid token came with the request. Throws `tokenExpired` or `tokenFailed`. */
export async function userIdOf(request: FastifyRequest): Promise<number> {
  try {
    const { user_id } = await request.jwtVerify<Token>();
    return user_id;
  } catch (cause) {
    const hasExpired = (cause as { code?: unknown }).code === 'FST_JWT_AUTHORIZATION_TOKEN_EXPIRED';
    throw new MallError(hasExpired ? 'tokenExpired' : 'tokenFailed', undefined, { cause });
  }
}

/** Routes are declared with `attachValidation`, so that also a wrong parameter is answered inside the chain: traced, counted, in the envelope. */
export function checkParameters({ validationError }: FastifyRequest): void {
  if (validationError === undefined) return;
  throw new MallError('badParameter', `Wrong ${validationError.validationContext ?? 'parameter'}: ${messageOf(validationError)}`);
}

/** Requests that reach no route: an unknown URL, and what fastify itself turns down, such as a body that is not JSON. */
export function addFallbacks(app: FastifyInstance, govern: Govern): void {
  app.setNotFoundHandler(
    govern('_OTHER unknown', async ({ method, url }) => {
      throw new MallError('badParameter', `There is nothing at ${method} ${url.split('?')[0]}`, { notFound: true });
    }),
  );

  // One chain for all of them, so the error has to come along with its request.
  const errors = new WeakMap<FastifyRequest, Error & { statusCode?: number }>();
  const refuse = govern('_OTHER unreadable', async (request) => {
    const error = errors.get(request);
    if (error?.statusCode === undefined || error.statusCode >= 500) throw error;
    throw new MallError('badParameter', error.message, { cause: error });
  });
  app.setErrorHandler((error: Error, request, reply) => {
    errors.set(request, error);
    return refuse(request, reply);
  });
}

/** What an operator asks; past the chain, so that a mall that sheds can still be looked at. */
export function addAdminRoutes(app: FastifyInstance, watched: Watched): void {
  for (const path of adminPaths) {
    app.get(path, async (_request, reply) => {
      const { status, contentType, body } = await adminAnswer(watched, path);
      return reply.code(status).type(contentType).send(body);
    });
  }
}
