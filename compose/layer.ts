import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { outputOf } from './output.ts';
import { type ProcessOptions, type RunningProcess, startProcess } from './process.ts';
import type { Watchdog } from './watchdog.ts';

/** Where processes and folders of one layer are put up; all of them go together when the layer is undone, and nothing can be put up after that. */
export type Layer = {
  /** Throws the abort reason, and starts nothing, once `signal` has fired. */
  start: (options: ProcessOptions & { signal: AbortSignal }) => Promise<RunningProcess>;
  /** Runs a short program to its end and gives what it printed. Throws an error with its last words when it fails, the abort reason when `signal` fires. */
  run: (
    command: string,
    args: readonly string[],
    options: { env: NodeJS.ProcessEnv; cwd?: string; signal: AbortSignal },
  ) => Promise<string>;
  /** A new folder in `parent`, by default the system's folder for temporary files. */
  temporaryFolder: (parent?: string) => Promise<string>;
  /** Those of its processes that had been ready and ended without being told to, in nanoseconds of `process.hrtime`. */
  deaths: () => { name: string; how: string; atNs: bigint }[];
};

/**
 * Undo ends all processes of the layer side by side, giving each `graceMs` to end by itself, then removes its folders. The watchdog does the same
 * should nobody be left to undo.
 */
export function createLayer({
  undo,
  watchdog,
  graceMs = 3_000,
}: {
  undo: AsyncDisposableStack;
  watchdog: Watchdog;
  graceMs?: number;
}): Layer {
  const undone = new AbortController();
  const underWay = new Set<Promise<unknown>>();
  let running: RunningProcess[] = [];
  const folders: string[] = [];
  undo.defer(async () => {
    undone.abort(new Error('Nothing can be started any more: what was started before is being undone'));
    await Promise.allSettled(underWay);
    await Promise.all(
      running.map(async (one) => {
        await one.stop(graceMs);
        watchdog.release(one.pid);
      }),
    );
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true, maxRetries: 5 })));
  });

  return {
    start: ({ signal, ...options }) =>
      unlessUndone(signal, async () => {
        const started = await startProcess(options);
        forgetThoseThatWereStopped();
        running.push(started);
        watchdog.guardProcess(started.pid);
        return started;
      }),
    run: (command, args, { env, cwd, signal }) =>
      unlessUndone(signal, async (either) => {
        let pid: number | undefined;
        const onStart = (started: number) => {
          pid = started;
          watchdog.guardProcess(pid);
        };
        try {
          return await outputOf(command, args, { env, cwd, signal: either, onStart });
        } finally {
          if (pid !== undefined) watchdog.release(pid);
        }
      }),
    temporaryFolder: (parent = tmpdir()) =>
      unlessUndone(undone.signal, async () => {
        const folder = await mkdtemp(join(parent, 'stampede-'));
        folders.push(folder);
        watchdog.guardFolder(folder);
        return folder;
      }),
    deaths() {
      return running.flatMap(({ name, death }) => {
        const end = death();
        return end === undefined ? [] : [{ name, ...end }];
      });
    },
  };

  /** Processes that are killed and started again a thousand times leave one behind. Those that died by themselves stay, as deaths. */
  function forgetThoseThatWereStopped(): void {
    const gone = running.filter((one) => one.hasEnded() && one.death() === undefined);
    for (const { pid } of gone) watchdog.release(pid);
    running = running.filter((one) => !gone.includes(one));
  }

  /** What is under way when undo comes is waited for, so that undo sees all there is; what comes after it is refused. */
  async function unlessUndone<T>(signal: AbortSignal, work: (either: AbortSignal) => Promise<T>): Promise<T> {
    const either = AbortSignal.any([signal, undone.signal]);
    either.throwIfAborted();
    const started = work(either);
    underWay.add(started);
    try {
      return await started;
    } finally {
      underWay.delete(started);
    }
  }
}
