import { Pool } from 'undici';
import { messageOf, UsageError } from '../core/errors.ts';
import { isLoopback } from './loopback.ts';
import type { ToxicRequest } from './toxics.ts';

/**
 * The control API of a Toxiproxy server, embedded or real, as far as faults need it. Refusals are thrown as `ControlError` with the
 * server's reason; a server that is not reached or does not answer in time as `Error`.
 */
export type Control = {
  /** The names of all proxies there are, ours and others'. */
  proxies(): Promise<string[]>;
  /** Makes these proxies be there, and answers where each listens. */
  populate(proxies: readonly { name: string; listen: string; upstream: string }[]): Promise<Map<string, string>>;
  setEnabled(proxy: string, enabled: boolean): Promise<void>;
  addToxic(proxy: string, toxic: ToxicRequest & { name: string }): Promise<void>;
  /** Removing what is not there any more is fine, for toxics as for proxies. */
  removeToxic(proxy: string, toxic: string): Promise<void>;
  removeProxy(proxy: string): Promise<void>;
  close(): Promise<void>;
};

class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A server elsewhere than on this machine is a `UsageError` unless `allowRemote` says that it is meant. Calls give up after `timeoutMs`. */
export function openControl({
  controlUrl,
  allowRemote = false,
  timeoutMs = 5_000,
}: {
  controlUrl: string;
  allowRemote?: boolean;
  timeoutMs?: number;
}): Control {
  const { origin } = controlAddress(controlUrl, { allowRemote });
  const pool = new Pool(origin, { connections: 8 });

  return {
    async proxies() {
      return Object.keys(objectIn(await call('GET', '/proxies')) ?? fail(`What answers at ${origin} is no Toxiproxy`));
    },
    async populate(proxies) {
      const answer = await call('POST', '/populate', { body: proxies });
      return listensOf(answer);
    },
    async setEnabled(proxy, enabled) {
      await call('POST', proxyPath(proxy), { body: { enabled } });
    },
    async addToxic(proxy, toxic) {
      await call('POST', `${proxyPath(proxy)}/toxics`, { body: toxic });
    },
    async removeToxic(proxy, toxic) {
      await call('DELETE', `${proxyPath(proxy)}/toxics/${encodeURIComponent(toxic)}`, { accept: 404 });
    },
    async removeProxy(proxy) {
      await call('DELETE', proxyPath(proxy), { accept: 404 });
    },
    close: () => pool.close(),
  };

  async function call(method: Method, path: string, { body, accept }: { body?: unknown; accept?: number } = {}): Promise<string> {
    const { status, text } = await send(method, path, body).catch((cause: unknown) => {
      const isLate = cause instanceof Error && cause.name === 'TimeoutError';
      const reason = isLate ? ` within ${timeoutMs} ms` : `: ${messageOf(cause)}`;
      throw new Error(`Toxiproxy at ${origin} did not answer ${method} ${path}${reason}`, { cause });
    });
    if (status >= 300 && status !== accept)
      throw new ControlError(status, `Toxiproxy at ${origin} refused ${method} ${path} with ${status}: ${reasonIn(text)}`);
    return text;
  }

  async function send(method: Method, path: string, body: unknown): Promise<{ status: number; text: string }> {
    const answer = await pool.request({
      method,
      path,
      headers: { 'user-agent': 'stampede', 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  }
}

type Method = 'GET' | 'POST' | 'DELETE';

/** Faults are for one's own machine: a control address elsewhere is refused before anything is sent, unless it was asked for. */
function controlAddress(controlUrl: string, { allowRemote }: { allowRemote: boolean }): URL {
  const url = URL.parse(controlUrl);
  if (url === null || url.protocol !== 'http:')
    throw new UsageError(`Expected Toxiproxy's address as http://127.0.0.1:8474, got '${controlUrl}'`);
  if (!allowRemote && !isLoopback(url.hostname))
    throw new UsageError(
      `Toxiproxy must be on this machine (127.0.0.1, ::1 or localhost) unless STAMPEDE_TOXIPROXY_REMOTE=yes, got '${controlUrl}'`,
    );
  return url;
}

const proxyPath = (proxy: string) => `/proxies/${encodeURIComponent(proxy)}`;

/** The object that a text is, where it is one. */
function objectIn(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function fail(sentence: string): never {
  throw new Error(sentence);
}

function listensOf(answer: string): Map<string, string> {
  const { proxies } = JSON.parse(answer) as { proxies?: unknown };
  // What a real server answers to an empty list.
  if (proxies === null) return new Map();
  if (!Array.isArray(proxies)) throw new Error(`Expected Toxiproxy to answer with the list of proxies, got ${answer.slice(0, 200)}`);
  return new Map((proxies as { name: string; listen: string }[]).map(({ name, listen }) => [name, listen]));
}

/** The server's own words where it gave some; the type it calls them is not JSON, even though they are. */
function reasonIn(text: string): string {
  const { error } = (objectIn(text) ?? {}) as { error?: unknown };
  return typeof error === 'string' ? error : text.trim();
}
