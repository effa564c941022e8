import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { messageOf } from '../../core/errors.ts';
import { type Address, formatAddress, isAnyHost, resolveAddress } from './address.ts';

/** Listens on `address` and answers what it became: names and port 0 resolved. Errors read as those of the original. */
export async function listenOn(server: Server, address: string): Promise<string> {
  const wanted = await resolveAddress(address).catch((cause: unknown) => {
    throw new Error(`listen tcp: ${messageOf(cause)}`, { cause });
  });
  try {
    await bind(server, isAnyHost(wanted) ? { ...wanted, host: '::' } : wanted);
  } catch (cause) {
    if (!isAnyHost(wanted) || !lacksIpv6(cause)) throw bindError(wanted, cause);
    await bind(server, { ...wanted, host: '0.0.0.0' }).catch((again: unknown) => {
      throw bindError(wanted, again);
    });
  }
  const { address: host, port } = server.address() as AddressInfo;
  return formatAddress({ host, port });
}

async function bind(server: Server, address: Address): Promise<void> {
  const listening = once(server, 'listening');
  server.listen({ ...address, backlog: 4096 });
  await listening;
}

const lacksIpv6 = (error: unknown) => ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(codeOf(error));

function bindError(address: Address, cause: unknown): Error {
  return new Error(`listen tcp ${formatAddress(address)}: bind: ${reasons[codeOf(cause)] ?? messageOf(cause)}`, { cause });
}

const reasons: Record<string, string> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
};

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '');
