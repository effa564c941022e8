import { expect, test } from 'vitest';
import { toMs, toRatePerSecond, toShare } from '../../../core/units.ts';

test.each([
  ['250ms', 250],
  ['30s', 30_000],
  ['1.5m', 90_000],
] as const)('%s is %i ms', (text, ms) => {
  expect(toMs(text)).toBe(ms);
});

test('a duration without a unit or below zero is refused by name', () => {
  expect(() => toMs('250' as '250ms')).toThrow("got '250'");
  expect(() => toMs('-1s')).toThrow("got '-1s'");
});

test('a quantity that is no text is refused, also where it would read like one', () => {
  expect(() => toMs(5 as never)).toThrow(/got 5$/);
  expect(() => toMs(['5s'] as never)).toThrow('got a list');
  expect(() => toShare(undefined as never)).toThrow('got nothing');
  expect(() => toRatePerSecond(['5/s'] as never)).toThrow('got a list');
});

test('a percentage is a share', () => {
  expect(toShare('12.5%')).toBe(0.125);
  expect(() => toShare('101%')).toThrow("got '101%'");
});

test('an absolute rate needs no capacity, a multiple does', () => {
  expect(toRatePerSecond('120/s')).toBe(120);
  expect(toRatePerSecond('0.4x', 250)).toBe(100);
  expect(() => toRatePerSecond('0.4x')).toThrow('no capacity is known');
  expect(() => toRatePerSecond('fast' as '1x')).toThrow("got 'fast'");
});
