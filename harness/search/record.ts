import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '../record.ts';
import { knownOf, type SearchResult, type Tally } from './search.ts';
import type { JudgedTrial } from './trial.ts';

/** One trial as it went: `fromMs` counts from the start of the warm-up. */
export type TrialRecord = JudgedTrial & {
  number: number;
  ratePerSecond: number;
  why: 'climbs' | 'narrows' | 'repeats';
  fromMs: number;
  lastedMs: number;
};

/** What a search tried and found, as one document; `search.json` in the run's folder. */
export type SearchRecord = {
  version: 1;
  scenario: { name: string; story: string; file: string };
  run: { id: string; startedAt: string; seed: number; without: string[]; tuned: string[] };
  asked: { within: string[]; fromPerSecond: number; upToPerSecond: number; precision: number };
  /** `met` when the limit was found, `missed` when even the lowest rate was too high, else `unknown`. */
  outcome: Outcome;
  /** One sentence: the limit with its confidence, or why there is none. */
  why: string;
  result: SearchResult;
  trials: TrialRecord[];
};

/** The name of a search's record in the folder of its run. */
export const searchFile = 'search.json';

export const writeSearch = (folder: string, record: SearchRecord) => writeFile(join(folder, searchFile), JSON.stringify(record));

/** What a search found, with the trials that stand behind it: `412/s (met 3 of 3; 433/s missed 2 of 3, met 1)`. */
export function conclusionOf(result: SearchResult): Pick<SearchRecord, 'outcome' | 'why'> {
  switch (result.kind) {
    case 'found':
      return {
        outcome: 'met',
        why: `${rateText(result.met.ratePerSecond)} (${said(result.met)}; ${rateText(result.above.ratePerSecond)} ${said(result.above)})`,
      };
    case 'belowLowest':
      return { outcome: 'missed', why: `Even ${rateText(result.above.ratePerSecond)} is too much (${said(result.above)})` };
    case 'aboveHighest':
      return {
        outcome: 'unknown',
        why: `Even ${rateText(result.met.ratePerSecond)} is not too much (${said(result.met)}), and no higher rate was to be tried`,
      };
    case 'undecided': {
      const { met, above, why } = result;
      const ends = [
        ...(met === undefined ? [] : [`${rateText(met.ratePerSecond)} ${said(met)}`]),
        ...(above === undefined ? [] : [`${rateText(above.ratePerSecond)} ${said(above)}`]),
      ];
      return { outcome: 'unknown', why: `No limit was found: ${why}${ends.length === 0 ? '' : ` (${ends.join('; ')})`}` };
    }
    default:
      return result satisfies never;
  }
}

export const rateText = (perSecond: number) => `${perSecond.toLocaleString('en-US')}/s`;

/** `met 3 of 3`, `missed 2 of 3, undecided 1`. */
function said(tally: Tally): string {
  const known = knownOf(tally);
  if (known === 0) return `said nothing ${tally.unknown} times`;
  const counts = (['met', 'missed', 'undecided'] as const)
    .filter((outcome) => tally[outcome] > 0)
    .sort((one, other) => tally[other] - tally[one]);
  return counts
    .map((outcome, index) => (index === 0 ? `${outcome} ${tally[outcome]} of ${known}` : `${outcome} ${tally[outcome]}`))
    .join(', ');
}
