import { withoutControls } from '../core/controls.ts';
import { type Outcome, type RunRecord, unexplainedOutcomes } from '../harness/record.ts';
import { formatCount, formatMs, outcomeWords, verdictWords } from './format.ts';
import { type Paint, painter, type Style } from './paint.ts';

/**
 * The verdicts of a run for a terminal: each phase with its expectations, what was observed, and at the end how the load
 * went, the outcome, and where the report is.
 */
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
  const load = [loadLine(record), ...reasonLines(record)].flatMap((text) => wrapped(text, columns, 2)).map((line) => paint('dim', line));
  return [...lines, '', ...load, ...end, ''].join('\n');
}

/** How far the load itself kept its plan, in one line. */
function loadLine({ generator, ground = [], target, visitors }: RunRecord): string {
  const { planned, sent, dropped, lagMsP99, stumbles } = generator;
  return [
    `Load${target === undefined ? '' : ` on ${target.address}`}: ${formatCount(sent)} of ${formatCount(planned)} requests sent`,
    ...(dropped > 0 ? [`${formatCount(dropped)} dropped`] : []),
    `generator lag ${formatMs(lagMsP99)} at p99`,
    ...(ground.length === 0 ? [] : [`longest hiccup ${formatMs(Math.max(...ground.map(({ hiccupMsMax }) => hiccupMsMax)))}`]),
    ...((stumbles?.count ?? 0) === 0
      ? []
      : [`${formatCount(stumbles?.count ?? 0)} ${stumbles?.count === 1 ? 'visit' : 'visits'} ended because the journey threw`]),
    ...(visitors === undefined ? [] : [`visitors: ${visitors}`]),
  ].join(', ');
}

/** Of each outcome that does not explain itself how often it came, and why the first time; nothing where a verdict has told it. */
function reasonLines({ requests, phases, verdicts }: RunRecord): string[] {
  return unexplainedOutcomes.flatMap((outcome) => {
    const rows = phases.flatMap(({ name }) => requests.filter((row) => row.phase === name && row.outcome === outcome));
    const first = rows.find(({ firstReason }) => firstReason !== undefined);
    const reason = first?.firstReason;
    if (first === undefined || reason === undefined || verdicts.some(({ observed }) => observed.includes(reason))) return [];
    const count = rows.reduce((sum, row) => sum + row.count, 0);
    return [`${formatCount(count)} ${outcomeWords[outcome]}, first ${first.route} in '${first.phase}': ${reason}`];
  });
}

/** On a wider terminal sentence and observation would lie too far apart to be read as one line. */
const widestReadable = 140;

const toneOf: Record<Outcome, 'green' | 'red' | 'yellow'> = { met: 'green', missed: 'red', unknown: 'yellow' };

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
  for (const word of withoutControls(text)
    .split(/\s+/)
    .flatMap((long) => long.match(new RegExp(`.{1,${Math.max(width - indent, 1)}}`, 'gu')) ?? [])) {
    const longer = line === '' ? word : line.trim() === '' ? line + word : `${line} ${word}`;
    if (longer.length <= width) line = longer;
    else {
      lines.push(line);
      line = ' '.repeat(indent) + word;
    }
  }
  return [...lines, line];
}
