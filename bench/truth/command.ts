import { writeFile } from 'node:fs/promises';
import { everyone } from './contestants/contestants.ts';
import { ours } from './contestants/ours.ts';
import { runTruth } from './run.ts';
import { scripts } from './scripts.ts';
import { asMarkdown, missedBy, outcomeFor, untriedBy } from './table.ts';

/**
 * Plays every script with every generator that is installed, writes the table to `file` and answers with what ours got wrong, or could not try:
 * nothing, if it tells the truth. The outcome is unknown where nothing was wrong, but the machine stood still so often that a script of ours has no
 * valid repeat.
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
  return { outcome: outcomeFor(table, ours.name), missed: [...missedBy(table, ours.name), ...untriedBy(table, ours.name)] };
}
