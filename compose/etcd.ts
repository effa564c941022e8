import { join } from 'node:path';
import { Etcd3 } from 'etcd3';
import type { Layer } from './layer.ts';
import { answersOk } from './probes.ts';
import type { Program } from './programs.ts';

/** Starts an etcd of one member on 127.0.0.1; resolves when it says it is healthy, that is, when it leads itself. */
export async function startEtcd({
  program,
  port,
  peerPort,
  folder,
  logFile,
  layer,
  signal,
}: {
  program: Program;
  port: number;
  peerPort: number;
  folder: string;
  logFile: string;
  layer: Layer;
  signal: AbortSignal;
}): Promise<void> {
  const client = `http://127.0.0.1:${port}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const server = await layer.start({
    name: 'etcd',
    command: program.server,
    args: [
      ...['--name', 'n1', '--data-dir', join(folder, 'etcd')],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `n1=${peer}`],
      ...(isAtLeast3_4(program.version) ? ['--logger', 'zap', '--log-level', 'error', '--unsafe-no-fsync'] : []),
    ],
    env: program.env,
    logFile,
    signal,
  });
  await server.ready({ timeoutMs: 30_000, signal, probe: () => answersOk(`${client}/health`) });
}

/** Removes what a run left in a server that goes on without it: all keys below its namespace. */
export async function deletePrefix(address: string, namespace: string): Promise<void> {
  const etcd = new Etcd3({ hosts: `http://${address}` });
  try {
    await etcd.delete().prefix(`${namespace}/`);
  } finally {
    etcd.close();
  }
}

/** Ubuntu 22.04 still carries 3.3, which lacks these flags and does well without. */
function isAtLeast3_4(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 3 || (major === 3 && minor >= 4);
}
