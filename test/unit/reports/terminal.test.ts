import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Live } from '../../../reports/live.ts';
import { createTerminal } from '../../../reports/terminal.ts';
import { liveSecond } from '../../support/live-second.ts';
import { createScreen } from '../../support/screen.ts';

beforeEach(() => {
  vi.stubEnv('NO_COLOR', undefined);
  vi.stubEnv('TERM', 'xterm-256color');
});
afterEach(() => vi.unstubAllEnvs());

test('tells each step and note on a line of its own, with the seconds since the start', () => {
  const { terminal, clock, written } = piped();
  terminal.step('backing servers');
  clock.nowMs += 12_340;
  terminal.note('etcd on \u001b[2Jport 2379');
  expect(written()).toBe('   0.0 s  backing servers\n  12.3 s    etcd on  [2Jport 2379\n');
});

test('tells a pipe the first second of each phase and every fifth after it', () => {
  const { terminal, written } = piped();
  for (let second = 0; second < 7; second += 1) terminal.second(at(second, 'before'));
  for (let second = 7; second < 10; second += 1) terminal.second(at(second, 'rush'));
  expect(written().match(/\w+ · 0:\d\d/g)).toEqual(['before · 0:00', 'before · 0:05', 'rush · 0:07']);
});

test('tells a pipe at once that the load has fallen silent, and that it is back', () => {
  const { terminal, written } = piped();
  for (let second = 0; second < 9; second += 1) {
    terminal.second({ ...at(second), ...(second >= 2 && second < 8 ? { silentMs: second * 1_000 } : {}) });
  }
  expect(
    written()
      .match(/0:\d\d\/\S+ · (sent|the load)/g)
      ?.map((line) => line.slice(0, 4) + line.slice(-4)),
  ).toEqual(['0:00sent', '0:02load', '0:07load', '0:08sent']);
});

test('tells a pipe everything however long it is, and without control characters', () => {
  const { terminal, written } = piped({ columns: 40 });
  const faults = ['orders->payment: slowed by 1s', 'orders->inventory, replica 2 only: slowed by 300ms'];
  terminal.second({ ...at(3), faults });
  terminal.end();
  expect(written()).toContain('orders->payment: slowed by 1s · ! orders->inventory, replica 2 only: slowed by 300ms\n');
  expect(written()).not.toContain(escapeCharacter);
});

test.each([
  ['of a build server', { isCi: true }, 'xterm'],
  ['that cannot move its cursor', {}, 'dumb'],
])('takes the terminal %s for a pipe', (_which, options, term) => {
  vi.stubEnv('TERM', term);
  const { terminal, written } = piped({ isTTY: true, hasColors: true, ...options });
  terminal.second(at(1));
  expect(terminal.colour).toBe(false);
  expect(written()).toMatch(/^ {3}0\.0 s {4}rush · .*\n$/);
});

