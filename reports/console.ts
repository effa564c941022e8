import { styleText } from 'node:util';
import type { Outcome, RequestOutcome, RunRecord } from '../harness/record.ts';
import { requestOutcomes } from '../harness/record.ts';
import { formatCount, formatMoment, formatMs, outcomeWords, verdictWords } from './format.ts';

/** What one second of a run looks like while it happens; the load driver and the fault schedule know all of it. */
export type Live = {
  phase: string;
  elapsedMs: number;
  totalMs: number;
  /** Requests of the last second. */
  plannedPerSecond: number;
  answeredPerSecond: number;
  inFlight: number;
  /** Of the last second's served answers; absent where there were none. */
  latencyMs?: { p50: number; p99: number };
  /** How the last second's requests ended. */
  outcomes: Partial<Record<RequestOutcome, number>>;
  /** Sentences of the faults that are on. */
  faults: string[];
};

type Style = Parameters<typeof styleText>[0];
type Paint = (style: Style, text: string) => string;

/** The verdicts of a run for a terminal: each phase with its expectations, what was observed, and at the end the outcome and where the report is. */
export function verdictTable(record: RunRecord, { colour, width, report }: { colour: boolean; width: number; report?: string }): string {
  const paint = painter(colour);
  const columns = Math.min(width, widestReadable);
  const phases = [...record.phases.map(({ name }) => name), null];
  const lines = phases.flatMap((phase) => {
    const verdicts = record.verdicts.filter((verdict) => verdict.phase === phase);
    return verdicts.length === 0
      ? []
      : ['', paint('bold', phase ?? 'always'), ...verdicts.flatMap((verdict) => verdictLines(verdict, columns, paint))];
  });
  const word = verdictWords[record.outcome];
  const last = wrapped(`${word.mark} ${record.scenario.name}: ${word.run}. ${record.why}`, columns, 2);
  const end = [...last.map((line) => paint(['bold', toneOf[record.outcome]], line)), ...(report === undefined ? [] : [`  ${report}`])];
  return [...lines, '', ...end, ''].join('\n');
}

/** One line, never wider than `width`: what matters least is left out first. */
export function liveLine(live: Live, { colour, width }: { colour: boolean; width: number }): string {
  const paint = painter(colour);
  const { phase, elapsedMs, totalMs, plannedPerSecond, answeredPerSecond, inFlight, latencyMs, faults } = live;
  const refusals = requestOutcomes.filter((outcome) => outcome !== 'ok' && (live.outcomes[outcome] ?? 0) > 0);
  const top = refusals.toSorted((a, b) => (live.outcomes[b] ?? 0) - (live.outcomes[a] ?? 0)).slice(0, 3);
  const parts: { text: string; style: Style; matters: number }[] = [
    { text: phase, style: 'bold', matters: 9 },
    { text: `${formatMoment(elapsedMs)}/${formatMoment(totalMs)}`, style: 'reset', matters: 8 },
    { text: `${formatCount(answeredPerSecond)} of ${formatCount(plannedPerSecond)}/s`, style: 'reset', matters: 7 },
    { text: `p50 ${latencyMs === undefined ? '–' : formatMs(latencyMs.p50)}`, style: 'reset', matters: 3 },
    { text: `p99 ${latencyMs === undefined ? '–' : formatMs(latencyMs.p99)}`, style: 'reset', matters: 6 },
    { text: `${formatCount(inFlight)} in flight`, style: 'reset', matters: 4 },
    ...top.map((outcome, index) => ({
      text: `${outcomeWords[outcome]} ${formatCount(live.outcomes[outcome] ?? 0)}`,
      style: 'yellow' as const,
      matters: 5 - index,
    })),
    ...faults.map((fault) => ({ text: `! ${fault}`, style: 'magenta' as const, matters: 2 })),
  ];
  const separator = ' · ';
  const lengthOf = (texts: typeof parts) => texts.reduce((sum, { text }) => sum + text.length, 0) + separator.length * (texts.length - 1);
  let kept = parts;
  while (kept.length > 1 && lengthOf(kept) > width) {
    const least = kept.reduce((a, b) => (b.matters <= a.matters ? b : a));
    kept = kept.filter((part) => part !== least);
  }
  return kept.map(({ text, style }) => paint(style, text.slice(0, width))).join(separator);
}

/** On a wider terminal sentence and observation would lie too far apart to be read as one line. */
const widestReadable = 140;

const toneOf: Record<Outcome, 'green' | 'red' | 'yellow'> = { met: 'green', missed: 'red', unknown: 'yellow' };

const painter =
  (colour: boolean): Paint =>
  (style, text) =>
    colour && style !== 'reset' ? styleText(style, text, { validateStream: false }) : text;

/** Sentence and observation side by side where there is room, else below one another. */
function verdictLines({ outcome, sentence, observed }: RunRecord['verdicts'][number], width: number, paint: Paint): string[] {
  const mark = paint(toneOf[outcome], verdictWords[outcome].mark);
  const half = Math.floor((width - 6) / 2);
  if (half < 36) {
    const [first = '', ...rest] = wrapped(sentence, width - 4, 0);
    return [
      `  ${mark} ${first}`,
      ...[...rest, ...wrapped(observed, width - 6, 0).map((line) => paint('dim', `  ${line}`))].map((line) => `    ${line}`),
    ];
  }
  const left = wrapped(sentence, half, 0);
  const right = wrapped(observed, half, 0);
  const tone: Style = outcome === 'met' ? 'dim' : toneOf[outcome];
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) => {
    const text = `  ${index === 0 ? mark : ' '} ${(left[index] ?? '').padEnd(half)}  ${paint(tone, right[index] ?? '')}`;
    return text.trimEnd();
  });
}

/** Breaks at spaces; a word longer than a line is cut. Lines after the first are indented. */
function wrapped(text: string, width: number, indent: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).flatMap((long) => long.match(new RegExp(`.{1,${Math.max(width - indent, 1)}}`, 'gu')) ?? [])) {
    const longer = line === '' ? word : line.trim() === '' ? line + word : `${line} ${word}`;
    if (longer.length <= width) line = longer;
    else {
      lines.push(line);
      line = ' '.repeat(indent) + word;
    }
  }
  return [...lines, line];
}
