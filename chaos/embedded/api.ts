import { randomBytes } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { posix } from 'node:path';
import { messageOf } from '../../core/errors.ts';
import { parseProxies, parseProxy, parseToxic } from './body.ts';
import type { Log } from './log.ts';
import { type Metrics, metricsType } from './metrics.ts';
import { addToxic, findToxic, type Proxies, toxicsOf, updateToxic } from './proxies.ts';
import type { EmbeddedProxy } from './proxy.ts';
import { Refusal, refusals } from './refusal.ts';
import type { Toxic } from './toxic.ts';
import { version } from './version.ts';

/** The HTTP control API of Toxiproxy 2.12 over some proxies; without `metrics` there is no page of them. */
export function createApi(
  proxies: Proxies,
  { metrics, log, answersWithinMs = 25_000 }: { metrics?: Metrics | undefined; log: Log; answersWithinMs?: number },
): RequestListener {
  const routes = routesOf(proxies, metrics);

  return function api(request, response) {
    const path = pathOf(request);
    const straight = path?.startsWith('/') ? posix.normalize(path) : path;
    if (straight !== undefined && straight !== path) return send(response, 301, { Location: locationOf(straight, request) });
    const match = path === undefined ? undefined : findRoute(routes, path);
    if (match === undefined) return sendText(response, 404, '404 page not found\n');
    const handle = match.methods[request.method ?? ''] ?? match.methods[anyMethod];
    if (handle === undefined) return send(response, 405, {});
    const id = requestId();
    response.setHeader('X-Toxiproxy-Request-Id', id);
    if (log.has('debug')) response.once('finish', () => log.say('debug', 'Answered', { request_id: id, ...shownOf(request, response) }));
    if (isBrowser(request)) return sendText(response, 403, 'User agent not allowed\n');
    // The call goes on, as in the original; only its caller is let go.
    const budget = setTimeout(() => send(response, 503, { 'Content-Type': 'text/html; charset=utf-8' }, timeoutPage), answersWithinMs);
    response.once('close', () => clearTimeout(budget));
    handle({ names: match.names, body: () => bodyOf(request) }).then(
      (answer) => sendAnswer(response, answer),
      (error: unknown) => {
        log.say('warn', 'Refused', { request_id: id, ...shownOf(request), error: messageOf(error) });
        sendError(response, error);
      },
    );
  };
}

const timeoutPage = '<html><head><title>Timeout</title></head><body><h1>Timeout</h1></body></html>';

type Call = { names: string[]; body: () => Promise<string> };
type Answer = { status: number; type?: string; text?: string };
type Handle = (call: Call) => Promise<Answer>;
/** Stands for every method that has no handler of its own. */
const anyMethod = '*';
type Route = { pattern: readonly string[]; methods: Readonly<Record<string, Handle>> };

function routesOf(proxies: Proxies, metrics: Metrics | undefined): Route[] {
  const proxyOf = ({ names: [proxy = ''] }: Call) => proxies.find(proxy);
  const toxicOf = (call: Call) => findToxic(proxyOf(call), call.names[1] ?? '');
  const none: Answer = { status: 204 };

  const updateProxy: Handle = async (call) => {
    const proxy = proxyOf(call);
    await proxies.update(proxy, parseProxy(await call.body()));
    return json(200, viewOf(proxy));
  };
  const createToxic: Handle = async (call) => {
    proxyOf(call);
    const fields = parseToxic(await call.body());
    // Looked for again: it may have been removed while the body came.
    return json(200, toxicView(addToxic(proxyOf(call), fields)));
  };
  const changeToxic: Handle = async (call) => {
    toxicOf(call);
    const fields = parseToxic(await call.body());
    const toxic = toxicOf(call);
    updateToxic(proxyOf(call), toxic, fields);
    return json(200, toxicView(toxic));
  };

  return [
    route('/version', { GET: async () => ({ status: 200, type: 'application/json;charset=utf-8', text: `{"version": "${version}"}\n` }) }),
    route('/proxies', {
      GET: async () => json(200, Object.fromEntries(proxies.all().map((proxy) => [proxy.name, viewOf(proxy)]))),
      POST: async ({ body }) => json(201, viewOf(await proxies.create(parseProxy(await body())))),
    }),
    route('/populate', { POST: ({ body }) => populate(proxies, body) }),
    route('/reset', {
      async POST() {
        await proxies.reset();
        return none;
      },
    }),
    route('/proxies/*', {
      GET: async (call) => json(200, viewOf(proxyOf(call))),
      POST: updateProxy,
      PATCH: updateProxy,
      async DELETE(call) {
        await proxies.remove(proxyOf(call));
        return none;
      },
    }),
    route('/proxies/*/toxics', {
      GET: async (call) => json(200, toxicsOf(proxyOf(call)).map(toxicView)),
      POST: createToxic,
    }),
    route('/proxies/*/toxics/*', {
      GET: async (call) => json(200, toxicView(toxicOf(call))),
      POST: changeToxic,
      PATCH: changeToxic,
      async DELETE(call) {
        proxyOf(call).remove(toxicOf(call));
        return none;
      },
    }),
    ...(metrics === undefined ? [] : [metricsRoute(metrics)]),
  ];
}

