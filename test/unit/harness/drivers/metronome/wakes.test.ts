import { once } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { bellOf, createWakes, onWake, quantumAt, ring, waitFor } from '../../../../../harness/drivers/metronome/wakes.ts';

const quantumMs = 0.25;
/** What clocks of different threads may differ by. */
const toleranceMs = 0.01;

/** Plays phases to their end on a clock of its own; `lateMs` is how much later than asked the metronome always wakes. */
function played(phases: readonly { startMs: number; arrivals: readonly number[]; sleepers: readonly string[] }[], { lateMs = 0 } = {}) {
  let nowMs = 0;
  const rings: { name: string; atMs: number }[] = [];
  const wakes = createWakes({ now: () => nowMs });
  const sleepers = new Map<string, { ring: () => void }>();
  const sleeperOf = (name: string) => {
    const known = sleepers.get(name) ?? { ring: () => void rings.push({ name, atMs: nowMs }) };
    sleepers.set(name, known);
    return known;
  };
  for (const { sleepers: names, ...phase } of phases) wakes.play({ ...phase, quantumMs, sleepers: names.map(sleeperOf) });

  let turns = 0;
  for (let nextMs = wakes.turn(); nextMs < Number.POSITIVE_INFINITY; nextMs = wakes.turn()) {
    expect(nextMs).toBeGreaterThan(nowMs);
    nowMs = nextMs + lateMs;
    turns += 1;
  }
  return { rings, turns, of: (name: string) => rings.filter((each) => each.name === name).map(({ atMs }) => atMs) };
}

test('arrivals that lie apart wake their sleeper when they are due, never before', () => {
  const { of } = played([{ startMs: 100, arrivals: [0, 10, 20.5], sleepers: ['io'] }]);
  expect(of('io')).toEqual([100, 110, 120.5].map((dueMs) => expect.closeTo(dueMs, 1)));
  expect(of('io')[0]).toBeGreaterThan(100);
});

test('arrivals take turns among the sleepers', () => {
  const { rings } = played([{ startMs: 0, arrivals: [1, 2, 3, 4, 5], sleepers: ['a', 'b'] }]);
  expect(rings.map(({ name }) => name).join('')).toBe('ababa');
});

test('a burst is one wake, and one more after the quantum for those who came meanwhile', () => {
  const { of, turns } = played([{ startMs: 0, arrivals: [1, 1, 1, 1.1, 1.2], sleepers: ['io'] }]);
  expect(of('io')).toEqual([expect.closeTo(1, 1), expect.closeTo(1 + quantumMs, 1)]);
  // The metronome, too, sleeps through the rest.
  expect(turns).toBe(2);
});

test('a sleeper that rests holds up nobody else', () => {
  const { of } = played([{ startMs: 0, arrivals: [1, 1.02, 1.04, 1.06], sleepers: ['a', 'b', 'a', 'c'] }]);
  expect(of('c')).toEqual([expect.closeTo(1.06, 1)]);
});

test('a metronome that woke late wakes everyone once for all that was due', () => {
  let nowMs = 0;
  const rung = vi.fn();
  const wakes = createWakes({ now: () => nowMs });
  wakes.play({ quantumMs, startMs: 0, arrivals: Array.from({ length: 500 }, (_, index) => index), sleepers: [{ ring: rung }] });
  nowMs = 1_000;
  expect(wakes.turn()).toBe(Number.POSITIVE_INFINITY);
  expect(rung).toHaveBeenCalledTimes(1);
});

test('a phase that is told ahead starts at its own time, after the one that is still played', () => {
  const { rings } = played([
    { startMs: 0, arrivals: [5, 15], sleepers: ['a'] },
    { startMs: 20, arrivals: [5, 15], sleepers: ['a'] },
  ]);
  expect(rings.map(({ atMs }) => Math.round(atMs))).toEqual([5, 15, 25, 35]);
});

test('nobody is woken after a halt, also for what was due at the end of a rest, and a new phase may be told', () => {
  let nowMs = 1;
  const rung = vi.fn();
  const wakes = createWakes({ now: () => nowMs });
  const sleepers = [{ ring: rung }];
  wakes.play({ quantumMs, startMs: 0, arrivals: [0.5, 1.1, 50], sleepers });
  wakes.turn();
  expect(rung).toHaveBeenCalledTimes(1);
  wakes.halt();
  nowMs = 100;
  expect(wakes.turn()).toBe(Number.POSITIVE_INFINITY);
  expect(rung).toHaveBeenCalledTimes(1);
  wakes.play({ quantumMs, startMs: 90, arrivals: [1], sleepers });
  wakes.turn();
  expect(rung).toHaveBeenCalledTimes(2);
});

test('a phase that would wake nobody is refused', () => {
  const wakes = createWakes({ now: () => 0 });
  expect(() => wakes.play({ quantumMs, startMs: 0, arrivals: [1], sleepers: [] })).toThrow('somebody who is to be woken');
});

