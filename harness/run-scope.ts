import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { messageOf, UsageError } from '../core/errors.ts';
import { journeyLogIn, openRunFolder, tidyRunFolder } from './run-folder.ts';

/**
 * Gives a run its folder and a place for what is to be undone, and undoes it in reverse on the way out, whichever way that is. A run that came to
 * nothing leaves nothing, unless what went wrong is our own defect and the logs may tell, or a journey had something to say.
 */
export async function inRunScope<T>(
  {
    file,
    runsFolder,
    signal,
    onTrouble,
  }: {
    /** The scenario's file; the folder is named after it. */
    file: string;
    runsFolder: string;
    signal: AbortSignal;
    /** Something could not be undone. */
    onTrouble: (line: string) => void;
  },
  play: (scope: { folder: string; undo: AsyncDisposableStack; startedAt: Date }) => Promise<T>,
): Promise<{ played: T; folder: string }> {
  const undo = new AsyncDisposableStack();
  const startedAt = new Date();
  const folder = await openRunFolder({ runs: runsFolder, name: basename(file, '.ts'), at: startedAt });
  let cameToNothing = false;
  // The last of all, when nobody writes into it any more.
  undo.defer(async () => {
    if (cameToNothing && !existsSync(journeyLogIn(folder))) await rm(folder, { recursive: true, force: true });
    else await tidyRunFolder(folder);
  });
  try {
    return { played: await play({ folder, undo, startedAt }), folder };
  } catch (thrown) {
    cameToNothing = thrown instanceof UsageError || signal.aborted;
    throw thrown;
  } finally {
    await undo.disposeAsync().catch((thrown) => onTrouble(`Not everything could be undone: ${messageOf(thrown)}`));
  }
}
