import { join } from 'node:path';
import { startEtcd } from '../../compose/etcd.ts';
import { createLayer } from '../../compose/layer.ts';
import { claimPorts } from '../../compose/ports.ts';
import { findPrograms } from '../../compose/programs.ts';
import { startWatchdog } from '../../compose/watchdog.ts';

/** A real etcd that a test can take away and bring back, at the same address and with the same data. */
export type TestEtcd = { address: string; start(): Promise<void>; stop(): Promise<void> };

/** It runs when this resolves; `undo` ends it and removes its data. */
export async function startTestEtcd(undo: AsyncDisposableStack): Promise<TestEtcd> {
  const watchdog = await startWatchdog();
  undo.defer(() => watchdog.close());
  const ports = await claimPorts({ random: Math.random });
  undo.defer(() => ports.close());
  const [port, peerPort] = [await ports.next(), await ports.next()];
  const layer = createLayer({ undo, watchdog });
  const { signal } = new AbortController();
  const cacheFolder = join(import.meta.dirname, '../../.cache');
  const programs = await findPrograms(['etcd'], { env: process.env, cacheFolder, layer, signal, progress: () => {} });
  const program = programs.get('etcd');
  if (program === undefined) throw new Error('Expected to find etcd');
  const folder = await layer.temporaryFolder();

  let life = new AsyncDisposableStack();
  undo.defer(() => life.disposeAsync());
  const etcd: TestEtcd = {
    address: `127.0.0.1:${port}`,
    async start() {
      life = new AsyncDisposableStack();
      const logFile = join(folder, 'etcd.log');
      await startEtcd({ program, port, peerPort, folder, logFile, layer: createLayer({ undo: life, watchdog }), signal });
    },
    stop: () => life.disposeAsync(),
  };
  await etcd.start();
  return etcd;
}
