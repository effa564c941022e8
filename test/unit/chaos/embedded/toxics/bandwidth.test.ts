import { expect, test } from 'vitest';
import { bandwidth } from '../../../../../chaos/embedded/toxics/bandwidth.ts';
import { actOf } from './stand-in.ts';

test('hands out a long chunk in tenths of a second, each after its wait', () => {
  const { read, advance, passed } = actOf(bandwidth, { rate: 10 });
  read(2500);
  advance(1000);
  expect(passed).toEqual(['100: 1000 B stamped 0', '200: 1000 B stamped 0', '250: 500 B stamped 0']);
});

test('one chunk waits for the other', () => {
  const { read, advance, passed } = actOf(bandwidth, { rate: 1 });
  read(10);
  read(10);
  advance(100);
  expect(passed).toEqual(['10: 10 B stamped 0', '20: 10 B stamped 0']);
});

test('a timer that came late is made up for', () => {
  const { read, advance, passed } = actOf(bandwidth, { rate: 1 }, undefined, 5);
  for (let chunk = 0; chunk < 4; chunk += 1) read(2);
  advance(100);
  // 2 ms each, woken 5 ms late: the next two are owed already, and the fourth waits for the rest.
  expect(passed).toEqual(['7: 2 B stamped 0', '7: 2 B stamped 0', '7: 2 B stamped 0', '13: 2 B stamped 0']);
});

test('an idle line earns no credit', () => {
  const { read, advance, passed } = actOf(bandwidth, { rate: 1 });
  advance(5000);
  read(10);
  advance(100);
  expect(passed).toEqual(['5010: 10 B stamped 5000']);
});

test.each([0, -1])('at a rate of %i nothing passes, and the chunk is kept', (rate) => {
  const { read, advance, passed, act } = actOf(bandwidth, { rate });
  read(7);
  advance(100_000);
  expect(passed).toEqual([]);
  expect(act.interrupt?.('removal')?.bytes).toHaveLength(7);
});

test('gives back what is left of the chunk in hand', () => {
  const { read, advance, act } = actOf(bandwidth, { rate: 1 });
  read(250);
  advance(210);
  expect(act.interrupt?.('restart')?.bytes).toHaveLength(50);
});
