import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Tally } from './serve.ts';

export type FixtureServer = {
  /** `host:port`. */
  address: string;
  process: ChildProcess;
  tally: () => Promise<Tally>;
  [Symbol.asyncDispose]: () => Promise<void>;
};

/** Runs one of the fixtures beside this file in its own process, so that a test can freeze or end it. */
export async function startServer(name: string, ...args: string[]): Promise<FixtureServer> {
  const child = fork(fileURLToPath(new URL(`./${name}.ts`, import.meta.url)), args, { execArgv: [] });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return {
    address: `127.0.0.1:${port}`,
    process: child,
    tally: async () => {
      const told = once(child, 'message') as Promise<[Tally]>;
      child.send('tally');
      return (await told)[0];
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
