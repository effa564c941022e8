import { codes, MallError } from '../errors.ts';

/** A row with this key exists already (MySQL error 1062): an answer of a database that works. */
export class DuplicateKeyError extends Error {
  override readonly name = 'DuplicateKeyError';
}

/** Whether the database gave up a transaction that may succeed when it is tried again (MySQL error 1213). */
export const isDeadlock = (thrown: unknown): boolean => thrown instanceof MallError && errnoOf(thrown.cause) === 1213;

/** What the driver reports, in our words. */
export function databaseError(cause: Error): Error {
  return errnoOf(cause) === 1062 ? new DuplicateKeyError(cause.message, { cause }) : new MallError('database', undefined, { cause });
}

/** Whether a rejection is the database's fault rather than the word of the code that used it. */
export const isDatabaseFault = (thrown: unknown): boolean =>
  thrown instanceof MallError && (thrown.code === codes.database || thrown.refusedBy === 'deadline');

const errnoOf = (thrown: unknown): unknown => (thrown instanceof Error && 'errno' in thrown ? thrown.errno : undefined);
