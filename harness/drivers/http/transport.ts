import { createSecureContext } from 'node:tls';
import type { HttpRequest, Transport } from '../transport.ts';
import { Chain } from './chain.ts';
import { Connection, Exchange, type Origin, type Shared } from './connection.ts';
import { createRequestWriter, type Wire } from './request-text.ts';

/**
 * HTTP/1.1 straight over sockets, at the least cost per request that Node allows. Each origin has keep-alive connections that carry one
 * request at a time, and no limit to their number: a capped pool would queue requests that have already been made, and hide how a server
 * sheds them. The free ones lie on a stack, the warmest on top; one that stays free for `idleMs` is closed. There are no redirects, retries or
 * cookies, and nothing is decompressed.
 *
 * A request that cannot be sent as it is (a line break in a header, a path without '/', an origin with a path) is a TypeError at once. Besides
 * Node's codes, a broken reply has `NOT_HTTP` for garbage and contradictions, `HEAD_TOO_LARGE` beyond 64 KiB of headers, and `ECLOSED` when the
 * transport was closed meanwhile. Of a body at most 1 MiB is kept as text (`isCut`).
 *
 * `https:` origins must prove who they are, unless `insecure`. Headers that are the same in every request are written once if they are frozen.
 */
export function createHttpTransport({
  timeoutMs,
  now,
  idleMs = 4_000,
  insecure = false,
}: {
  timeoutMs: number;
  now: () => number;
  idleMs?: number;
  insecure?: boolean;
}): Transport<HttpRequest> {
  const shared: Shared = { now, readBuffer: Buffer.allocUnsafeSlow(65_536), inFlight: new Chain(), open: new Set() };
  const destinations = new Map<string, Destination>();
  let security: Origin['security'];
  let peak = 0;
  let isClosed = false;

  const sweep = setInterval(() => {
    const nowMs = now();
    // In order of dispatch, and so in order of deadline.
    for (let oldest = shared.inFlight.first; oldest !== undefined && oldest.deadlineMs <= nowMs; oldest = shared.inFlight.first) {
      oldest.connection.giveUp(oldest);
    }
    for (const { origin } of destinations.values()) {
      for (let coldest = origin.free.first; coldest !== undefined && coldest.freeSinceMs + idleMs <= nowMs; coldest = origin.free.first) {
        coldest.destroy();
      }
    }
  }, sweepEveryMs);

  const destinationOf = (text: string): Destination => {
    const known = destinations.get(text);
    if (known !== undefined) return known;
    const url = parseOrigin(text);
    const isSecure = url.protocol === 'https:';
    if (isSecure) security ??= { context: createSecureContext(), isVerified: !insecure };
    const origin: Origin = {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (isSecure ? 443 : 80) : Number(url.port),
      security: isSecure ? security : undefined,
      free: new Chain(),
    };
    const destination = { origin, write: createRequestWriter(url.host) };
    destinations.set(text, destination);
    return destination;
  };

  return {
    send: (request, onReply) => {
      if (isClosed) throw new Error('The transport is closed');
      const deadlineMs = now() + timeoutMs;
      const { origin, write } = destinationOf(request.origin);
      const wire = write(request);
      let connection = origin.free.last;
      if (connection === undefined) {
        connection = new Connection(shared, origin);
        if (shared.open.size > peak) peak = shared.open.size;
      }
      connection.carry(new Exchange(connection, wire, request, deadlineMs, onReply));
    },
    connections: () => ({ open: shared.open.size, peak }),
    close: async () => {
      isClosed = true;
      clearInterval(sweep);
      await Promise.all([...shared.open].map((connection) => connection.close()));
    },
  };
}

type Destination = { origin: Origin; write: (request: HttpRequest) => Wire };

/** How late a time limit may be noticed. It is recorded as what it was meant to be. */
const sweepEveryMs = 10;

function parseOrigin(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && /^https?:\/\/[^/?#@\s]+$/.test(text);
  if (!isOrigin) throw new TypeError(`Expected an origin such as 'http://127.0.0.1:8080', got '${text}'`);
  return url;
}
