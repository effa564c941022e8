import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { messageOf, UsageError } from '../../core/errors.ts';
import { requireNode } from '../../core/runtime.ts';
import { isLoopback } from '../loopback.ts';
import { createLog } from './log.ts';
import { openServer } from './server.ts';

/**
 * The server as a process that belongs to another: `node chaos/embedded/main.ts -host localhost -port 0`.
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
    'runtime-metrics': { type: 'boolean', default: false },
  },
});

try {
  const { host, port, seed } = values;
  if (!isLoopback(host)) throw new UsageError(`Expected -host to be localhost, 127.0.0.1 or [::1], got '${host}'`);
  const log = createLog({ level: 'error', write: (line) => process.stderr.write(line), now: () => new Date() });
  const options = {
    host: host.replace(/[[\]]/g, ''),
    port: Number(port),
    seed: Number(seed),
    proxyMetrics: true,
    runtimeMetrics: values['runtime-metrics'],
    log,
  };
  const server = await openServer(options);
  process.stdout.write(`${JSON.stringify({ controlUrl: server.controlUrl })}\n`);
  process.stdin.resume();
  await Promise.race([once(process.stdin, 'close'), once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  await server.close();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(error instanceof UsageError ? 3 : 1);
}
