import { join } from 'node:path';
import { startEmbedded } from '../chaos/embedded/start.ts';
import { type GivenToxiproxy, givenToxiproxy } from '../chaos/given.ts';
import type { Death } from '../compose/deployment.ts';
import type { RunClock } from '../core/time.ts';

/** The server that faults of the network go through: the one the user runs, or the embedded one, whose end `deaths` tells of. */
export async function openToxiproxy({
  folder,
  clock,
  signal,
  undo,
  env = process.env,
}: {
  folder: string;
  clock: RunClock;
  signal: AbortSignal;
  undo: AsyncDisposableStack;
  env?: NodeJS.ProcessEnv;
}): Promise<GivenToxiproxy & { deaths: () => readonly Death[] }> {
  const given = givenToxiproxy(env);
  if (given !== undefined) return { ...given, deaths: () => [] };
  const server = await startEmbedded({ signal, logFile: join(folder, 'logs', 'toxiproxy.log') });
  undo.defer(() => server.close());
  return {
    controlUrl: server.controlUrl,
    allowRemote: false,
    deaths() {
      const death = server.death();
      if (death === undefined) return [];
      return [{ instance: 'Toxiproxy', how: death.how, atMs: Number((death.atNs + clock.epochOffsetNs) / 1_000n) / 1_000 }];
    },
  };
}
