import { z } from 'zod';

/*
 * What a field of a configuration may be. Each carries the words that complete a complaint: `Expected '…' to be a whole number from 0 to 999, got …`.
 */

export function anObject(issue: { code?: string }) {
  return issue.code === 'invalid_type' ? 'an object' : undefined;
}

/** A group of fields; what of it is not given has its defaults. */
export function block<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(shape, { error: anObject }).prefault({} as never);
}

export function flag(value: boolean) {
  return z.boolean({ error: 'true or false' }).default(value);
}

export function choice<const T extends readonly [string, ...string[]]>(values: T, value: T[number]) {
  return z.enum(values, { error: `one of ${values.join(', ')}` }).default(value as never);
}

/** Without a default the field has to be given. */
export function whole({ from, to, byDefault }: { from: number; to: number; byDefault?: number }) {
  return figure(Number.isInteger, { what: 'a whole number', from, to, byDefault });
}

export function number({ from, to, byDefault }: { from: number; to: number; byDefault?: number }) {
  return figure(Number.isFinite, { what: 'a number', from, to, byDefault });
}

type Figure = { what: string; from: number; to: number; byDefault: number | undefined };
function figure(isRight: (value: unknown) => boolean, { what, from, to, byDefault }: Figure) {
  const inRange = (value: unknown) => isRight(value) && Number(value) >= from && Number(value) <= to;
  const schema = z.custom<number>(inRange, { error: `${what} from ${from} to ${to}` });
  return byDefault === undefined ? schema : schema.default(byDefault);
}

/** Names out of those that are known. */
export function list(known: readonly string[], what: string) {
  const isList = (value: unknown) => Array.isArray(value) && value.every((name) => known.includes(name));
  return z.custom<readonly string[]>(isList, { error: `a list of ${what} (${known.join(', ')})` }).default([]);
}

/** A value for each of some names out of those that are known. */
export function byName<V extends z.ZodType>(known: readonly string[], value: V, byDefault: Record<string, number> = {}) {
  const name = z.string().refine((text) => known.includes(text), { error: `one of ${known.join(', ')}` });
  return z.record(name, value, { error: anObject }).default(byDefault as never);
}

/**
 * The sentence for the first thing that is wrong with a `value`: the field, what was expected, what came. `place` comes before the field. zod's own
 * words are used for nothing.
 */
export function complaint(issue: z.core.$ZodIssue, { place, value }: { place: string; value: unknown }): string {
  const name = [place, ...issue.path].join('.');
  const came = issue.path.reduce<unknown>((inner, key) => (isObject(inner) ? inner[String(key)] : undefined), value);
  if (issue.code === 'unrecognized_keys') return `Expected '${name}' to have known fields only, got '${issue.keys.join("', '")}'`;
  if (issue.code === 'invalid_key')
    return `Expected '${[place, ...issue.path.slice(0, -1)].join('.')}' to name ${issue.issues[0]?.message}, got '${String(issue.path.at(-1))}'`;
  return `Expected '${name}' to be ${issue.message}, got ${JSON.stringify(came) ?? 'nothing'}`;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
