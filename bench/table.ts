import { cpus, release } from 'node:os';
import { type Figure, type Goal, isMet } from './figure.ts';

/** For programs: `{ figures: [{ name, value, unit, goal, met }] }`; goal and met are null for a figure that is only there to compare with. */
export function asJson(figures: readonly Figure[]): string {
  return JSON.stringify({
    figures: figures.map((figure) => ({
      name: figure.name,
      value: figure.value,
      unit: figure.unit,
      goal: figure.goal === undefined ? null : goalText(figure.goal),
      met: isMet(figure) ?? null,
      spread: figure.spread ?? null,
    })),
  });
}

/** For people: a table in Markdown, with the machine it was measured on. */
export function asTable(about: string, figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name,
    `${digits(figure.value)} ${figure.unit}`,
    figure.spread === undefined ? '' : `${digits(figure.spread[0])} – ${digits(figure.spread[1])}`,
    figure.goal === undefined ? '' : `${goalText(figure.goal)} ${isMet(figure) ? '✓' : '✗ missed'}`,
  ]);
  const [cpu] = cpus();
  return [
    about,
    '',
    `Node ${process.version}, ${cpus().length} × ${cpu?.model.trim() ?? 'CPU'}, Linux ${release()}; times and rates are medians of the rounds of one run.`,
    '',
    ...aligned([['figure', 'median', 'middle half', 'goal'], ...rows]),
  ].join('\n');
}

const goalText = (goal: Goal): string => ('atMost' in goal ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`);

/** Three significant digits; more than that is noise. */
const digits = (value: number): string =>
  Math.abs(value) >= 1_000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));

function aligned(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`);
  return [lines[0] ?? '', `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines.slice(1)];
}
