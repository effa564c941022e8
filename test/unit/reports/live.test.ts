import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { requestOutcomes } from '../../../harness/record.ts';
import { type Live, liveBlock, liveLine } from '../../../reports/live.ts';
import { displayWidth } from '../../../reports/width.ts';
import { liveSecond } from '../../support/live-second.ts';

const plain = (live: Live, width: number) => liveBlock(live, { colour: false, width });

test('shows where the run is, its pace, how requests ended, and the faults that are on', () => {
  expect(plain(liveSecond, 119)).toEqual([
    'before               ▸rush                                       after',
    '━━━━━━━━━━━━━━━━━━━━━┃━━━━━━━!!!!!!!!!!!!!!!!!▸!!!!!!!!!!!!!!!!!!┃─────────────────────────────────────────── 0:32/1:15',
    'sent 1,498 of 1,512/s · p50 31.2 ms · p99 413 ms · 81 under way · generator 0.42 ms late',
    'ok 300 · shed 120 · degraded 30 · timeout 3 · limited 1 · ! orders->payment: slowed by 1s ± 200ms',
  ]);
});

test('keeps the pace, the p99 and the worst troubles where there is little room', () => {
  expect(plain(liveSecond, 39)).toEqual([
    'bef… ▸rush       after',
    '━━━━━┃━!!!!!▸!!!!┃─────────── 0:32/1:15',
    'sent 1,498 of 1,512/s · p99 413 ms',
    'ok 300 · shed 120 · ! orders->payment:…',
  ]);
});

test('the arrow goes from one end of the bar to the other', () => {
  const at = (elapsedMs: number) => plain({ ...liveSecond, elapsedMs }, 79)[1]?.indexOf('▸');
  expect([at(-2_000), at(0), at(37_500), at(75_000), at(80_000)]).toEqual([0, 0, 34, 68, 68]);
});

test('the name of the current phase is whole, however short the phase', () => {
  const phases = [
    { name: 'a long calm', fromMs: 0, untilMs: 70_000, faults: [] },
    { name: 'kill the payment provider', fromMs: 70_000, untilMs: 72_000, faults: [] },
    { name: 'end', fromMs: 72_000, untilMs: 75_000, faults: [] },
  ];
  const [names, bar] = plain({ ...liveSecond, phases, phase: 'kill the payment provider', elapsedMs: 71_000 }, 60);
  expect(names).toBe('a long calm             ▸kill the payment provider');
  expect(names?.length).toBeLessThanOrEqual(bar?.lastIndexOf(' ') ?? 0);
});

test('a fault that is over at once has a mark of its own', () => {
  const phases = [{ name: 'rush', fromMs: 0, untilMs: 75_000, faults: [{ fromMs: 50_000, untilMs: 50_000 }] }];
  expect(plain({ ...liveSecond, phases }, 79)[1]?.match(/!/g)).toHaveLength(1);
});

test('faults that find no room are counted', () => {
  const faults = [...liveSecond.faults, 'orders->inventory, replica 2 only: slowed by 300ms', 'payment: killed'];
  expect(plain({ ...liveSecond, faults }, 79)[3]).toBe('ok 300 · shed 120 · degraded 30 · ! orders->payment: slowed by 1s ± 200ms · +2');
});

test('says so when nothing ended, and shows a dash for what nobody waited for', () => {
  const { latencyMs: _, ...silent } = liveSecond;
  const [, , pace, ending] = plain({ ...silent, outcomes: {}, faults: [] }, 79);
  expect(pace).toContain('p50 – · p99 –');
  expect(ending).toBe('no request ended');
});

test('a generator that is late is told before the percentiles that it spoils', () => {
  expect(plain({ ...liveSecond, lagMsMax: 88 }, 48)[2]).toBe('sent 1,498 of 1,512/s · generator 88 ms late');
});

test('says the same with colour and without', () => {
  expect(liveBlock(liveSecond, { colour: true, width: 100 }).map(stripVTControlCharacters)).toEqual(plain(liveSecond, 100));
});