const phaseOf = fc.record({
  startMs: fc.integer({ min: 0, max: 20 }),
  arrivals: fc
    .array(fc.oneof(fc.double({ min: 0, max: 10, noNaN: true }), fc.double({ min: 0, max: 0.5, noNaN: true })), { maxLength: 60 })
    .map((times) => times.sort((a, b) => a - b)),
  sleepers: fc.constantFrom(['a'], ['a', 'b'], ['b', 'c', 'a']),
});

test('whatever is played: every arrival wakes its sleeper in time, and nobody is woken twice within the quantum', () => {
  fc.assert(
    fc.property(fc.array(phaseOf, { maxLength: 3 }), fc.constantFrom(0, 0.03, 3), (phases, lateMs) => {
      const { of, turns } = played(phases, { lateMs });
      const due = new Map<string, number[]>();
      for (const { startMs, arrivals, sleepers } of phases) {
        for (const [index, time] of arrivals.entries()) {
          const name = sleepers[index % sleepers.length] ?? '';
          due.set(name, [...(due.get(name) ?? []), startMs + time]);
        }
      }
      for (const name of ['a', 'b', 'c']) {
        const rings = of(name);
        for (const [index, atMs] of rings.entries()) {
          if (index > 0) expect(atMs - (rings[index - 1] ?? 0)).toBeGreaterThanOrEqual(quantumMs);
        }
        for (const dueMs of due.get(name) ?? []) {
          const heard = rings.find((atMs) => atMs >= dueMs);
          expect(heard).toBeLessThanOrEqual(dueMs + quantumMs + toleranceMs + 2 * lateMs);
        }
        // Nobody is woken for nothing.
        expect(rings.length).toBeLessThanOrEqual(due.get(name)?.length ?? 0);
      }
      expect(turns).toBeLessThanOrEqual([...due.values()].flat().length);
    }),
  );
});

test('a wait sleeps until shortly before and spins for the rest', () => {
  let nowMs = 0;
  const slept: number[] = [];
  let looks = 0;
  waitFor(10, {
    now: () => {
      looks += 1;
      nowMs += 0.001;
      return nowMs;
    },
    sleep: (ms) => {
      slept.push(ms);
      nowMs += ms;
      return 'rested';
    },
    spinMs: 0.05,
  });
  expect(slept).toEqual([expect.closeTo(9.95, 2)]);
  expect(nowMs).toBeCloseTo(10, 2);
  expect(looks).toBeLessThan(60);
});

test('a sleep that ended early is gone on with, never spun through', () => {
  let nowMs = 0;
  const slept: number[] = [];
  const sleep = (ms: number) => {
    slept.push(ms);
    nowMs += ms / 2;
    return 'rested' as const;
  };
  waitFor(8, { now: () => (nowMs += 0.01), sleep, spinMs: 1 });
  expect(slept.length).toBeGreaterThan(2);
  expect(Math.min(...slept)).toBeGreaterThan(0);
});

test('a wait for nothing sleeps until it is interrupted', () => {
  const sleep = vi.fn(() => 'interrupted' as const);
  waitFor(Number.POSITIVE_INFINITY, { now: () => 0, sleep, spinMs: 0.05 });
  expect(sleep).toHaveBeenCalledExactlyOnceWith(Number.POSITIVE_INFINITY);
});

test('a bell that has not been heard is not rung again, and once heard it is', async () => {
  const { port1, port2 } = new MessageChannel();
  try {
    const bell = bellOf(port1);
    const wake = vi.fn();
    onWake(port2, wake);
    for (let times = 0; times < 1_000; times++) ring(bell);
    await settled(port1, port2);
    expect(wake).toHaveBeenCalledTimes(1);
    ring(bell);
    await settled(port1, port2);
    expect(wake).toHaveBeenCalledTimes(2);
  } finally {
    port1.close();
  }
});

test('what falls due while a wake is being answered rings once more', async () => {
  const { port1, port2 } = new MessageChannel();
  try {
    const bell = bellOf(port1);
    let wakes = 0;
    onWake(port2, () => {
      wakes += 1;
      if (wakes === 1) ring(bell);
    });
    ring(bell);
    await settled(port1, port2);
    await settled(port1, port2);
    expect(wakes).toBe(2);
  } finally {
    port1.close();
  }
});

/** An answer of the other end comes after everything that was posted before it was asked. */
async function settled(from: MessagePort, to: MessagePort) {
  const answered = once(from, 'message');
  to.postMessage('so far');
  await answered;
  await new Promise((resolve) => setImmediate(resolve));
}

test.each([
  [50, 0.15],
  [5_000, 0.15],
  [10_000, 0.3],
  [40_000, 0.5],
])('at %i arrivals a second a wake is followed by a rest of %d ms', (ratePerSecond, restMs) => {
  expect(quantumAt(ratePerSecond, 0.15)).toBeCloseTo(restMs, 10);
});
