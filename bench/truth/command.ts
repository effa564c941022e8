import { writeFile } from 'node:fs/promises';
import { everyone } from './contestants/contestants.ts';
import { ours } from './contestants/ours.ts';
import { runTruth } from './run.ts';
import { scripts } from './scripts.ts';
import { asMarkdown, missedBy } from './table.ts';

/**
 * Plays every script with every generator that is installed, writes the table to `file` and answers with what ours got wrong: nothing, if it tells
 * the truth. The outcome is unknown where the machine stood still so often that a script of ours has no valid repeat.
 */
export async function truthCommand({
  repeats,
  file,
  signal,
  say,
}: {
  repeats: number;
  file: string;
  signal: AbortSignal;
  say: (line: string) => void;
}): Promise<{ outcome: 'met' | 'missed' | 'unknown'; missed: string[] }> {
  const table = await runTruth({ contestants: everyone, scripts, repeats, signal, say });
  await writeFile(file, asMarkdown(table, { command: 'npm run scenario truth' }));
  const missed = missedBy(table, ours.name);
  const isUnknown = table.scripts.some(({ results }) =>
    results.some(({ contestant, valid, refused }) => contestant === ours.name && valid === 0 && refused === undefined),
  );
  return { outcome: isUnknown ? 'unknown' : missed.length > 0 ? 'missed' : 'met', missed };
}
