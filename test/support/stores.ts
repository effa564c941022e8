import { join } from 'node:path';
import { createLayer, type Layer } from '../../compose/layer.ts';
import { startMariadb } from '../../compose/mariadb.ts';
import { claimPorts, type Ports } from '../../compose/ports.ts';
import { findPrograms, type Program } from '../../compose/programs.ts';
import { startRedis } from '../../compose/redis.ts';
import { startWatchdog, type Watchdog } from '../../compose/watchdog.ts';

/** A real MariaDB and a real Redis. */
export type TestStores = {
  mysql: { host: string; port: number; user: string; password: string };
  redis: TestRedis;
  ports: Ports;
};
/** A real Redis that a test can take away and bring back, at the same address and empty. */
export type TestRedis = { address: string; start(): Promise<void>; stop(): Promise<void> };

/** They run when this resolves; `undo` ends them and removes their data. */
export async function startTestStores(undo: AsyncDisposableStack): Promise<TestStores> {
  const ground = await startGround(undo);
  const { layer, ports } = ground;
  const programs = await programsFor(['mysql', 'redis'], layer);
  const folder = await layer.temporaryFolder();
  const mysql = { host: '127.0.0.1', port: await ports.next(), user: 'root', password: '' };
  const logFile = join(folder, 'mariadb.log');
  await startMariadb({ program: programOf(programs, 'mysql'), port: mysql.port, folder, cacheFolder, logFile, layer, signal });
  return { mysql, redis: await redisOn(ground, programOf(programs, 'redis'), undo), ports };
}

/** Redis alone. */
export async function startTestRedis(undo: AsyncDisposableStack): Promise<TestRedis> {
  const ground = await startGround(undo);
  return await redisOn(ground, programOf(await programsFor(['redis'], ground.layer), 'redis'), undo);
}

type Ground = { watchdog: Watchdog; ports: Ports; layer: Layer };

async function startGround(undo: AsyncDisposableStack): Promise<Ground> {
  const watchdog = await startWatchdog();
  undo.defer(() => watchdog.close());
  const ports = await claimPorts({ random: Math.random });
  undo.defer(() => ports.close());
  return { watchdog, ports, layer: createLayer({ undo, watchdog }) };
}

async function redisOn({ watchdog, ports, layer }: Ground, program: Program, undo: AsyncDisposableStack): Promise<TestRedis> {
  const port = await ports.next();
  const logFile = join(await layer.temporaryFolder(), 'redis.log');
  let life = new AsyncDisposableStack();
  undo.defer(() => life.disposeAsync());
  const redis: TestRedis = {
    address: `127.0.0.1:${port}`,
    async start() {
      life = new AsyncDisposableStack();
      const own = createLayer({ undo: life, watchdog });
      await startRedis({ program, port, folder: await own.temporaryFolder(), logFile, layer: own, signal });
    },
    stop: () => life.disposeAsync(),
  };
  await redis.start();
  return redis;
}

const { signal } = new AbortController();
const cacheFolder = join(import.meta.dirname, '../../.cache');

const programsFor = (names: readonly ('mysql' | 'redis')[], layer: Layer) =>
  findPrograms(names, { env: process.env, cacheFolder, layer, signal, progress: () => {} });

function programOf(programs: Awaited<ReturnType<typeof programsFor>>, name: 'mysql' | 'redis'): Program {
  const program = programs.get(name);
  if (program === undefined) throw new Error(`Expected to find ${name}`);
  return program;
}
