import { codes, MallError } from '../errors.ts';

/** A row with this key exists already (MySQL error 1062): an answer of a database that works. MySQL's words, which quote the row, are the cause. */
export class DuplicateKeyError extends Error {
  override readonly name = 'DuplicateKeyError';

  constructor(cause: unknown) {
    super('A row with this key exists already', { cause });
  }
}

/** Whether the database gave up a transaction that may succeed when it is tried again (MySQL error 1213). */
export const isDeadlock = (thrown: unknown): boolean => thrown instanceof MallError && errnoOf(thrown.cause) === 1213;

/** What the driver reports, in our words. */
export function databaseError(cause: Error): Error {
  return errnoOf(cause) === 1062 ? new DuplicateKeyError(cause) : new MallError('database', undefined, { cause });
}

/** Whether a rejection is the database's fault rather than the word of the code that used it. */
export const isDatabaseFault = (thrown: unknown): boolean =>
  thrown instanceof MallError && (thrown.code === codes.database || thrown.refusedBy === 'deadline');

/** Whether a rejection is an answer, and the database did its part: a key that exists, or what the code within a transaction decided. */
export const isAnswer = (thrown: unknown): boolean =>
  thrown instanceof DuplicateKeyError || (thrown instanceof MallError && thrown.code !== codes.database && thrown.refusedBy === undefined);

const errnoOf = (thrown: unknown): unknown => (thrown instanceof Error && 'errno' in thrown ? thrown.errno : undefined);
