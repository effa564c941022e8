import { expect, test } from 'vitest';
import { described } from '../../../core/described.ts';

test.each<[unknown, string]>([
  ['5s', "'5s'"],
  ['', "''"],
  ['red\u001b[31m\nhere', "'red [31m here'"],
  [undefined, 'nothing'],
  [null, 'null'],
  [0, '0'],
  [Number.NaN, 'NaN'],
  [5n, '5'],
  [false, 'false'],
  [Symbol('x'), 'Symbol(x)'],
  [['5s'], 'a list'],
  [{ x: 1 }, 'an object'],
  [Object.create(null), 'an object'],
  [() => 0, 'a function'],
])('what came is told in a word or two: %#', (value, words) => {
  expect(described(value)).toBe(words);
});
