import { connect } from 'node:net';
import { resolve } from 'node:path';
import { described } from '../core/described.ts';
import { messageOf, UsageError } from '../core/errors.ts';
import { checkFields } from './fields.ts';

/**
 * What a scenario without the mall points at: `{ http: 'http://127.0.0.1:3000' }`, or `{ grpc: '127.0.0.1:50051', proto: 'shop.proto' }` with paths
 * to .proto files from the scenario's folder. Certificates are verified unless `insecure`.
 */
export type Target = { http: string; insecure?: boolean } | { grpc: string; proto: string | readonly string[]; tls?: boolean };

/** Throws a `UsageError` for what is no address, or says something that means nothing there. */
export function checkTarget(target: unknown): asserts target is Target {
  if (typeof target !== 'object' || target === null)
    throw new UsageError(`Expected a target such as { http: 'http://127.0.0.1:3000' }, got ${described(target)}`);
  const { http, grpc, proto, insecure, tls } = target as Record<string, unknown>;
  if (grpc === undefined) {
    checkFields('a target', target, http === undefined ? ['http', 'grpc'] : ['http', 'insecure']);
    if (!isText(http, /^https?:\/\/[^/?#@\s]+\/?$/) || !URL.canParse(http))
      throw new UsageError(`Expected an HTTP target such as 'http://127.0.0.1:3000', without a path, got ${described(http)}`);
    checkSwitch('insecure', insecure);
    if (insecure !== undefined && !http.startsWith('https:'))
      throw new UsageError(`Expected 'insecure' beside an https target only, for it is about certificates, got it beside '${http}'`);
  } else {
    checkFields('a gRPC target', target, ['grpc', 'proto', 'tls']);
    if (!isText(grpc, /^(\[[\da-f:.]+\]|[^:/?#@\s[\]]+):\d{1,5}$/i) || !URL.canParse(`http://${grpc}`))
      throw new UsageError(`Expected a gRPC target such as '127.0.0.1:50051', got ${described(grpc)}`);
    const files = Array.isArray(proto) ? proto : [proto];
    if (files.length === 0 || files.some((file) => !isText(file, /./)))
      throw new UsageError(`Expected the .proto file of ${grpc}, or a list of them, got ${described(proto)}`);
    checkSwitch('tls', tls);
  }
}

/** Its .proto files, as the scenario names them; an HTTP target has none. */
export const protosOf = (target: Target): string[] => ('grpc' in target ? [target.proto].flat() : []);

/** In words: its address. */
export const addressOf = (target: Target) => ('http' in target ? originOf(target.http) : `grpc://${target.grpc}`);

/** The same with whole paths: those of .proto files begin in the scenario's folder. */
export function resolvedFrom(folder: string, target: Target): Target {
  if ('http' in target) return { ...target, http: originOf(target.http) };
  return { ...target, proto: [target.proto].flat().map((path) => resolve(folder, path)) };
}

/** Reads the .proto files of a target that has some. Throws a `UsageError` for what cannot be read as one. */
export async function checkProto(target: Target): Promise<void> {
  if ('http' in target) return;
  // Loaded when asked for: this file is part of the words of a scenario, and all threads of the load import those.
  const { loadMethods } = await import('./drivers/grpc/methods.ts');
  loadMethods(target);
}

/** Throws a `UsageError` that says why, unless somebody accepts connections there within five seconds. */
export async function checkPresence(target: Target, signal: AbortSignal): Promise<void> {
  const { hostname, port, protocol } = new URL('http' in target ? target.http : `http://${target.grpc}`);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80) });
  const late = AbortSignal.timeout(5_000);
  const giveUp = AbortSignal.any([signal, late]);
  if (giveUp.aborted) reject(giveUp.reason);
  else giveUp.addEventListener('abort', () => reject(giveUp.reason), { once: true });
  socket.once('connect', resolve).once('error', reject);
  try {
    await promise;
  } catch (cause) {
    signal.throwIfAborted();
    throw new UsageError(late.aborted ? `Nobody answered at ${addressOf(target)} within 5 s` : absence(target, hostname, cause), { cause });
  } finally {
    socket.destroy();
  }
}

function absence(target: Target, hostname: string, cause: unknown): string {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  if (code === 'ECONNREFUSED') return `Nobody listens at ${addressOf(target)}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `Expected ${addressOf(target)} to have a host that can be found, got '${hostname}' (${code})`;
  return `Nobody can be reached at ${addressOf(target)}: ${messageOf(cause)}`;
}

/** A slash alone is no path. */
const originOf = (http: string) => http.replace(/\/$/, '');

const isText = (value: unknown, pattern: RegExp): value is string => typeof value === 'string' && pattern.test(value);

function checkSwitch(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean')
    throw new UsageError(`Expected '${name}' of a target to be true or false, got ${described(value)}`);
}
