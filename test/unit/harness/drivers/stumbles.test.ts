import { expect, test } from 'vitest';
import { createStumbles, stumblesTogether } from '../../../../harness/drivers/stumbles.ts';

const names = ['calm', 'rush', 'after'];

test('visits that stumble are counted by their phase, each with what the first of them threw', () => {
  const stumbles = createStumbles();
  stumbles.add('no id', 1);
  stumbles.add('no name', 0);
  stumbles.add('no seat', 1);
  expect(stumbles.all()).toEqual([
    { phase: 1, count: 2, first: 'no id' },
    { phase: 0, count: 1, first: 'no name' },
  ]);
});

test('what was thrown is one line that no terminal obeys, and not longer than one reads', () => {
  const stumbles = createStumbles();
  stumbles.add(`no\n\u001b[2Jid ${'x'.repeat(400)}`, 0);
  const [{ first } = { first: '' }] = stumbles.all();
  expect(first).toMatch(/^no \[2Jid x+…$/);
  expect(first).toHaveLength(300);
});

test('those of several threads add up phase by phase, in the order of the phases', () => {
  const threads = [
    [{ phase: 2, count: 4, first: 'no id' }],
    [],
    [
      { phase: 2, count: 1, first: 'no seat' },
      { phase: 0, count: 2, first: 'no name' },
    ],
  ];
  expect(stumblesTogether(threads, names)).toEqual({
    count: 7,
    first: 'no name',
    phases: [
      { phase: 'calm', count: 2, first: 'no name' },
      { phase: 'after', count: 5, first: 'no id' },
    ],
  });
});

test('where nobody stumbled nothing but that is told', () => {
  expect(stumblesTogether([[], []], names)).toEqual({ count: 0 });
});
