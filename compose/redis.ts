import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { splitAddress } from '../core/address.ts';
import type { Layer } from './layer.ts';
import { answersPing } from './probes.ts';
import type { Program } from './programs.ts';

/** Starts Redis on 127.0.0.1, keeping everything in memory; resolves when it answers a ping. */
export async function startRedis({
  program,
  port,
  folder,
  logFile,
  layer,
  signal,
}: {
  program: Program;
  port: number;
  folder: string;
  logFile: string;
  layer: Layer;
  signal: AbortSignal;
}): Promise<void> {
  const data = join(folder, 'redis');
  await mkdir(data);
  const server = await layer.start({
    name: 'Redis',
    command: program.server,
    args: ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', data, '--loglevel', 'warning'],
    env: program.env,
    logFile,
    signal,
  });
  await server.ready({ timeoutMs: 15_000, signal, probe: () => answersPing(`127.0.0.1:${port}`) });
}

/** Removes what a run left in a server that goes on without it: all keys of its namespace. */
export async function deleteKeys(address: string, namespace: string): Promise<void> {
  const redis = new Redis({
    ...splitAddress(address),
    lazyConnect: true,
    connectTimeout: 2_000,
    maxRetriesPerRequest: 1,
    retryStrategy: () => null,
  });
  // The failed command says what is wrong; without a listener the client would print it as well.
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    let cursor = '0';
    do {
      const [next, keys] = await redis.scan(cursor, 'MATCH', `${namespace}:*`, 'COUNT', 1_000);
      if (keys.length > 0) await redis.unlink(...keys);
      cursor = next;
    } while (cursor !== '0');
  } finally {
    redis.disconnect();
  }
}
