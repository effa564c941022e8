import { formatMs, formatShare } from './format.ts';
import { painter } from './paint.ts';
import { cutToWidth, displayWidth } from './width.ts';

/** One trial of a capacity search, as much of it as a table shows. */
export type TrialRow = {
  number: number;
  ratePerSecond: number;
  outcome: 'met' | 'missed' | 'undecided' | 'unknown';
  lastedMs: number;
  latencyMs?: { route: string; p50: number; p99: number };
  failedShare: number;
  verdicts: readonly { sentence: string; outcome: TrialRow['outcome']; observed: string; intervalMs?: { from: number; to: number } }[];
};

/**
 * The trials in the order in which they were made, what each of them showed, and the answer below. `interval` is where 95% of trials like it
 * would have the percentile that was asked for. No line is wider than `width`; where too little of the reasons would be seen, they are left out.
 */
export function trialTable(
  { trials, outcome, why, file }: { trials: readonly TrialRow[]; outcome: 'met' | 'missed' | 'unknown'; why: string; file?: string },
  { colour, width }: { colour: boolean; width: number },
): string {
  const paint = painter(colour);
  const cells = [heading, ...trials.map(cellsOf)];
  const widths = heading.map((_, column) => Math.max(...cells.map((row) => displayWidth(row[column] ?? ''))));
  const roomForReasons = width - widths.slice(0, reasonColumn).reduce((sum, column) => sum + column + gap.length, 0);
  const rows = roomForReasons < narrowestReason ? cells.map((row) => row.slice(0, reasonColumn)) : cells;
  const lines = rows.map((row, index) => {
    const line = cutToWidth(
      row
        .map((cell, column) => aligned(cell, { width: widths[column] ?? 0, isText: column >= firstText }))
        .join(gap)
        .trimEnd(),
      width,
    );
    const trial = trials[index - 1];
    return trial === undefined ? paint('dim', line) : paint(toneOf[trial.outcome], line);
  });
  const end = `${marks[outcome]} ${why}`;
  return ['', ...lines, '', paint(['bold', toneOf[outcome]], end), ...(file === undefined ? [] : [`  ${file}`]), ''].join('\n');
}

/** A trial on one line, for whoever watches the search. */
export function trialLine(trial: TrialRow): string {
  const [, rate = '', , p50 = '', p99 = '', , failed = '', verdict = '', because = ''] = cellsOf(trial);
  return `${rate}: ${verdict}${because === '' ? '' : ` (${because})`} · p50 ${p50} · p99 ${p99} · ${failed} failed`;
}

const heading = ['#', 'rate', 'for', 'p50', 'p99', 'interval', 'failed', 'verdict', ''];
/** Columns from here on are words; those before are numbers, which stand to the right. */
const firstText = 7;
const reasonColumn = heading.length - 1;
const narrowestReason = 24;
const gap = '  ';

const marks = { met: '✓', missed: '✗', undecided: '~', unknown: '?' };
const toneOf = { met: 'green', missed: 'red', undecided: 'yellow', unknown: 'yellow' } as const;

function cellsOf({ number, ratePerSecond, lastedMs, latencyMs, failedShare, outcome, verdicts }: TrialRow): string[] {
  const interval = verdicts.find(({ intervalMs }) => intervalMs !== undefined)?.intervalMs;
  const reason = verdicts.find((verdict) => verdict.outcome === outcome);
  return [
    String(number),
    `${ratePerSecond.toLocaleString('en-US')}/s`,
    `${lastedMs / 1_000} s`,
    latencyMs === undefined ? '–' : formatMs(latencyMs.p50),
    latencyMs === undefined ? '–' : formatMs(latencyMs.p99),
    interval === undefined ? '–' : `${formatMs(interval.from)} – ${formatMs(interval.to)}`,
    formatShare(failedShare),
    `${marks[outcome]} ${outcome}`,
    outcome === 'met' || reason === undefined ? '' : `${reason.sentence}: ${reason.observed}`,
  ];
}

const aligned = (cell: string, { width, isText }: { width: number; isText: boolean }) => {
  const padding = ' '.repeat(Math.max(0, width - displayWidth(cell)));
  return isText ? cell + padding : padding + cell;
};
