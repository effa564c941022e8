import { join } from 'node:path';
import { messageOf, UsageError } from '../core/errors.ts';
import { waitUntil } from '../core/time.ts';
import { deletePrefix, startEtcd } from './etcd.ts';
import { type Backend, type GivenServers, type MysqlServer, variables } from './given.ts';
import { createLayer, type Layer } from './layer.ts';
import { dropSchemas, loginToMysql, startMariadb } from './mariadb.ts';
import type { Ports } from './ports.ts';
import { answersOk, answersPing } from './probes.ts';
import { findPrograms } from './programs.ts';
import { deleteKeys, startRedis } from './redis.ts';
import { together } from './together.ts';
import type { Watchdog } from './watchdog.ts';

/** The servers behind the mall, laid out but not started. Addresses are `host:port`. */
export type Servers = {
  mysql: MysqlServer;
  redis: string;
  etcd: string;
  /** Starts those that were not given and greets those that were; resolves when all are ready. */
  start: (options: {
    env: NodeJS.ProcessEnv;
    cacheFolder: string;
    logFolder: string;
    signal: AbortSignal;
    undo: AsyncDisposableStack;
    watchdog: Watchdog;
    progress: (line: string) => void;
    /** Keys and schemas with this name are removed from given servers when the run is undone. */
    namespace: string;
  }) => Promise<void>;
  /** Of those that we started ourselves. */
  deaths: Layer['deaths'];
};

/** Decides where each server will answer: where somebody else's does, or at a port of this run. */
export async function planServers({ given, ports }: { given: GivenServers; ports: Ports }): Promise<Servers> {
  const free = async () => `127.0.0.1:${await ports.next()}`;
  const mysql = given.mysql ?? { host: '127.0.0.1', port: await ports.next(), user: 'root', password: '' };
  const redis = given.redis ?? (await free());
  const etcd = given.etcd ?? (await free());
  const peerPort = await ports.next();
  let layer: Layer | undefined;

  return {
    mysql,
    redis,
    etcd,
    async start({ env, cacheFolder, logFolder, signal, undo, watchdog, progress, namespace }) {
      const own = createLayer({ undo, watchdog });
      layer = own;
      const wanted = backends.filter((backend) => given[backend] === undefined);
      const programs = await findPrograms(wanted, { env, cacheFolder, layer: own, signal, progress });
      const folder = await own.temporaryFolder();
      const starts = backends.map((backend) => async (either: AbortSignal) => {
        const program = programs.get(backend);
        if (program === undefined) return greet(backend, either);
        const common = { program, folder, logFile: join(logFolder, `${logNames[backend]}.log`), layer: own, signal: either };
        if (backend === 'mysql') await startMariadb({ ...common, port: mysql.port, cacheFolder });
        else if (backend === 'redis') await startRedis({ ...common, port: portOf(redis) });
        else await startEtcd({ ...common, port: portOf(etcd), peerPort });
      });
      await together(signal, starts);

      async function greet(backend: Backend, either: AbortSignal) {
        let why = 'no answer';
        const probe = async () => {
          if (backend === 'redis') return answersPing(redis);
          if (backend === 'etcd') return answersOk(`http://${etcd}/health`);
          return loginToMysql(mysql).then(
            () => true,
            (thrown) => {
              why = messageOf(thrown);
              return false;
            },
          );
        };
        const address = { mysql: `${mysql.host}:${mysql.port}`, redis, etcd }[backend];
        const describe = () => `Expected a server to answer at ${address} (${variables[backend]}), got ${why}`;
        await waitUntil({ timeoutMs: givenTimeoutMs, everyMs: 100, signal: either, describe }, probe).catch((thrown) => {
          either.throwIfAborted();
          throw new UsageError(messageOf(thrown), { cause: thrown });
        });
        undo.defer(() => clear(backend));
      }

      async function clear(backend: Backend) {
        if (backend === 'mysql') await dropSchemas(mysql, namespace);
        else if (backend === 'redis') await deleteKeys(redis, namespace);
        else await deletePrefix(etcd, namespace);
      }
    },
    deaths: () => layer?.deaths() ?? [],
  };
}

const backends: readonly Backend[] = ['mysql', 'redis', 'etcd'];
const logNames: Record<Backend, string> = { mysql: 'mariadb', redis: 'redis', etcd: 'etcd' };
/** A server that has just been started by somebody else may need a moment. */
const givenTimeoutMs = 3_000;

const portOf = (address: string) => Number(address.slice(address.indexOf(':') + 1));
