import { createServer } from 'node:http';
import type { Registry } from 'prom-client';
import { splitAddress } from '../core/address.ts';
import { messageOf } from '../core/errors.ts';

/** What `/metrics`, `/health` and `/ready` are answered from. A `Runtime` is one. */
export type Watched = {
  readonly metrics: { readonly registry: Registry };
  readonly checks: ReadonlyMap<string, () => Promise<void>>;
};
type AdminAnswer = { status: number; contentType: string; body: string };

export const adminPaths = ['/metrics', '/health', '/ready'] as const;
type AdminPath = (typeof adminPaths)[number];
const isAdminPath = (path: string | undefined): path is AdminPath => (adminPaths as readonly (string | undefined)[]).includes(path);

const probeMs = 1_000;
const json = 'application/json; charset=utf-8';

/** Answers the three paths that an operator asks of every process. `/ready` is 503 with the names of the dependencies that do not answer. */
export async function adminAnswer(watched: Watched, path: AdminPath): Promise<AdminAnswer> {
  switch (path) {
    case '/metrics': {
      const { registry } = watched.metrics;
      return { status: 200, contentType: registry.contentType, body: await registry.metrics() };
    }
    case '/health':
      return { status: 200, contentType: json, body: '{"status":"ok"}' };
    case '/ready': {
      const failing = await failingChecks(watched.checks);
      const isReady = Object.keys(failing).length === 0;
      return { status: isReady ? 200 : 503, contentType: json, body: JSON.stringify({ status: isReady ? 'ready' : 'not ready', failing }) };
    }
    default:
      return path satisfies never;
  }
}

/** Answers them over HTTP at `host:port`; returns how to stop. */
export async function serveAdmin(watched: Watched, listen: string): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (!isAdminPath(path)) return response.writeHead(404).end();
    adminAnswer(watched, path).then(
      ({ status, contentType, body }) => response.writeHead(status, { 'content-type': contentType }).end(body),
      (error) => response.writeHead(500).end(messageOf(error)),
    );
  });
  const { host, port } = splitAddress(listen);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}

async function failingChecks(checks: Watched['checks']): Promise<Record<string, string>> {
  const answers = await Promise.all([...checks].map(async ([name, probe]) => [name, await failureOf(probe)] as const));
  return Object.fromEntries(answers.filter((answer): answer is [string, string] => answer[1] !== undefined));
}

async function failureOf(probe: () => Promise<void>): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, probeMs, `No answer within ${probeMs} ms`);
  });
  try {
    return await Promise.race([probe().then(() => undefined), patience]);
  } catch (error) {
    return messageOf(error);
  } finally {
    clearTimeout(timer);
  }
}
