import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createWindows } from '../../../../harness/drivers/windows.ts';

const startMs = 1_700_000_000_000.25;
const lengths = fc.array(
  fc.record({ lastsMs: fc.integer({ min: 1, max: 4_000 }), pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2_500 })) }),
  { minLength: 1, maxLength: 8 },
);

test('whatever the phases, a window is one second of one phase, counted from its start, and tells which', () => {
  fc.assert(
    fc.property(lengths, (phases) => {
      const { windows, places, starts } = played(phases);
      const numbers = new Map<number, string>();
      let last = -1;
      for (const { phase, ms } of places) {
        const number = windows.windowOf(ms);
        const place = { phase, second: Math.floor((ms - (starts[phase] ?? 0)) / 1_000) };
        expect(windows.phaseAt(ms)).toBe(phase);
        expect(windows.placeOf(number)).toEqual(place);
        expect(number).toBeGreaterThanOrEqual(last);
        last = number;
        const key = JSON.stringify(place);
        expect(numbers.get(number) ?? key).toBe(key);
        numbers.set(number, key);
      }
      expect(new Set(numbers.values()).size).toBe(numbers.size);
    }),
  );
});

test('a window keeps its number when the next phase is told', () => {
  fc.assert(
    fc.property(lengths, (phases) => {
      const windows = createWindows();
      const before = new Map<number, number>();
      for (const phase of stretched(phases)) {
        windows.startPhase(phase);
        for (const [ms, number] of before) expect(windows.windowOf(ms)).toBe(number);
        before.set(phase.startMs + phase.lastsMs - 0.5, windows.windowOf(phase.startMs + phase.lastsMs - 0.5));
      }
    }),
  );
});

test('phases of less than a second share none of their windows', () => {
  const { windows } = played([300, 300, 300, 300].map((lastsMs) => ({ lastsMs, pauseMs: 0 })));
  expect([0, 299, 300, 599, 600, 899, 900, 999, 1_000, 1_199].map((ms) => windows.windowOf(startMs + ms))).toEqual([
    0, 0, 1, 1, 2, 2, 3, 3, 3, 3,
  ]);
  expect(windows.windowOf(startMs + 1_900)).toBe(4);
  expect([0, 1, 2, 3, 4].map(windows.placeOf)).toEqual([
    { phase: 0, second: 0 },
    { phase: 1, second: 0 },
    { phase: 2, second: 0 },
    { phase: 3, second: 0 },
    { phase: 3, second: 1 },
  ]);
});

test('moments before the first phase count as its start, those after the last as its later seconds', () => {
  const { windows } = played([{ lastsMs: 1_000, pauseMs: 0 }]);
  expect([-5_000, -0.1, 0].map((ms) => windows.windowOf(startMs + ms))).toEqual([0, 0, 0]);
  expect(windows.windowOf(startMs + 9_000)).toBe(9);
  expect(windows.placeOf(9)).toEqual({ phase: 0, second: 9 });
});

test('a phase that begins before the last one is refused', () => {
  const windows = createWindows();
  windows.startPhase({ name: 'one', startMs, lastsMs: 10 });
  expect(() => windows.startPhase({ name: 'two', startMs: startMs - 1, lastsMs: 10 })).toThrow("Phase 'two' begins before 'one'");
  expect(windows.names()).toEqual(['one']);
  expect(windows.startMs()).toBe(startMs);
});

/** Phases one after the other, and moments of each in order. */
function played(phases: readonly { lastsMs: number; pauseMs: number }[]) {
  const windows = createWindows();
  const all = stretched(phases);
  for (const phase of all) windows.startPhase(phase);
  const places = all.flatMap((phase, index) => {
    const untilMs = all[index + 1]?.startMs ?? phase.startMs + phase.lastsMs;
    const moments = Array.from({ length: 12 }, (_, part) => phase.startMs + ((untilMs - phase.startMs) * part) / 12);
    return moments.map((ms) => ({ phase: index, ms }));
  });
  return { windows, places, starts: all.map((phase) => phase.startMs) };
}

function stretched(phases: readonly { lastsMs: number; pauseMs: number }[]) {
  let atMs = startMs;
  return phases.map(({ lastsMs, pauseMs }, index) => {
    const phase = { name: `phase ${index}`, startMs: atMs, lastsMs };
    atMs += lastsMs + pauseMs;
    return phase;
  });
}
