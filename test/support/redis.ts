import { join } from 'node:path';
import { createLayer } from '../../compose/layer.ts';
import { claimPorts } from '../../compose/ports.ts';
import { findPrograms } from '../../compose/programs.ts';
import { startRedis } from '../../compose/redis.ts';
import { startWatchdog } from '../../compose/watchdog.ts';

/** A real Redis that a test can take away and bring back, at the same address and empty. */
export type TestRedis = { address: string; start(): Promise<void>; stop(): Promise<void> };

/** It runs when this resolves; `undo` ends it and removes its data. */
export async function startTestRedis(undo: AsyncDisposableStack): Promise<TestRedis> {
  const watchdog = await startWatchdog();
  undo.defer(() => watchdog.close());
  const ports = await claimPorts({ random: Math.random });
  undo.defer(() => ports.close());
  const layer = createLayer({ undo, watchdog });
  const { signal } = new AbortController();
  const cacheFolder = join(import.meta.dirname, '../../.cache');
  const programs = await findPrograms(['redis'], { env: process.env, cacheFolder, layer, signal, progress: () => {} });
  const program = programs.get('redis');
  if (program === undefined) throw new Error('Expected to find Redis');
  const folder = await layer.temporaryFolder();
  const port = await ports.next();

  let life = new AsyncDisposableStack();
  undo.defer(() => life.disposeAsync());
  const redis: TestRedis = {
    address: `127.0.0.1:${port}`,
    async start() {
      life = new AsyncDisposableStack();
      const own = createLayer({ undo: life, watchdog });
      await startRedis({ program, port, folder: await own.temporaryFolder(), logFile: join(folder, 'redis.log'), layer: own, signal });
    },
    stop: () => life.disposeAsync(),
  };
  await redis.start();
  return redis;
}
