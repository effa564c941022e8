/** Whether something is an address as it is written everywhere: `host:port`, such as `127.0.0.1:3306`. */
export const isAddress = (text: unknown): text is string => typeof text === 'string' && partsOf(text) !== undefined;

/** `127.0.0.1:3306` in its parts. Throws `TypeError` for what is no address. */
export function splitAddress(address: string): { host: string; port: number } {
  const parts = partsOf(address);
  if (parts === undefined) throw new TypeError(`Expected an address such as '127.0.0.1:3306', got '${address}'`);
  return parts;
}

function partsOf(text: string): { host: string; port: number } | undefined {
  const [, host, digits] = /^([^:\s]+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}
