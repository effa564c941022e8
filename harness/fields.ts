import { described } from '../core/described.ts';
import { messageOf, UsageError } from '../core/errors.ts';

/**
 * Scenarios run without their types: a misspelled field would be passed over in silence, and one of another kind end in an error of ours. Throws a
 * `UsageError` for what is no object, or has fields that nobody reads: `checkFields('visitors', visitors, ['timeout', 'atMost', 'threads'])`.
 * What a word of ours put in, such as the name of a phase, is `given`, and not among what could have been written.
 */
export function checkFields(
  what: string,
  written: unknown,
  known: readonly string[],
  { given = [] }: { given?: readonly string[] } = {},
): void {
  checkObject(what, written);
  const stray = Object.keys(written).find((name) => !known.includes(name) && !given.includes(name));
  if (stray !== undefined) throw new UsageError(`Expected ${what} to have ${listed(known)} only, got ${described(stray)}`);
}

/** The same for an object whose fields have names of the person's own. */
export function checkObject(what: string, written: unknown): asserts written is object {
  if (typeof written !== 'object' || written === null || Array.isArray(written))
    throw new UsageError(`Expected ${what} to be an object, got ${described(written)}`);
}

/** `checkList("'expect'", expect, "[latency(…).p95.below('1s')]")` */
export function checkList(what: string, written: unknown, example: string): asserts written is readonly unknown[] {
  if (!Array.isArray(written)) throw new UsageError(`Expected ${what} to be a list such as ${example}, got ${described(written)}`);
}

/** A name stands in tables, on one line of a terminal. */
export function checkName(what: string, name: unknown): asserts name is string {
  if (typeof name !== 'string' || !/^\S.{0,59}$/.test(name))
    throw new UsageError(`Expected ${what} to have a name of one line and up to 60 characters, got ${described(name)}`);
}

/** Reads a field so that what is wrong with it names it. */
export function named<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new UsageError(`'${name}': ${messageOf(cause)}`, { cause });
  }
}

/** Runs a check so that what it complains about names the phase. */
export function within<T>(phase: string, check: () => T): T {
  try {
    return check();
  } catch (thrown) {
    throw new UsageError(`Phase '${phase}': ${messageOf(thrown)}`, { cause: thrown });
  }
}

const names = new Intl.ListFormat('en-GB', { type: 'conjunction' });
const listed = (known: readonly string[]) => names.format(known.map((name) => `'${name}'`));
