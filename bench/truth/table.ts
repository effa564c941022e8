import type { Unit } from './figure.ts';
import {
  cpuUsPerFurtherRequest,
  isMet,
  type Result,
  type Row,
  type ScriptResult,
  type Spread,
  spreadOf,
  type TruthTable,
} from './result.ts';

/**
 * The whole benchmark as Markdown: what each contestant measured beside what is true by arithmetic. The first contestant is the one whose targets
 * are counted, and whose betters are named.
 */
export function asMarkdown(table: TruthTable, { command }: { command: string }): string {
  return [...head(table, command), ...table.scripts.flatMap((script) => section(script)), ...betters(table), ''].join('\n');
}

/**
 * What a contestant has not got right: plays that it did not get to the end of (`stall: failed once`), and figures that are not right in every valid
 * play (`stall: p99`). Who keeps silent has not got it right.
 */
export function missedBy(table: TruthTable, contestant: string): string[] {
  return table.scripts.flatMap(({ name, results }) => {
    const result = results.find((one) => one.contestant === contestant);
    if (result === undefined) return [];
    const { failed, rows } = result;
    return [
      ...(failed.length === 0 ? [] : [`${name}: failed ${times(failed.length)}`]),
      ...rows.filter((row) => isMet(row) === false || row.silent > 0).map((row) => `${name}: ${row.name}`),
    ];
  });
}

/** Scripts of which every repeat was invalid, `stall: no valid repeat`: the machine stood still, and nobody can be blamed. */
export function untriedBy(table: TruthTable, contestant: string): string[] {
  return table.scripts.flatMap(({ name, results }) =>
    results.some(
      ({ contestant: who, valid, failed, refused }) => who === contestant && valid + failed.length === 0 && refused === undefined,
    )
      ? `${name}: no valid repeat`
      : [],
  );
}

/** What a contestant got wrong somewhere is wrong, whatever is not known elsewhere. */
export function outcomeFor(table: TruthTable, contestant: string): 'met' | 'missed' | 'unknown' {
  if (missedBy(table, contestant).length > 0) return 'missed';
  return untriedBy(table, contestant).length > 0 ? 'unknown' : 'met';
}

function head({ header, contestants, scripts }: TruthTable, command: string): string[] {
  const all = scripts.flatMap(({ results }) => results);
  const invalid = all.reduce((sum, one) => sum + one.invalid, 0);
  const plays = all.reduce((sum, one) => sum + one.valid + one.invalid + one.failed.length, 0);
  const absent = contestants.filter(({ version }) => version === undefined).map(({ name }) => name);
  return [
    '# Measured against arithmetic',
    '',
    `${header.date}, ${header.machine}, Node ${header.node}. Written by \`${command}\`.`,
    '',
    `Contestants: ${contestants.flatMap(({ name, version }) => (version === undefined ? [] : `${name} ${version}`)).join(' · ')}.` +
      (absent.length > 0 ? ` Not installed here: ${absent.join(', ')}.` : ''),
    '',
    'A server in a process of its own notes when each request was read and answered. Each script is so simple that the right answer can be worked',
    `out; the column *truth* has it. Contestants take turns (ABBA), and each plays it ${times(header.repeats)}. Cells are the median of the valid repeats, and the ends where`,
    'they differ; ✓ is right in every one of them, ✗ is not. A repeat in which a thread that only sleeps saw the machine stand still for more than',
    `20 ms is invalid and played again, at most three times, whoever played: ${invalid} of ${plays}. One request on a bare socket, when nobody waits,`,
    `takes ${number(header.pingMs)} ms here (median). The server and those threads run before others where the system allows it, and so does the generator of stampede.`,
    '',
    ...score(scripts, contestants),
  ];
}

function score(scripts: readonly ScriptResult[], contestants: TruthTable['contestants']): string[] {
  const rows = contestants
    .filter(({ version }) => version !== undefined)
    .map(({ name }) => {
      const own = scripts.flatMap(({ results }) => results.filter(({ contestant }) => contestant === name));
      const verdicts = own.flatMap(({ rows }) => rows.map(isMet)).filter((verdict) => verdict !== undefined);
      const refused = own.filter((result) => result.refused !== undefined).length;
      const furtherUs = cpuUsPerFurtherRequest({ scripts }, name);
      return [
        name,
        `${verdicts.filter(Boolean).length} of ${verdicts.length}`,
        String(refused),
        String(own.reduce((sum, one) => sum + one.invalid, 0)),
        furtherUs === undefined ? '–' : number(furtherUs),
      ];
    });
  const columns = ['contestant', 'right', 'scripts it cannot play', 'invalid repeats', 'CPU µs per further request'];
  return [
    ...aligned([columns, ...rows]),
    '',
    'A further request: CPU time of *uniform* less that of *floor*, by how many requests more it has. Starting is in both.',
    '',
  ];
}

function section({ name, about, results }: ScriptResult): string[] {
  const playing = results.filter(({ refused }) => refused === undefined);
  const names = [...new Set(playing.flatMap(({ rows }) => rows.map((row) => row.name)))];
  const rows = names.map((figure) => {
    const own = playing.map(({ rows }) => rows.find((row) => row.name === figure));
    const told = own.find((row) => row !== undefined);
    return [figure, truthCell(own), told?.target?.words ?? '', ...own.map(cell)];
  });
  return [
    `## ${name}`,
    '',
    about,
    '',
    ...aligned([['figure', 'truth', 'near enough', ...playing.map(({ contestant }) => contestant)], ...rows, ...costs(playing)]),
    '',
    ...results.flatMap(remarks),
  ];
}