const metricsRoute = (metrics: Metrics): Route =>
  route('/metrics', { [anyMethod]: async () => ({ status: 200, type: metricsType, text: await metrics() }) });

/** Errors of this call, and of no other, come as JSON with the proxies that were done before. */
async function populate(proxies: Proxies, body: () => Promise<string>): Promise<Answer> {
  const done: EmbeddedProxy[] = [];
  try {
    await proxies.populate(parseProxies(await body()), done);
    return json(201, { proxies: done.map(viewOf) });
  } catch (error) {
    const { status, text } = errorOf(error);
    return json(status, { error: text, status, proxies: done.length === 0 ? null : done.map(viewOf) });
  }
}

const json = (status: number, value: unknown): Answer => ({ status, type: 'application/json', text: JSON.stringify(value) });

const route = (path: string, methods: Route['methods']): Route => ({ pattern: path.split('/'), methods });

/** The first route that fits, with the names that stand where its pattern has a star. Names are never empty. */
function findRoute(routes: readonly Route[], path: string): (Route & { names: string[] }) | undefined {
  const segments = path.split('/');
  const found = routes.find(
    ({ pattern }) =>
      pattern.length === segments.length &&
      pattern.every((part, index) => (part === '*' ? segments[index] !== '' : part === segments[index])),
  );
  return found && { ...found, names: segments.filter((_, index) => found.pattern[index] === '*') };
}

/** Decoded before it is cut into segments, so that a name with a slash in it cannot be addressed. */
function pathOf({ url = '' }: IncomingMessage): string | undefined {
  try {
    return decodeURIComponent(url.replace(/\?.*$/s, ''));
  } catch {
    // A broken percent sign addresses nothing.
    return undefined;
  }
}

/** Where a path with `//` or `..` in it is sent, as the router of the original does. */
const locationOf = (path: string, { url = '' }: IncomingMessage) =>
  encodeURI(path).replace(/[?#]/g, encodeURIComponent) + (/\?.*/s.exec(url)?.[0] ?? '');

/** Pages must not reach the control API. Only browsers name themselves so, and only they send an origin. */
const isBrowser = ({ headers }: IncomingMessage) => headers['user-agent']?.startsWith('Mozilla/') === true || headers.origin !== undefined;

const longestBodyBytes = 4 * 1024 * 1024;

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    // What is too long is read to its end all the same: whoever still sends would miss the answer.
    if (bytes <= longestBodyBytes) parts.push(part);
  }
  if (bytes > longestBodyBytes) throw refusals.badBody(`longer than ${longestBodyBytes} bytes`);
  return Buffer.concat(parts).toString('utf8');
}

const viewOf = (proxy: EmbeddedProxy) => ({
  name: proxy.name,
  listen: proxy.listen,
  upstream: proxy.upstream,
  enabled: proxy.isEnabled(),
  toxics: toxicsOf(proxy).map(toxicView),
});

const toxicView = ({ attributes, name, type, stream, toxicity }: Toxic) => ({ attributes, name, type, stream, toxicity });

const shownOf = ({ method, url }: IncomingMessage, response?: ServerResponse) => ({
  method,
  url,
  ...(response === undefined ? {} : { status: response.statusCode }),
});

const base32 = '0123456789abcdefghijklmnopqrstuv';
const requestId = () => Array.from(randomBytes(20), (byte) => base32[byte % 32]).join('');

function errorOf(error: unknown): { status: number; text: string } {
  return { status: error instanceof Refusal ? error.status : 500, text: messageOf(error) };
}

function sendError(response: ServerResponse, error: unknown): void {
  const { status, text } = errorOf(error);
  sendText(response, status, `${JSON.stringify({ error: text, status })}\n`);
}

function sendText(response: ServerResponse, status: number, text: string): void {
  send(response, status, { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' }, text);
}

function sendAnswer(response: ServerResponse, { status, type, text }: Answer): void {
  send(response, status, type === undefined ? {} : { 'Content-Type': type }, text);
}

function send(response: ServerResponse, status: number, headers: Record<string, string>, body = ''): void {
  // Its time was up, and that was the answer.
  if (response.headersSent) return;
  response.writeHead(status, status === 204 ? headers : { ...headers, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