test.each([
  { isTTY: true, hasColors: true, noColor: undefined, colour: true },
  { isTTY: true, hasColors: true, noColor: '', colour: true },
  { isTTY: true, hasColors: true, noColor: '1', colour: false },
  { isTTY: true, hasColors: false, noColor: undefined, colour: false },
  { isTTY: false, hasColors: true, noColor: undefined, colour: false },
])(
  'writes in colour only on a terminal that has any, to someone who did not forbid it: $colour',
  ({ isTTY, hasColors, noColor, colour }) => {
    vi.stubEnv('NO_COLOR', noColor);
    const { terminal, written } = piped({ isTTY, hasColors });
    terminal.second(at(1));
    expect(terminal.colour).toBe(colour);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
    expect(/\u001b\[\d+m/.test(written())).toBe(colour);
  },
);

const widths = [40, 80, 120, 200];

test.each(widths)('of all that happened in %d columns only the last second is on the screen', (columns) => {
  const { terminal, screen } = watched({ columns });
  terminal.step('timeline');
  for (let second = 1; second <= 40; second += 1) terminal.second(at(second));
  const [step, ...live] = screen.lines();
  expect(step).toBe('   0.0 s  timeline');
  expect(live).toHaveLength(4);
  expect(live[0]).toContain('▸rush');
  expect(live[1]).toMatch(/^━+┃.*▸.* 0:40\/1:15$/);
  expect(live[2]).toContain('sent 1,498 of 1,512/s · ');
  expect(live[3]).toContain('! orders->pay');
  expect(screen.hasWrapped()).toBe(false);
});

test.each(widths)('steps and notes in %d columns stand above the live lines, each whole and in order', (columns) => {
  const { terminal, screen } = watched({ columns, rows: 10 });
  const notes = Array.from({ length: 20 }, (_, index) => `note ${index}: ${'payment.1 has been killed; '.repeat(index % 4)}`);
  terminal.step('timeline');
  terminal.second(at(1));
  for (const [index, note] of notes.entries()) {
    terminal.note(note);
    if (index % 3 === 0) terminal.second(at(index));
  }
  const above = screen.lines().slice(0, -4).join('');
  expect(above.replaceAll(/\s/g, '')).toBe(['0.0stimeline', ...notes.map((note) => `0.0s${note}`)].join('').replaceAll(/\s/g, ''));
  expect(screen.lines().slice(-4)[0]).toContain('▸rush');
  expect(screen.text().match(/▸rush/g)).toHaveLength(1);
});

test.each([
  [120, 60],
  [200, 40],
  [80, 45],
  [60, 180],
  [40, 41],
])('made from %d to %d columns wide, the screen still shows the last second once and nothing else', (from, to) => {
  const { terminal, screen } = watched({ columns: from });
  terminal.step('timeline');
  terminal.second(at(31));
  screen.resize({ columns: to, rows: 24 });
  const resized = screen.lines();
  expect(resized).toHaveLength(5);
  expect(screen.hasWrapped()).toBe(false);
  terminal.second(at(32));
  terminal.note('killed');
  expect(screen.lines()).toHaveLength(6);
  expect(screen.text().match(/▸rush/g)).toHaveLength(1);
});

test.each([2, 3, 4])('on a screen of %d rows it shows as many lines as can be rewritten', (rows) => {
  const { terminal, screen } = watched({ columns: 80, rows });
  for (let second = 1; second <= 5; second += 1) terminal.second(at(second));
  expect(screen.lines()).toHaveLength(rows - 1);
  expect(screen.text()).toContain('ok 300');
});

test('lines that are no longer there leave nothing behind', () => {
  const { terminal, screen } = watched({ columns: 200 });
  terminal.second({ ...at(1), faults: ['a very long sentence about a fault that is on'] });
  terminal.second({ ...at(2), faults: [] });
  expect(screen.text()).not.toContain('fault that is on');
});

test('names in scripts of double width do not break the lines', () => {
  const name = 'フラッシュセール 😀 rush';
  const { terminal, screen } = watched({ columns: 40 });
  const phases = liveSecond.phases.map((phase) => ({ ...phase, name: phase.name === 'rush' ? name : '前'.repeat(30) }));
  for (let second = 16; second < 20; second += 1) {
    terminal.second({ ...at(second), phases, phase: name, faults: ['漢字'.repeat(40)] });
  }
  expect(screen.hasWrapped()).toBe(false);
  expect(screen.lines()).toHaveLength(4);
  expect(screen.text()).toContain(`▸${name}`);
});

test('hides the cursor while there are live lines, and gives it back with an empty line below all that was told', () => {
  const { terminal, screen } = watched({ columns: 80 });
  terminal.note('mall');
  expect(screen.isCursorShown()).toBe(true);
  terminal.second(at(1));
  expect(screen.isCursorShown()).toBe(false);
  terminal.end();
  expect(screen.isCursorShown()).toBe(true);
  expect(screen.text()).toBe('   0.0 s    mall');
  expect(screen.cursor()).toEqual({ line: 1, column: 0 });
  expect(screen.listeners()).toBe(0);
});

test('ends as often as it is told to, and writes nothing more for it', () => {
  const { terminal, written } = piped({ isTTY: true });
  terminal.second(at(1));
  terminal.end();
  const before = written();
  terminal.end();
  expect(written()).toBe(before);
});

test('a new step takes the live lines of the one before away', () => {
  const { terminal, screen } = watched({ columns: 80 });
  terminal.second(at(1));
  terminal.step('books');
  expect(screen.text()).toBe('   0.0 s  books');
  expect(screen.isCursorShown()).toBe(true);
});

test.each([0, undefined])('writes for 80 columns on a terminal that says it has %s', (columns) => {
  const { terminal, written } = piped({ isTTY: true, columns: columns ?? 'unknown' });
  terminal.second(at(1));
  expect(terminal.width).toBe(80);
  expect(written()).toContain('sent 1,498');
});

const escapeCharacter = '\u001b';
const at = (second: number, phase = 'rush'): Live => ({ ...liveSecond, phase, elapsedMs: second * 1_000 });

/** A terminal on a screen that somebody looks at. */
function watched({ columns, rows = 24 }: { columns: number; rows?: number }) {
  const screen = createScreen({ columns, rows });
  const stream = screen.stream as unknown as Parameters<typeof createTerminal>[0]['stream'];
  return { terminal: createTerminal({ stream, now: () => 0, isCi: false }), screen };
}

type Piped = { isTTY?: boolean; columns?: number | 'unknown'; hasColors?: boolean; isCi?: boolean };

/** The bytes themselves. */
function piped({ isTTY = false, columns = 200, hasColors = false, isCi = false }: Piped = {}) {
  const clock = { nowMs: 5_000 };
  const pieces: string[] = [];
  const shape = columns === 'unknown' ? {} : { columns };
  const stream = { isTTY, ...shape, hasColors: () => hasColors, write: (piece: string | Uint8Array) => pieces.push(String(piece)) > 0 };
  const terminal = createTerminal({ stream, now: () => clock.nowMs, isCi });
  return { terminal, clock, written: () => pieces.join('') };
}
