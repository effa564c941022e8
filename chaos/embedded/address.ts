import { lookup } from 'node:dns/promises';

/** `host` is empty where every interface is meant. */
export type Address = { host: string; port: number };

/** `127.0.0.1:80`, `[::1]:80`, `:80` or nothing at all. Throws an error that says what is wrong, in the words of the original. */
export function parseAddress(text: string): Address {
  if (text === '') return { host: '', port: 0 };
  const match = /^(?:\[(?<inBrackets>[^\]]*)\]|(?<bare>[^[\]]*)):(?<port>[^:]*)$/.exec(text)?.groups;
  if (match === undefined) throw new Error(`address ${text}: missing port in address`);
  const { inBrackets, bare = '', port = '' } = match;
  if (bare.includes(':')) throw new Error(`address ${text}: too many colons in address`);
  if (!/^\d*$/.test(port) || Number(port) > 65_535) throw new Error(`address ${port}: invalid port`);
  return { host: inBrackets ?? bare, port: Number(port) };
}

/** The same with a name such as `localhost` looked up, IPv4 preferred. Not for dialling, where names are resolved each time. */
export async function resolveAddress(text: string): Promise<Address> {
  const { host, port } = parseAddress(text);
  if (host === '') return { host, port };
  try {
    return { host: (await lookup(host, { order: 'ipv4first' })).address, port };
  } catch (cause) {
    throw new Error(`lookup ${host}: no such host`, { cause });
  }
}

export const formatAddress = ({ host, port }: Address) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

/** Whether listening on both would be the same. A port to be chosen is never the same as another. */
export function isSameListen(left: Address, right: Address): boolean {
  return left.port !== 0 && left.port === right.port && (left.host === right.host || (isAnyHost(left) && isAnyHost(right)));
}

export const isAnyHost = ({ host }: Address) => ['', '0.0.0.0', '::'].includes(host);
