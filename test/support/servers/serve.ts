import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export type Asked = { method: string; path: string; headers: IncomingMessage['headers']; body: string; number: number };
export type Answer = (status?: number, how?: { code?: number; refusedBy?: string }) => void;
/** What a server was asked, counted on its side; told to a parent that sends it any message. */
export type Tally = {
  byPath: Record<string, number>;
  traceTags: string[];
  idempotencyKeys: number;
  products: Record<string, number>;
  /** From the last byte of a request to its answer, in ascending order. */
  tookMs: number[];
  /** For how long it did nothing at all, at most. */
  stoodStillMs: number;
};

/**
 * A fixture's server: tells its parent the port, and leaves with it. Requests are numbered from 1. `answer()` answers as a healthy mall
 * would, `answer(status, { code, refusedBy })` as another.
 */
export function serve(handle: (asked: Asked, answer: Answer, response: ServerResponse) => void) {
  const tally = { byPath: {} as Record<string, number>, traceTags: new Set<string>(), idempotencyKeys: new Set<string>(), products: {} };
  const tookMs: number[] = [];
  let number = 0;
  let [stoodStillMs, lookedMs] = [0, performance.now()];
  setInterval(() => {
    stoodStillMs = Math.max(stoodStillMs, performance.now() - lookedMs);
    lookedMs = performance.now();
  }, 5);

  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const fromMs = performance.now();
      const asked = { method, path: url.replace(/\?.*/, ''), headers, body, number: ++number };
      note(tally, asked);
      handle(
        asked,
        (status = 200, { code = 0, refusedBy } = {}) => {
          response.writeHead(status, {
            'content-type': 'application/json',
            ...(refusedBy === undefined ? {} : { 'x-refused-by': refusedBy }),
          });
          response.end(JSON.stringify({ code, message: 'from a fixture', data: dataOf(asked) }));
          tookMs.push(performance.now() - fromMs);
        },
        response,
      );
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', 4_096, () => process.send?.(server.address()));
  process.on('disconnect', () => process.exit());
  process.on('message', () =>
    process.send?.({
      ...tally,
      traceTags: [...tally.traceTags],
      idempotencyKeys: tally.idempotencyKeys.size,
      tookMs: tookMs.toSorted((one, other) => one - other),
      stoodStillMs,
    } satisfies Tally),
  );
}

function note(
  tally: { byPath: Record<string, number>; traceTags: Set<string>; idempotencyKeys: Set<string>; products: Record<string, number> },
  { path, headers, body }: Asked,
) {
  const place = path.replace(/sku-\d+/, ':id');
  tally.byPath[place] = (tally.byPath[place] ?? 0) + 1;
  if (typeof headers.traceparent === 'string') tally.traceTags.add(headers.traceparent.slice(3, 13));
  if (typeof headers['idempotency-key'] === 'string') tally.idempotencyKeys.add(headers['idempotency-key']);
  const product = /sku-\d+/.exec(path + body)?.[0];
  if (product !== undefined) tally.products[product] = (tally.products[product] ?? 0) + 1;
}

function dataOf({ path, headers, body, number }: Asked) {
  if (path === '/api/v1/user/login') return { token: `token of ${JSON.parse(body).mobile}` };
  if (path === '/api/v1/orders') return { id: `order-${headers['idempotency-key'] ?? number}`, status: 'PAID' };
  return {};
}
