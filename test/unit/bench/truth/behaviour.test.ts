import { expect, test } from 'vitest';
import { createTurns, spoilingOf } from '../../../../bench/truth/behaviour.ts';

test('a server with one hand lets everybody wait for those before, and rests when nobody is there', () => {
  const turns = createTurns({ serves: { kind: 'inTurn', serviceMs: 5 } });
  expect([0, 1_000, 2_000, 50_000].map(turns)).toEqual([5_000, 10_000, 15_000, 55_000]);
});

test('a constant delay counts from each arrival', () => {
  expect([0, 1_000].map(createTurns({ serves: { kind: 'after', delayMs: 20 } }))).toEqual([20_000, 21_000]);
});

test('every 50th request is spoilt, from the 50th on', () => {
  const spoilt = Array.from({ length: 150 }, (_, i) => i + 1).filter((number) =>
    spoilingOf({ serves: { kind: 'atOnce' }, spoils: { every: 50, by: 'reset' } }, number),
  );
  expect(spoilt).toEqual([50, 100, 150]);
});
