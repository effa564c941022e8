import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UsageError } from '../core/errors.ts';

/** A run's logs and record need about this much; a disk that is nearly full is found out before anything is started. */
const roomBytes = 16 * 1024 * 1024;

/** Makes `<runs>/<name>-<time>/logs` and checks that it can be written to. Throws a `UsageError` for a folder that is read-only or full. */
export async function openRunFolder({
  runs,
  name,
  at,
  need = roomBytes,
}: {
  runs: string;
  name: string;
  at: Date;
  need?: number;
}): Promise<string> {
  const folder = join(runs, `${name}-${at.toISOString().slice(0, 23).replaceAll(/[:.]/g, '-').replace('T', '_')}`);
  const trial = join(folder, '.room');
  try {
    // Not recursive: on file systems that are no disks (`/proc`), that never comes back.
    await mkdir(runs).catch(unlessThere);
    await mkdir(folder);
    await mkdir(join(folder, 'logs'));
    await writeFile(trial, Buffer.alloc(need));
  } catch (cause) {
    await rm(folder, { recursive: true, force: true }).catch(() => {
      // What cannot be written to cannot be cleaned up either; the sentence below says why.
    });
    throw new UsageError(`Cannot write a run's logs and report to '${runs}': ${messageOf(cause)}`, { cause });
  }
  await rm(trial, { force: true });
  return folder;
}

/** Leaves out what a run had no use for: a folder of logs in which nothing is. */
export async function tidyRunFolder(folder: string): Promise<void> {
  await rmdir(join(folder, 'logs')).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== 'ENOTEMPTY' && thrown.code !== 'ENOENT') throw thrown;
  });
}

/** Where a run keeps what its journey printed; there is no such file when it printed nothing. */
export const journeyLogIn = (folder: string): string => join(folder, 'logs', 'journey.log');

function unlessThere(thrown: NodeJS.ErrnoException): void {
  if (thrown.code !== 'EEXIST') throw thrown;
}
