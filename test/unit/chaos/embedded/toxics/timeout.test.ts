import { expect, test } from 'vitest';
import { timeout } from '../../../../../chaos/embedded/toxics/timeout.ts';
import { actOf } from './stand-in.ts';

test('ends a stream after that long without a chunk', () => {
  const { read, advance, passed } = actOf(timeout, { timeout: 200 });
  advance(150);
  read(1);
  advance(199);
  expect(passed).toEqual([]);
  advance(1);
  expect(passed).toEqual(['350: end']);
});

test('0 swallows for ever', () => {
  const { read, advance, passed } = actOf(timeout, { timeout: 0 });
  read(1);
  advance(1e9);
  expect(passed).toEqual([]);
});
