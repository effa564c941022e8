import { expect, test } from 'vitest';
import { wholeRun } from '../support/whole-run.ts';

test('the flash sale meets every expectation', async () => {
  const { code, record, output } = await wholeRun('flash-sale');
  expect(record.verdicts.filter(({ outcome }) => outcome !== 'met')).toEqual([]);
  expect(code, output).toBe(0);
});

// An expectation that cannot fail is a defect.
test.each([
  ['breaker', 'the breaker on orders->payment opens'],
  ['shedding', 'gateway sheds'],
  ['p2c', 'orders->inventory sends replica 2 less than'],
])('without %s the flash sale misses what it is for', async (mechanism, sentence) => {
  const { code, record, output } = await wholeRun('flash-sale', '--without', mechanism);
  expect(code, output).toBe(1);
  expect(record.verdicts.find((verdict) => verdict.sentence.startsWith(sentence))?.outcome).toBe('missed');
});