/** Where the truth depends on what was played (stamps, counts), it is that of the first contestant. What the server's log says stands beside it. */
function truthCell(rows: readonly (Row | undefined)[]): string {
  const [row] = rows.filter((one) => one !== undefined);
  if (row === undefined) return '';
  const truth = row.target?.truth;
  const { byLog } = row;
  const differs = byLog !== undefined && (truth === undefined || Math.abs(byLog - truth) >= Math.max(0.05, 0.001 * Math.abs(truth)));
  return [...(truth === undefined ? [] : [withUnit(truth, row.unit)]), ...(differs ? [`(log: ${number(byLog)})`] : [])].join(' ');
}

function cell(row: Row | undefined): string {
  if (row?.said === undefined) return '–';
  const met = isMet(row);
  const mark = met === undefined ? '' : met ? ' ✓' : row.right === 0 ? ' ✗' : ` ✗ ${row.judged - row.right} of ${row.judged}`;
  return spread(row.said) + ownTruth(row) + mark;
}

/** Counts are held against what the server saw in the same play, which is another number for each contestant. */
function ownTruth({ target, said, unit }: Row): string {
  const truth = target?.truth;
  return unit === '' && target?.words === 'exactly' && truth !== undefined && truth !== said?.median ? ` (is ${number(truth)})` : '';
}

function costs(results: readonly Result[]): string[][] {
  const row = (name: string, pick: (result: Result) => Spread | undefined) => [
    name,
    '',
    '',
    ...results.map((result) => {
      const found = pick(result);
      return found === undefined ? '–' : spread(found);
    }),
  ];
  return [
    row('CPU ms', ({ cost }) => cost?.cpuMs),
    row('CPU µs per request', ({ cost }) => cost?.cpuUsPerRequest),
    row('RSS peak MB', ({ cost }) => cost?.rssPeakMb),
    ['repeats valid', '', '', ...results.map(repeats)],
  ];
}

const repeats = ({ valid, invalid, failed }: Result): string =>
  [`${valid}`, ...(invalid > 0 ? [`${invalid} invalid`] : []), ...(failed.length > 0 ? [`${failed.length} failed`] : [])].join(', and ');

function remarks({ contestant, refused, failed, notes }: Result): string[] {
  const said = [
    ...(refused === undefined ? [] : [`cannot play this: ${refused}`]),
    ...[...new Set(failed)].map((message) => `failed ${times(failed.filter((one) => one === message).length)}: ${message}`),
    ...notes,
  ];
  return said.length === 0 ? [] : [...said.map((one) => `- ${contestant}: ${one}`), ''];
}

/** Said plainly: where another was right and the first was not, and who needs less. */
function betters({ scripts, contestants }: TruthTable): string[] {
  const [first, ...others] = contestants.map(({ name }) => name);
  if (first === undefined) return [];
  const lines = others.flatMap((other) => {
    const pairs = scripts.flatMap(({ name, results }) => {
      const [own, theirs] = [first, other].map((contestant) => results.find((result) => result.contestant === contestant));
      return own === undefined || theirs === undefined ? [] : { name, own, theirs };
    });
    const right = pairs.flatMap(({ name, own, theirs }) =>
      theirs.rows
        .filter((row) => isMet(row) === true && own.rows.some((mine) => mine.name === row.name && isMet(mine) === false))
        .map((row) => `${name} ${row.name}`),
    );
    const less = (what: string, pick: (result: Result) => Spread | undefined) => {
      const shares = pairs.flatMap(({ own, theirs }) => {
        const [mine, found] = [pick(own)?.median, pick(theirs)?.median];
        return mine === undefined || found === undefined ? [] : found / mine;
      });
      const fewer = shares.filter((share) => share < 1);
      const middle = spreadOf(fewer)?.median;
      if (middle === undefined) return [];
      return [`less ${what} in ${fewer.length} of ${shares.length} scripts (in the middle ${number(middle)} of it)`];
    };
    const better = [
      ...(right.length === 0 ? [] : [`right in ${right.join(', ')}`]),
      ...less('CPU per request', ({ cost }) => cost?.cpuUsPerRequest),
      ...less('memory', ({ cost }) => cost?.rssPeakMb),
    ];
    return better.length === 0 ? [] : [`- ${other}: ${better.join('; ')}`];
  });
  return [
    '## Where others are better',
    '',
    ...(lines.length > 0 ? [`Compared with ${first}:`, '', ...lines] : ['In nothing that was measured here.']),
  ];
}

function spread({ median, low, high }: Spread): string {
  const [middle, from, to] = [number(median), number(low), number(high)];
  return from === to ? middle : `${middle} (${from} – ${to})`;
}

const withUnit = (value: number, unit: Unit): string => (unit === '' ? number(value) : `${number(value)} ${unit}`);

const times = (count: number): string => (count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`);

/** Whole from a thousand on, as counts have to be exact; four digits below. */
const number = (value: number): string =>
  Math.abs(value) >= 1_000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(Math.abs(value) < 1 ? 2 : 4)));

function aligned(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`);
  return [lines[0] ?? '', `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines.slice(1)];
}
