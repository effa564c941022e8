import { afterEach, expect, test, vi } from 'vitest';
import type { Live } from '../../../reports/console.ts';
import { createTerminal } from '../../../reports/terminal.ts';

afterEach(() => vi.unstubAllEnvs());

test('tells each step and note on a line of its own, with the seconds since the start', () => {
  const { terminal, clock, written } = watched({ isTTY: false });
  terminal.step('backing servers');
  clock.nowMs += 12_340;
  terminal.note('etcd on port 2379');
  expect(written()).toBe('   0.0 s  backing servers\n  12.3 s    etcd on port 2379\n');
});

test('tells a pipe the first second of each phase and every fifth after it', () => {
  const { terminal, written } = watched({ isTTY: false });
  for (let second = 0; second < 7; second += 1) terminal.second(live('before', second));
  for (let second = 7; second < 10; second += 1) terminal.second(live('rush', second));
  expect(written().match(/\w+ · 0:\d\d/g)).toEqual(['before · 0:00', 'before · 0:05', 'rush · 0:07']);
});

test('tells a pipe the whole line however long it is, and without control characters', () => {
  const { terminal, written } = watched({ isTTY: false, columns: 40 });
  terminal.second({ ...live('rush', 3), faults: ['orders->payment: slowed by 1s', 'orders->inventory, replica 2 only: slowed by 300ms'] });
  terminal.end();
  expect(written()).toContain('orders->payment: slowed by 1s · ! orders->inventory, replica 2 only: slowed by 300ms');
  expect(written()).not.toContain(escapeCharacter);
});

test('rewrites the live line in place on a terminal, every second', () => {
  const { terminal, written } = watched({ isTTY: true });
  terminal.second(live('rush', 1));
  terminal.second(live('rush', 2));
  const [before, first, second] = written().split(clearLine);
  expect([before, first?.slice(0, 11), second?.slice(0, 11)]).toEqual(['', 'rush · 0:01', 'rush · 0:02']);
  expect(written()).not.toContain('\n');
});

test.each([20, 40, 80])('leaves the last of %d columns free, where a terminal would begin a new line', (columns) => {
  const { terminal, written } = watched({ isTTY: true, columns });
  terminal.second({ ...live('rush', 1), faults: ['orders->payment: slowed by 1s'] });
  expect(written().slice(clearLine.length).length).toBeLessThan(columns);
});

test('clears the live line before anything else is told, and at the end', () => {
  const { terminal, written } = watched({ isTTY: true });
  terminal.second(live('rush', 1));
  const before = written().length;
  terminal.note('interrupted');
  terminal.end();
  expect(written().slice(before)).toBe(`${clearLine}   0.0 s    interrupted\n${clearLine}`);
});

test('takes the terminal of a build server for a pipe', () => {
  const { terminal, written } = watched({ isTTY: true, hasColors: true, isCi: true });
  terminal.second(live('rush', 1));
  expect(terminal.colour).toBe(false);
  expect(written()).toMatch(/^ {3}0\.0 s {4}rush · .*\n$/);
});

test.each([
  { isTTY: true, hasColors: true, noColor: undefined, colour: true },
  { isTTY: true, hasColors: true, noColor: '1', colour: false },
  { isTTY: true, hasColors: false, noColor: undefined, colour: false },
  { isTTY: false, hasColors: true, noColor: undefined, colour: false },
])(
  'writes in colour only on a terminal that has any, to someone who did not forbid it: $colour',
  ({ isTTY, hasColors, noColor, colour }) => {
    vi.stubEnv('NO_COLOR', noColor);
    expect(watched({ isTTY, hasColors }).terminal.colour).toBe(colour);
  },
);

const escapeCharacter = '\u001b';
const clearLine = `\r${escapeCharacter}[K`;

type Watched = { isTTY: boolean; columns?: number; hasColors?: boolean; isCi?: boolean };

function watched({ isTTY, columns = 200, hasColors = false, isCi = false }: Watched) {
  const clock = { nowMs: 5_000 };
  const pieces: string[] = [];
  const stream = { isTTY, columns, hasColors: () => hasColors, write: (piece: string | Uint8Array) => pieces.push(String(piece)) > 0 };
  const terminal = createTerminal({ stream, now: () => clock.nowMs, isCi });
  return { terminal, clock, written: () => pieces.join('') };
}

const live = (phase: string, second: number): Live => ({
  phase,
  elapsedMs: second * 1_000,
  totalMs: 30_000,
  plannedPerSecond: 100,
  answeredPerSecond: 98,
  inFlight: 3,
  latencyMs: { p50: 4.2, p99: 31 },
  outcomes: { ok: 98 },
  faults: [],
});