test('tells a second on one line where there is no cursor, the commonest troubles first', () => {
  expect(liveLine(liveSecond)).toBe(
    'rush · 0:32/1:15 · sent 1,498 of 1,512/s · p50 31.2 ms · p99 413 ms · 81 under way · generator 0.42 ms late · shed 120 · degraded 30 · timeout 3 · … · ! orders->payment: slowed by 1s ± 200ms',
  );
});

test('does not hint at more troubles than there are', () => {
  expect(liveLine({ ...liveSecond, outcomes: { ok: 1, shed: 3, timeout: 2, reset: 1 }, faults: [] })).toMatch(
    /shed 3 · timeout 2 · reset 1$/,
  );
});

test('a percentile among those who gave up is at least as long as they waited', () => {
  const latencyMs = { p50: { ms: 101, isCensored: false }, p99: { ms: 1_000, isCensored: true } };
  expect(liveLine({ ...liveSecond, latencyMs })).toContain(' · p50 101 ms · p99 ≥ 1 s · ');
});

test('when all have come it says for how many it waits', () => {
  const waiting = { ...liveSecond, elapsedMs: 45_000, plannedPerSecond: 0, sentPerSecond: 4, inFlight: 1_030 };
  expect(plain(waiting, 79)[2]).toBe('waiting for the last 1,030 · p50 31.2 ms · p99 413 ms · generator 0.42 ms late');
  expect(plain({ ...waiting, elapsedMs: 44_000 }, 79)[2]).toContain('sent 4 of 0/s');
  expect(plain({ ...waiting, inFlight: 0 }, 79)[2]).toContain('sent 4 of 0/s');
});

test('a load that gives no sign is told in place of figures that would be those of the rest', () => {
  const silent = { ...liveSecond, silentMs: 127_900, outcomes: {}, faults: [] };
  const sentence = 'the load has given no sign for 128 s: does a journey compute without awaiting?';
  expect(plain(silent, 79)[2]).toBe(sentence);
  expect(plain(silent, 119)[2]).toBe(sentence);
  expect(liveLine(silent)).toBe(`rush · 0:32/1:15 · ${sentence}`);
});

const letters = ['a', 'é', '漢', '字', '😀', '\u0301', '\u001b', '\n', ' '];
const words = fc.array(fc.constantFrom(...letters), { minLength: 1, maxLength: 30 }).map((drawn) => drawn.join(''));
const lives = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 12 }),
  names: fc.array(words, { minLength: 12, maxLength: 12 }),
  faults: fc.array(words, { maxLength: 5 }),
  outcomes: fc.dictionary(fc.constantFrom(...requestOutcomes), fc.integer({ min: 0, max: 1_000_000 })),
  played: fc.double({ min: 0, max: 1.1, noNaN: true }),
  current: fc.nat(11),
  lagMsMax: fc.double({ min: 0, max: 5_000, noNaN: true }),
});

test('no line is ever wider than the room there is, whatever is told', () => {
  fc.assert(
    fc.property(lives, fc.integer({ min: 1, max: 220 }), ({ lengths, names, played, current, ...rest }, width) => {
      let fromMs = 0;
      const phases = lengths.map((lastsMs, index) => {
        const phase = {
          name: `${index}${names[index]}`,
          fromMs,
          untilMs: fromMs + lastsMs,
          faults: [{ fromMs, untilMs: fromMs + lastsMs / 2 }],
        };
        fromMs += lastsMs;
        return phase;
      });
      const phase = phases[current % phases.length]?.name ?? '';
      const live = { ...liveSecond, ...rest, phases, phase, elapsedMs: played * fromMs, totalMs: fromMs };
      for (const line of liveBlock(live, { colour: true, width })) {
        expect(displayWidth(stripVTControlCharacters(line))).toBeLessThanOrEqual(width);
      }
      // biome-ignore lint/suspicious/noControlCharactersInRegex: a name must not move the cursor
      expect(plain(live, width).join('')).not.toMatch(/[\u0000-\u001f\u007f]/);
    }),
    { numRuns: 300 },
  );
});
