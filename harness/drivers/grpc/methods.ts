import { dirname, resolve } from 'node:path';
import type { AnyDefinition, MethodDefinition, PackageDefinition, ServiceDefinition } from '@grpc/proto-loader';
import { loadSync } from '@grpc/proto-loader';
import { messageOf, UsageError } from '../../../core/errors.ts';
import { createMethodTypes, type MethodTypes, withoutLongs } from './message-types.ts';

/** A unary method: how its request becomes bytes, and what the bytes of an answer say. */
export type Method = {
  /** `/shop.Orders/Place`. */
  path: string;
  /** Throws a UsageError for a message that is not as the .proto says. */
  encode: (message: object) => Buffer;
  decode: (bytes: Buffer) => unknown;
};

/**
 * Finds methods of .proto files by their full names, with or without a leading slash. Imports are looked up in the folders of all
 * the files. Messages have the field names of the .proto, enums are names and bytes are Buffers; a field that was not sent has its
 * default; a 64-bit integer is a number where it is safe as one, else a string of digits.
 *
 * Throws a UsageError for files that cannot be read and names that they do not have, a TypeError for a method that streams.
 */
export function loadMethods({ proto }: { proto: string | readonly string[] }): (name: string) => Method {
  const files = typeof proto === 'string' ? [proto] : [...proto];
  const definition = load(files);
  const described = Object.values(definition).flatMap(methodsOf);
  // Every definition has the descriptors of all files.
  const typesOf = createMethodTypes(described[0]?.requestType.fileDescriptorProtos ?? []);
  const methods = new Map<string, Method | 'streams'>();
  for (const method of described) {
    const { path, requestStream, responseStream } = method;
    const found = requestStream || responseStream ? 'streams' : unary(method, typesOf(path));
    methods.set(path.slice(1), found).set(path, found);
  }
  return (name) => {
    const method = methods.get(name);
    if (method === 'streams') throw new TypeError(`Expected a method with one request and one answer, but ${name} streams`);
    if (method === undefined) throw new UsageError(`Expected a method of ${files.join(' and ')} (${listed(methods)}), got '${name}'`);
    return method;
  };
}

function load(files: string[]): PackageDefinition {
  try {
    const paths = files.map((file) => resolve(file));
    return loadSync(paths, {
      keepCase: true,
      enums: String,
      defaults: true,
      includeDirs: paths.map((path) => dirname(path)),
    });
  } catch (cause) {
    throw new UsageError(`Expected ${files.join(' and ')} to be readable as .proto, but: ${messageOf(cause)}`, { cause });
  }
}

function methodsOf(definition: AnyDefinition): MethodDefinition<object, object>[] {
  return isService(definition) ? Object.values(definition) : [];
}

function isService(definition: AnyDefinition): definition is ServiceDefinition {
  return !('format' in definition);
}

function unary(
  { path, requestSerialize, responseDeserialize }: MethodDefinition<object, object>,
  { checkRequest, answersHaveLongs }: MethodTypes,
): Method {
  return {
    path,
    encode: (message) => {
      checkRequest(message);
      return requestSerialize(message);
    },
    decode: answersHaveLongs ? (bytes) => withoutLongs(responseDeserialize(bytes)) : responseDeserialize,
  };
}

function listed(methods: ReadonlyMap<string, unknown>): string {
  const names = [...methods.keys()].filter((name) => !name.startsWith('/'));
  const rest = names.length - mostListed;
  return names.length === 0 ? 'which has none' : `${names.slice(0, mostListed).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
const mostListed = 20;
