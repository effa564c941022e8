import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { messageOf, UsageError } from '../../core/errors.ts';
import { parseProxies } from './body.ts';
import { flagsHelp, logLevelFrom, parseFlags } from './flags.ts';
import { createLog, type Log } from './log.ts';
import type { Proxies } from './proxies.ts';
import type { EmbeddedProxy } from './proxy.ts';
import { openServer } from './server.ts';
import { version } from './version.ts';

/**
 * Runs the server alone, in place of `toxiproxy-server`: its flags, its `LOG_LEVEL`, JSON lines on stdout. Ends in order on SIGINT and SIGTERM
 * and answers the exit code. What is wrong with the command line, or an address that is taken, is a `UsageError`.
 */
export async function toxiproxyCommand(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args);
  if (flags.help || flags.version) {
    console.log(flags.help ? flagsHelp : `toxiproxy-server version ${version}`);
    return 0;
  }
  const log = createLog({ level: logLevelFrom(process.env.LOG_LEVEL), write: (line) => process.stdout.write(line), now: () => new Date() });
  log.say('info', 'Starting Toxiproxy', { version });
  const { host, port, seed = Date.now(), proxyMetrics, runtimeMetrics, config } = flags;
  const prepare = config === undefined ? {} : { prepare: (proxies: Proxies) => populateFrom(config, proxies, log) };
  const ends = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  const server = await openServer({ host, port, seed, proxyMetrics, runtimeMetrics, log, ...prepare }).catch((cause: unknown) => {
    throw new UsageError(`The control API cannot listen: ${messageOf(cause)}`, { cause });
  });
  await ends;
  log.say('info', 'Shutdown started');
  await server.close();
  return 0;
}

/** What is wrong with the file is told and does not keep the server from starting, as in the original. */
async function populateFrom(config: string, proxies: Proxies, log: Log): Promise<void> {
  const done: EmbeddedProxy[] = [];
  try {
    await proxies.populate(parseProxies(await readFile(config, 'utf8')), done);
  } catch (error) {
    log.say('error', 'Error reading config file', { config, error: messageOf(error) });
  }
  log.say('info', 'Populated proxies', { config, proxies: done.length });
}
