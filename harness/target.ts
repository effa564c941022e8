import { connect } from 'node:net';
import { UsageError } from '../core/errors.ts';

/**
 * What a scenario without the mall points at: `{ http: 'http://127.0.0.1:3000' }`, or `{ grpc: '127.0.0.1:50051', proto: 'shop.proto' }` with paths
 * to .proto files from the scenario's folder. Certificates are verified unless `insecure`.
 */
export type Target = { http: string; insecure?: boolean } | { grpc: string; proto: string | readonly string[]; tls?: boolean };

/** Throws a `UsageError` for what is no address. */
export function checkTarget(target: Target): void {
  if (typeof target !== 'object' || target === null) {
    throw new UsageError(`Expected a target such as { http: 'http://127.0.0.1:3000' }, got ${target}`);
  }
  if ('http' in target) {
    if (!/^https?:\/\/[^/?#@\s]+$/.test(target.http) || !URL.canParse(target.http)) {
      throw new UsageError(`Expected an HTTP target such as 'http://127.0.0.1:3000', without a path, got '${target.http}'`);
    }
  } else if ('grpc' in target) {
    if (!/^(\[[\da-f:.]+\]|[^:/?#@\s[\]]+):\d{1,5}$/i.test(target.grpc) || !URL.canParse(`http://${target.grpc}`))
      throw new UsageError(`Expected a gRPC target such as '127.0.0.1:50051', got '${target.grpc}'`);
    if (target.proto === undefined || target.proto.length === 0)
      throw new UsageError(`Expected the .proto file of ${target.grpc}, got none`);
  } else throw new UsageError("Expected a target such as { http: 'http://127.0.0.1:3000' }, got something else");
}

/** In words: its address. */
export const addressOf = (target: Target) => ('http' in target ? target.http : `grpc://${target.grpc}`);

/** Whether somebody accepts connections there, within five seconds. */
export async function isThere(target: Target, signal: AbortSignal): Promise<boolean> {
  const { hostname, port, protocol } = new URL('http' in target ? target.http : `http://${target.grpc}`);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80) });
  const giveUp = AbortSignal.any([signal, AbortSignal.timeout(5_000)]);
  if (giveUp.aborted) resolve(false);
  else giveUp.addEventListener('abort', () => resolve(false), { once: true });
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
