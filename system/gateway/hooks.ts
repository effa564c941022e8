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

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route's handler in its chain. */
    governed?: ReturnType<Govern>;
  }
  interface FastifyRequest {
    isTooLarge: boolean;
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

/** Requests that reach no handler: an unknown URL, and what fastify itself turns down, such as a body that is not JSON. */
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
    throw new MallError(error.statusCode === 413 ? 'bodyTooLarge' : 'badParameter', error.message, { cause: error });
  });
  app.decorateRequest('isTooLarge', false);
  app.setErrorHandler((error: Error & { code?: string }, request, reply) => {
    const { governed } = request.routeOptions.config;
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE' && governed !== undefined) {
      request.isTooLarge = true;
      return governed(request, reply);
    }
    errors.set(request, error);
    return refuse(request, reply);
  });
}

/**
 * Throws `bodyTooLarge` for a request of which fastify did not read the body. To be called first by the handler of a route: as in go-zero, such
 * a request passes through the chain of its route, where it is traced and counted.
 */
export function checkSize({ isTooLarge }: FastifyRequest): void {
  if (isTooLarge) throw new MallError('bodyTooLarge');
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
