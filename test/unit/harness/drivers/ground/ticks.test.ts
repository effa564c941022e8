import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTicks } from '../../../../../harness/drivers/ground/ticks.ts';

function canary({ beginsMs = 0 } = {}) {
  const seen: { second: number; lateMs: number }[] = [];
  const sealed: number[] = [];
  const ticks = createTicks({
    tickMs: 1,
    record: (second, lateUs) => {
      expect(second).toBeGreaterThanOrEqual(sealed.at(-1) ?? 0);
      seen.push({ second, lateMs: lateUs / 1_000 });
    },
    seal: (second) => sealed.push(second),
  });
  ticks.begin(beginsMs);
  return { ...ticks, seen, sealed, lateMs: () => seen.map(({ lateMs }) => lateMs) };
}

test('a tick that took as long as it should is not late', () => {
  const { slept, lateMs } = canary();
  slept(5, 6);
  expect(lateMs()).toEqual([0]);
});

test('what every sleep takes longer on this machine counts as on time', () => {
  const { slept, lateMs } = canary();
  slept(0, 1.0625);
  slept(10, 11.0625);
  slept(20, 21.5625);
  expect(lateMs()).toEqual([0, 0, 0.5]);
});

test('sleeps before the run show what is on time, and are not recorded', () => {
  const { slept, begin, lateMs } = canary({ beginsMs: Number.POSITIVE_INFINITY });
  slept(0, 1.25);
  begin(100);
  slept(50, 51.5);
  slept(200, 201.5);
  expect(lateMs()).toEqual([0.25]);
});

test('a pause is recorded as all the ticks that should have been in it, each less late than the one before', () => {
  const { slept, lateMs } = canary();
  slept(0, 1);
  slept(1, 6.5);
  expect(lateMs()).toEqual([0, 4.5, 3.5, 2.5, 1.5, 0.5]);
});

test('a pause across seconds belongs to every second that it spoiled, and each second is sealed by the next', () => {
  const { slept, seen, sealed } = canary({ beginsMs: 10_000 });
  slept(10_000, 10_001);
  slept(10_500, 13_000);
  const of = (second: number) => seen.filter((tick) => tick.second === second).map(({ lateMs }) => lateMs);
  expect(of(0)).toHaveLength(1 + 499);
  expect(of(1)).toHaveLength(1_000);
  expect(Math.max(...of(1))).toBe(2_000);
  expect(of(2)).toHaveLength(1_000);
  expect(of(3)).toEqual([0]);
  expect(sealed).toEqual([1, 2, 3]);
});

test('of a pause around the start of the run, only what came after the start is recorded', () => {
  const { slept, lateMs } = canary({ beginsMs: 100 });
  slept(0, 1);
  slept(90, 102);
  expect(lateMs()).toEqual([2, 1, 0]);
});

test('a sleep that seems too short is on time, and does not make others late by more than they were', () => {
  const { slept, lateMs } = canary();
  slept(0, 0.5);
  slept(10, 11.25);
  expect(lateMs()).toEqual([0, 0.25]);
});

test('a sleep that was cut short says nothing, and does not count as the shortest', () => {
  const { slept, woken, lateMs } = canary();
  slept(0, 1.25);
  woken(5, 5.5);
  woken(10, 11.125);
  slept(20, 21.25);
  expect(lateMs()).toEqual([0, 0]);
});

test('whoever wakes a thread that lay too long already finds the pause recorded', () => {
  const { slept, woken, lateMs } = canary();
  slept(0, 1);
  woken(1, 4.5);
  expect(lateMs()).toEqual([0, 2.5, 1.5, 0.5]);
});

test('whatever happens, a second has about a thousand ticks for every thread, and none is later than the longest sleep', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 1, max: 400, noNaN: true }), { minLength: 1, maxLength: 100 }), (sleepsMs) => {
      const { slept, lateMs } = canary();
      slept(-2, -1);
      let nowMs = 0;
      for (const sleepMs of sleepsMs) {
        slept(nowMs, nowMs + sleepMs);
        nowMs += sleepMs;
      }
      expect(lateMs().length).toBeLessThanOrEqual(nowMs + 1);
      expect(lateMs().length).toBeGreaterThan(nowMs - sleepsMs.length - 1);
      expect(Math.min(...lateMs())).toBeGreaterThanOrEqual(0);
      expect(Math.max(...lateMs())).toBeCloseTo(Math.max(...sleepsMs) - 1, 3);
    }),
  );
});
