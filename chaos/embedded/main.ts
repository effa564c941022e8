import { once } from 'node:events';
import { createServer } from 'node:http';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { messageOf, UsageError } from '../../core/errors.ts';
import { requireNode } from '../../core/runtime.ts';
import { isLoopback } from '../loopback.ts';
import { createApi } from './api.ts';
import { listenOn } from './listen.ts';
import { createProxies } from './proxies.ts';

/**
 * A Toxiproxy-compatible server as a process of its own: `node chaos/embedded/main.ts -host localhost -port 8474`.
 * Prints one line of JSON, `{"controlUrl":"http://127.0.0.1:8474"}`, when it listens. It ends when its standard input does, so that it
 * never outlives whoever started it. Whoever reaches it may open ports and reach others through it, so it listens on loopback only.
 */
requireNode();
const { values } = parseArgs({
  // Flags are written with one dash here, as those of the original.
  args: process.argv.slice(2).map((argument) => argument.replace(/^-(?=[a-z]{2})/, '--')),
  options: {
    host: { type: 'string', default: 'localhost' },
    port: { type: 'string', default: '8474' },
    seed: { type: 'string', default: String(Date.now()) },
  },
});

const proxies = createProxies({ clock: () => performance.now(), seed: Number(values.seed) });
const server = createServer({ requestTimeout: 15_000, headersTimeout: 15_000, keepAliveTimeout: 60_000 }, createApi(proxies));

try {
  if (!isLoopback(values.host)) throw new UsageError(`Expected -host to be localhost, 127.0.0.1 or [::1], got '${values.host}'`);
  const address = await listenOn(server, `${values.host}:${values.port}`);
  process.stdout.write(`${JSON.stringify({ controlUrl: `http://${address}` })}\n`);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(error instanceof UsageError ? 3 : 1);
}

process.stdin.resume();
await Promise.race([once(process.stdin, 'close'), once(process, 'SIGTERM'), once(process, 'SIGINT')]);
server.close();
await proxies.close();
process.exit(0);
