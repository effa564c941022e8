import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../core/errors.ts';
import { lastWords, type ProcessOptions, type RunningProcess, startProcess } from './process.ts';
import type { Watchdog } from './watchdog.ts';

/** Where processes and folders of one layer are put up; all of them go together when the layer is undone. */
export type Layer = {
  start: (options: ProcessOptions) => Promise<RunningProcess>;
  /** Runs a short program to its end and gives what it printed. Throws an error with its last words when it fails, the abort reason when `signal` fires. */
  run: (
    command: string,
    args: readonly string[],
    options: { env: NodeJS.ProcessEnv; cwd?: string; signal: AbortSignal },
  ) => Promise<string>;
  /** A new folder in `parent`, by default the system's folder for temporary files. */
  temporaryFolder: (parent?: string) => Promise<string>;
};

/** Undo ends all processes of the layer side by side, then removes its folders. The watchdog does the same should nobody be left to undo. */
export function createLayer({ undo, watchdog }: { undo: AsyncDisposableStack; watchdog: Watchdog }): Layer {
  const running: RunningProcess[] = [];
  const folders: string[] = [];
  undo.defer(async () => {
    await Promise.all(
      running.map(async (one) => {
        await one.stop();
        watchdog.release(one.pid);
      }),
    );
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true, maxRetries: 5 })));
  });

  return {
    async start(options) {
      const started = await startProcess(options);
      running.push(started);
      watchdog.guardProcess(started.pid);
      return started;
    },
    run(command, args, { env, cwd, signal }) {
      return new Promise((resolve, reject) => {
        const options = { env, signal, maxBuffer: 64 * 2 ** 20, ...(cwd === undefined ? {} : { cwd }) };
        const child = execFile(command, [...args], options, (error, stdout, stderr) => {
          if (child.pid !== undefined) watchdog.release(child.pid);
          if (error === null) resolve(stdout);
          else if (signal.aborted) reject(signal.reason);
          else reject(new Error(lastWords(stderr) || lastWords(stdout) || messageOf(error), { cause: error }));
        });
        if (child.pid !== undefined) watchdog.guardProcess(child.pid);
      });
    },
    async temporaryFolder(parent = tmpdir()) {
      const folder = await mkdtemp(join(parent, 'stampede-'));
      folders.push(folder);
      watchdog.guardFolder(folder);
      return folder;
    },
  };
}
