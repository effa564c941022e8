import type { Logger } from 'pino';
import { MallError } from '../../errors.ts';
import type { Call, Interceptor } from './interceptor.ts';

/** Turns a mistake of ours, anything that is not a `MallError`, into a plain 'serverError' for the caller and a stack in the log. */
export function recover<C extends Call>({ log }: { log: Logger }, { name }: { name: string }): Interceptor<C> {
  return async function recover(call, next) {
    try {
      return await next(call);
    } catch (error) {
      if (error instanceof MallError) throw error;
      log.error({ err: error, call: name }, 'A handler failed unexpectedly');
      throw new MallError('serverError', undefined, { cause: error });
    }
  };
}
