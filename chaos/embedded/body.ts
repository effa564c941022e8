import { messageOf } from '../../core/errors.ts';
import { refusals } from './refusal.ts';

export type ProxyFields = { name?: string; listen?: string; upstream?: string; enabled?: boolean };
export type ToxicFields = { name?: string; type?: string; stream?: string; toxicity?: number; attributes?: unknown };

/** Bodies are read as leniently as the original reads them: what follows the first value is ignored, and so are unknown fields. */
export const parseProxy = (body: string): ProxyFields => decode(firstValueOf(body), proxyShape);

export function parseProxies(body: string): ProxyFields[] {
  const value = firstValueOf(body) ?? [];
  if (!Array.isArray(value)) throw refusals.badBody(`expected an array of proxies, got ${kindOf(value)}`);
  return value.map((entry: unknown) => decode(entry, proxyShape));
}

export function parseToxic(body: string): ToxicFields {
  const fields = decode(firstValueOf(body), toxicShape);
  return fields.toxicity === undefined ? fields : { ...fields, toxicity: shortestFloat32(fields.toxicity) };
}

/** The attributes that are given, of those that the kind of toxic has. */
export function parseAttributes(attributes: unknown, names: readonly string[]): Record<string, number> {
  return decode(attributes ?? {}, Object.fromEntries(names.map((name) => [name, 'integer']))) as Record<string, number>;
}

type FieldKind = 'string' | 'boolean' | 'number' | 'integer' | 'anything';
const proxyShape = { name: 'string', listen: 'string', upstream: 'string', enabled: 'boolean' } as const;
const toxicShape = { name: 'string', type: 'string', stream: 'string', toxicity: 'number', attributes: 'anything' } as const;

type Value<K> = K extends 'string' ? string : K extends 'boolean' ? boolean : K extends 'anything' ? unknown : number;
type Decoded<S> = { -readonly [Name in keyof S]?: Value<S[Name]> };

/** The known fields of an object, whatever the case of their names; `null` counts as absent. */
function decode<const S extends Record<string, FieldKind>>(value: unknown, shape: S): Decoded<S> {
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw refusals.badBody(`expected an object, got ${kindOf(value)}`);
  const names = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]));
  const fields: Record<string, unknown> = {};
  for (const [given, field] of Object.entries(value)) {
    const name = names.get(given.toLowerCase());
    if (name === undefined || field === null) continue;
    const kind = shape[name] ?? 'anything';
    if (!isOfKind[kind](field)) throw refusals.badBody(`expected '${name}' to be of type ${kind}, got ${shown(field)}`);
    fields[name] = field;
  }
  return fields as Decoded<S>;
}

const isOfKind: Record<FieldKind, (value: unknown) => boolean> = {
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  // What the original keeps in 32 and 64 bits.
  number: (value) => typeof value === 'number' && Number.isFinite(Math.fround(value)),
  integer: (value) => Number.isInteger(value) && Math.abs(Number(value)) <= 2 ** 63,
  anything: () => true,
};

/** Scalars as they came, if they are short. */
function shown(value: unknown): string {
  const text = typeof value === 'object' ? kindOf(value) : JSON.stringify(value);
  return text.length > 100 ? kindOf(value) : text;
}

const kindOf = (value: unknown) => (value === null ? 'null' : Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`);

function firstValueOf(text: string): unknown {
  if (text.trim() === '') throw refusals.badBody('EOF');
  try {
    return JSON.parse(text.slice(0, endOfFirstValue(text)));
  } catch (cause) {
    throw refusals.badBody(messageOf(cause));
  }
}

/**
 * Where the first value ends: at the bracket or the quote that closes it, or where a bare word ends. In one pass, since anybody's bytes come
 * here: what is no JSON must not take longer than what is.
 */
function endOfFirstValue(text: string): number {
  let depth = 0;
  let isQuoted = false;
  let isWord = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] ?? '';
    if (isQuoted) {
      if (character === '\\') index += 1;
      else if (character === '"') {
        isQuoted = false;
        if (depth === 0) return index + 1;
      }
      continue;
    }
    if (isWord && !isOfWord(character)) return index;
    if (character === '"') isQuoted = true;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') {
      depth -= 1;
      if (depth <= 0) return index + 1;
    } else if (depth === 0) isWord = isOfWord(character);
  }
  return text.length;
}

const isOfWord = (character: string) => /[^\s{[\]}",:]/.test(character);

/** Toxicities are kept in 32 bits and shown with as few digits as tell them apart: 0.1, not 0.10000000149011612. */
function shortestFloat32(value: number): number {
  const rounded = Math.fround(value);
  for (let digits = 1; digits < 9; digits += 1) {
    const shorter = Number(rounded.toPrecision(digits));
    if (Math.fround(shorter) === rounded) return shorter;
  }
  return rounded;
}
