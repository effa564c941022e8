import { join } from 'node:path';
import { createLayer } from '../../compose/layer.ts';
import { startMariadb } from '../../compose/mariadb.ts';
import { claimPorts, type Ports } from '../../compose/ports.ts';
import { findPrograms } from '../../compose/programs.ts';
import { startRedis } from '../../compose/redis.ts';
import { startWatchdog } from '../../compose/watchdog.ts';

/** A real MariaDB and a real Redis, which a test can take away and bring back at the same address, empty. */
export type TestStores = {
  mysql: { host: string; port: number; user: string; password: string };
  redis: { address: string; start(): Promise<void>; stop(): Promise<void> };
  ports: Ports;
};

/** They run when this resolves; `undo` ends them and removes their data. */
export async function startTestStores(undo: AsyncDisposableStack): Promise<TestStores> {
  const watchdog = await startWatchdog();
  undo.defer(() => watchdog.close());
  const ports = await claimPorts({ random: Math.random });
  undo.defer(() => ports.close());
  const layer = createLayer({ undo, watchdog });
  const { signal } = new AbortController();
  const cacheFolder = join(import.meta.dirname, '../../.cache');
  const programs = await findPrograms(['mysql', 'redis'], { env: process.env, cacheFolder, layer, signal, progress: () => {} });
  const [mariadb, redisServer] = [programs.get('mysql'), programs.get('redis')];
  if (mariadb === undefined || redisServer === undefined) throw new Error('Expected to find MariaDB and Redis');

  const folder = await layer.temporaryFolder();
  const mysql = { host: '127.0.0.1', port: await ports.next(), user: 'root', password: '' };
  const mysqlFile = join(folder, 'mariadb.log');
  await startMariadb({ program: mariadb, port: mysql.port, folder, cacheFolder, logFile: mysqlFile, layer, signal });

  const port = await ports.next();
  let life = new AsyncDisposableStack();
  undo.defer(() => life.disposeAsync());
  const redis: TestStores['redis'] = {
    address: `127.0.0.1:${port}`,
    async start() {
      life = new AsyncDisposableStack();
      const own = createLayer({ undo: life, watchdog });
      const logFile = join(folder, 'redis.log');
      await startRedis({ program: redisServer, port, folder: await own.temporaryFolder(), logFile, layer: own, signal });
    },
    stop: () => life.disposeAsync(),
  };
  await redis.start();
  return { mysql, redis, ports };
}
