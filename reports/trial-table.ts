import { withoutControls } from '../core/controls.ts';
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
  verdicts: readonly {
    sentence: string;
    outcome: TrialRow['outcome'];
    observed: string;
    percentile?: { quantile: number; ms: number };
    intervalMs?: { from: number; to: number };
  }[];
};

/**
 * The trials in the order in which they were made, what each of them showed, and the answer below. `interval` is where 95% of trials like it
 * would have the percentile beside it, the first that was asked for. No line is wider than `width`; where too little of the reasons would be seen, they are left out.
 */
export function trialTable(
  { trials, outcome, why, file }: { trials: readonly TrialRow[]; outcome: 'met' | 'missed' | 'unknown'; why: string; file?: string },
  { colour, width }: { colour: boolean; width: number },
): string {
  const paint = painter(colour);
  const columns = columnsOf(trials);
  const cells = [columns.map(({ title }) => title), ...trials.map((trial) => columns.map(({ cell }) => cell(trial)))];
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => displayWidth(row[column] ?? ''))));
  const roomForReasons = width - widths.slice(0, -1).reduce((sum, column) => sum + column + gap.length, 0);
  const rows = roomForReasons < narrowestReason ? cells.map((row) => row.slice(0, -1)) : cells;
  const lines = rows.map((row, index) => {
    const line = cutToWidth(
      row
        .map((cell, column) => aligned(cell, { width: widths[column] ?? 0, isText: columns[column]?.isText ?? false }))
        .join(gap)
        .trimEnd(),
      width,
    );
    const trial = trials[index - 1];
    return trial === undefined ? paint('dim', line) : paint(toneOf[trial.outcome], line);
  });
  const end = `${marks[outcome]} ${withoutControls(why)}`;
  return ['', ...lines, '', paint(['bold', toneOf[outcome]], end), ...(file === undefined ? [] : [`  ${file}`]), ''].join('\n');
}

/** A trial on one line, for whoever watches the search. */
export function trialLine(trial: TrialRow): string {
  const because = reasonOf(trial);
  const latencies = latenciesOf([trial]).filter(({ title }) => title !== interval);
  return [
    `${rateOf(trial)}: ${verdictOf(trial)}${because === '' ? '' : ` (${because})`}`,
    ...latencies.map(({ title, cell }) => `${title} ${cell(trial)}`),
    `${formatShare(trial.failedShare)} failed`,
  ].join(' · ');
}

/** Words stand to the left, numbers to the right. */
type Column = { title: string; cell: (trial: TrialRow) => string; isText?: boolean };

const columnsOf = (trials: readonly TrialRow[]): Column[] => [
  { title: '#', cell: ({ number }) => String(number) },
  { title: 'rate', cell: rateOf },
  { title: 'for', cell: ({ lastedMs }) => `${lastedMs / 1_000} s` },
  ...latenciesOf(trials),
  { title: 'failed', cell: ({ failedShare }) => formatShare(failedShare) },
  { title: 'verdict', cell: verdictOf, isText: true },
  { title: '', cell: reasonOf, isText: true },
];

/** The usual time, and the percentile that was asked for with its interval. Where none was asked for, the two that everybody knows. */
function latenciesOf(trials: readonly TrialRow[]): Column[] {
  const usual = (name: 'p50' | 'p99'): Column => ({
    title: name,
    cell: ({ latencyMs }) => (latencyMs === undefined ? '–' : formatMs(latencyMs[name])),
  });
  const quantile = trials.flatMap(({ verdicts }) => verdicts).find(({ percentile }) => percentile !== undefined)?.percentile?.quantile;
  if (quantile === undefined) return [usual('p50'), usual('p99')];
  const askedIn = ({ verdicts }: TrialRow) => verdicts.find(({ percentile }) => percentile?.quantile === quantile);
  return [
    ...(quantile === 0.5 ? [] : [usual('p50')]),
    {
      title: `p${Math.round(quantile * 1_000) / 10}`,
      cell: (trial) => {
        const { percentile } = askedIn(trial) ?? {};
        return percentile === undefined ? '–' : formatMs(percentile.ms);
      },
    },
    {
      title: interval,
      cell: (trial) => {
        const { intervalMs } = askedIn(trial) ?? {};
        return intervalMs === undefined ? '–' : `${formatMs(intervalMs.from)} – ${formatMs(intervalMs.to)}`;
      },
    },
  ];
}

const interval = 'interval';
const narrowestReason = 24;
const gap = '  ';

const marks = { met: '✓', missed: '✗', undecided: '~', unknown: '?' };
const toneOf = { met: 'green', missed: 'red', undecided: 'yellow', unknown: 'yellow' } as const;

const rateOf = ({ ratePerSecond }: TrialRow) => `${ratePerSecond.toLocaleString('en-US')}/s`;
const verdictOf = ({ outcome }: TrialRow) => `${marks[outcome]} ${outcome}`;

/** Why the trial did not meet. */
function reasonOf({ outcome, verdicts }: TrialRow): string {
  const reason = verdicts.find((verdict) => verdict.outcome === outcome);
  return outcome === 'met' || reason === undefined ? '' : withoutControls(`${reason.sentence}: ${reason.observed}`);
}

const aligned = (cell: string, { width, isText }: { width: number; isText: boolean }) => {
  const padding = ' '.repeat(Math.max(0, width - displayWidth(cell)));
  return isText ? cell + padding : padding + cell;
};
