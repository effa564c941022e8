import { Long, loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { UsageError } from '../../../core/errors.ts';

/** What a method takes and gives. */
export type MethodTypes = {
  /** Throws a UsageError, one sentence, for a message that is not as the request's type says. */
  checkRequest: (message: unknown) => void;
  /** 64-bit integers may be in its answers, at any depth. */
  answersHaveLongs: boolean;
};

/**
 * What .proto files say of the messages of a method (`/shop.Orders/Place`), from their descriptors. proto-loader drops fields that it does not
 * know and makes something of values of another kind ('three' becomes 0): a load that nobody meant. Absent, null and undefined fields are
 * not sent.
 */
export function createMethodTypes(descriptors: readonly Buffer[]): (path: string) => MethodTypes {
  const { known, methods } = read(descriptors);
  const checks = new Map<string, Check>();

  const checkOf = (type: string): Check => {
    const found = checks.get(type);
    if (found !== undefined) return found;
    // Types may hold themselves, so fields are looked at when the first message comes.
    let fields: Map<string, Check> | undefined;
    const check: Check = (message) => {
      fields ??= fieldChecksOf(type);
      return misfitOfMessage(message, fields);
    };
    // A packed message brings its own type along.
    checks.set(type, type === 'google.protobuf.Any' ? (message) => misfitUnless(isObject(message), 'an object', message) : check);
    return checkOf(type);
  };

  const fieldChecksOf = (type: string) => new Map(fieldsOf(known, type).map((field) => [field.name, checkOfField(field, type)]));

  const checkOfField = (field: FieldDescriptor, scope: string): Check => {
    const name = resolve(known, field.typeName, scope);
    const entry = known.get(name);
    if (entry?.isMapEntry) {
      const [key, value] = entry.fields;
      if (key !== undefined && value !== undefined) return mapOf(checkOfKey(key.type), checkOfValue(value, name));
    }
    const check = checkOfValue(field, scope);
    return field.label === 'LABEL_REPEATED' ? listOf(check) : check;
  };

  const checkOfValue = ({ type, typeName }: FieldDescriptor, scope: string): Check => {
    const name = resolve(known, typeName, scope);
    if (type === 'TYPE_MESSAGE' || type === 'TYPE_GROUP') return checkOf(name);
    return type === 'TYPE_ENUM' ? oneOf(known.get(name)?.names ?? []) : (scalars[type] ?? fits);
  };

  const hasLongs = (type: string, seen = new Set<string>()): boolean => {
    if (seen.has(type)) return false;
    seen.add(type);
    return fieldsOf(known, type).some((field) => longs.test(field.type) || hasLongs(resolve(known, field.typeName, type), seen));
  };

  return (path) => {
    const { request = '', answer = '' } = methods.get(path) ?? {};
    const check = checkOf(request);
    return {
      checkRequest: (message) => {
        const misfit = check(message);
        if (misfit !== undefined)
          throw new UsageError(`Expected ${misfit.at === '' ? request : `'${misfit.at}' of ${request}`} ${misfit.why}`);
      },
      answersHaveLongs: hasLongs(answer),
    };
  };
}

/** The same message with its 64-bit integers as numbers where they are safe as such, else as strings of digits. Changes it in place. */
export function withoutLongs(value: unknown): unknown {
  if (Long.isLong(value)) {
    const number = value.toNumber();
    return Number.isSafeInteger(number) ? number : value.toString();
  }
  if (!isObject(value) || value instanceof Uint8Array) return value;
  for (const key in value) value[key] = withoutLongs(value[key]);
  return value;
}

/** Where in a message something does not fit, and why: `to be a string, got 5`. */
type Misfit = { at: string; why: string };
type Check = (value: unknown) => Misfit | undefined;

// As in google/protobuf/descriptor.proto, the little of it that matters here.
type FieldDescriptor = { name: string; label: string; type: string; typeName: string };
type MessageDescriptor = {
  name: string;
  field: FieldDescriptor[];
  nestedType: MessageDescriptor[];
  enumType: EnumDescriptor[];
  options: { mapEntry: boolean } | null;
};
type EnumDescriptor = { name: string; value: { name: string }[] };
type ServiceDescriptor = { name: string; method: { name: string; inputType: string; outputType: string }[] };
type FileDescriptor = { package: string; messageType: MessageDescriptor[]; enumType: EnumDescriptor[]; service: ServiceDescriptor[] };

/** A message with fields, or an enum with names. */
type KnownType = { fields: readonly FieldDescriptor[]; isMapEntry: boolean; names: readonly string[] };

function read(descriptors: readonly Buffer[]) {
  // Every proto-loader has this one on board.
  const ofDescriptors = loadSync('google/protobuf/descriptor.proto', { enums: String, defaults: true });
  const fileType = ofDescriptors['google.protobuf.FileDescriptorProto'] as MessageTypeDefinition<object, object>;
  const known = new Map<string, KnownType>();
  const methods = new Map<string, { request: string; answer: string }>();
  const addEnum = ({ name, value }: EnumDescriptor, scope: string) =>
    known.set(joined(scope, name), { fields: [], isMapEntry: false, names: value.map((one) => one.name) });
  const addMessage = ({ name, field, nestedType, enumType, options }: MessageDescriptor, scope: string) => {
    const full = joined(scope, name);
    known.set(full, { fields: field, isMapEntry: options?.mapEntry === true, names: [] });
    for (const nested of nestedType) addMessage(nested, full);
    for (const nested of enumType) addEnum(nested, full);
  };
  for (const bytes of descriptors) {
    const file = fileType.deserialize(bytes) as FileDescriptor;
    for (const message of file.messageType) addMessage(message, file.package);
    for (const one of file.enumType) addEnum(one, file.package);
    for (const service of file.service) {
      for (const { name, inputType, outputType } of service.method) {
        const path = `/${joined(file.package, service.name)}/${name}`;
        methods.set(path, { request: inputType.replace(/^\./, ''), answer: outputType.replace(/^\./, '') });
      }
    }
  }
  return { known, methods };
}

const joined = (scope: string, name: string) => (scope === '' ? name : `${scope}.${name}`);

const fieldsOf = (known: ReadonlyMap<string, KnownType>, type: string) => known.get(type)?.fields ?? [];

/** The full name of what `name` means within `scope`: the innermost type that is called so. */
function resolve(known: ReadonlyMap<string, KnownType>, name: string, scope: string): string {
  for (let outer = scope; outer !== ''; outer = outer.slice(0, Math.max(0, outer.lastIndexOf('.')))) {
    if (known.has(joined(outer, name))) return joined(outer, name);
  }
  return name;
}

function misfitOfMessage(message: unknown, fields: ReadonlyMap<string, Check>): Misfit | undefined {
  if (!isObject(message) || Array.isArray(message)) return misfitUnless(false, 'an object', message);
  for (const name in message) {
    const value = message[name];
    const check = fields.get(name);
    if (check === undefined) return { at: '', why: `to have ${fields.size === 0 ? 'no fields' : `only ${listed(fields)}`}, got '${name}'` };
    const misfit = value === undefined || value === null ? undefined : check(value);
    if (misfit !== undefined) return within(name, misfit);
  }
  return;
}

const listed = (fields: ReadonlyMap<string, Check>) => `the field${fields.size === 1 ? '' : 's'} ${[...fields.keys()].join(', ')}`;

const within = (place: string, { at, why }: Misfit): Misfit => ({
  at: at === '' || at.startsWith('[') ? place + at : `${place}.${at}`,
  why,
});

function listOf(check: Check): Check {
  return (values) => {
    if (!Array.isArray(values)) return misfitUnless(false, 'an array', values);
    for (let index = 0; index < values.length; index += 1) {
      const misfit = check(values[index]);
      if (misfit !== undefined) return within(`[${index}]`, misfit);
    }
    return;
  };
}

function mapOf(checkKey: Check, checkValue: Check): Check {
  return (map) => {
    if (!isObject(map) || Array.isArray(map)) return misfitUnless(false, 'an object', map);
    for (const key in map) {
      const misfit = checkKey(key) ?? checkValue(map[key]);
      if (misfit !== undefined) return within(`['${key}']`, misfit);
    }
    return;
  };
}

function oneOf(names: readonly string[]): Check {
  const all = new Set<unknown>(names);
  return (value) => misfitUnless(all.has(value) || isWhole(value, -(2 ** 31), 2 ** 31 - 1), `one of ${names.join(', ')}`, value);
}

const fits: Check = () => undefined;

const text: Check = (value) => misfitUnless(typeof value === 'string', 'a string', value);
const truth: Check = (value) => misfitUnless(typeof value === 'boolean', 'true or false', value);
const number: Check = (value) => misfitUnless(typeof value === 'number', 'a number', value);
const bytes: Check = (value) =>
  misfitUnless(value instanceof Uint8Array || (typeof value === 'string' && /^[\w+/-]*={0,2}$/.test(value)), 'a Buffer or base64', value);
const whole =
  (from: number, to: number): Check =>
  (value) =>
    misfitUnless(isWhole(value, from, to), `a whole number from ${from} to ${to}`, value);
const [int32, uint32] = [whole(-(2 ** 31), 2 ** 31 - 1), whole(0, 2 ** 32 - 1)];
const [int64, uint64] = [long(false), long(true)];

function long(isUnsigned: boolean): Check {
  const expected = `a whole number of 64 bits${isUnsigned ? ' and at least 0' : ''}, as a string of digits beyond ±(2⁵³ - 1)`;
  return (value) => misfitUnless(isLong(value, isUnsigned), expected, value);
}

/** How the descriptor calls a scalar, and what may stand for it in a message. */
const scalars: Readonly<Record<string, Check>> = {
  TYPE_STRING: text,
  TYPE_BOOL: truth,
  TYPE_DOUBLE: number,
  TYPE_FLOAT: number,
  TYPE_BYTES: bytes,
  TYPE_INT32: int32,
  TYPE_SINT32: int32,
  TYPE_SFIXED32: int32,
  TYPE_UINT32: uint32,
  TYPE_FIXED32: uint32,
  TYPE_INT64: int64,
  TYPE_SINT64: int64,
  TYPE_SFIXED64: int64,
  TYPE_UINT64: uint64,
  TYPE_FIXED64: uint64,
};
const longs = /64$/;

/** The keys of a JavaScript object are strings, whatever those of the map are. */
function checkOfKey(type: string): Check {
  if (type === 'TYPE_STRING') return fits;
  if (type === 'TYPE_BOOL') return (key) => misfitUnless(key === 'true' || key === 'false', 'under true or false', key);
  const check = scalars[type] ?? fits;
  return longs.test(type) ? check : (key) => misfitUnless(check(Number(key)) === undefined && key !== '', 'under a whole number', key);
}

function isWhole(value: unknown, from: number, to: number): boolean {
  return Number.isInteger(value) && (value as number) >= from && (value as number) <= to;
}

function isLong(value: unknown, isUnsigned: boolean): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) && (!isUnsigned || value >= 0);
  if (typeof value !== 'string' || !/^-?\d{1,20}$/.test(value)) return Long.isLong(value);
  return (isUnsigned ? BigInt.asUintN(64, BigInt(value)) : BigInt.asIntN(64, BigInt(value))) === BigInt(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function misfitUnless(isFit: boolean, expected: string, got: unknown): Misfit | undefined {
  return isFit ? undefined : { at: '', why: `to be ${expected}, got ${shown(got)}` };
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 60)}'`;
  if (Array.isArray(value)) return 'an array';
  return isObject(value) ? 'an object' : String(value);
}
