import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UsageError } from '../../../core/errors.ts';
import { findScenario } from '../../../harness/catalogue.ts';

const root = join(import.meta.dirname, '../../..');
const find = (nameOrPath: string) => findScenario(join(root, 'scenarios'), nameOrPath);

test('a scenario is found by its name, or by a path to its file', async () => {
  const file = join(root, 'scenarios/flash-sale.ts');
  expect(await find('flash-sale')).toEqual({ name: 'flash-sale', file });
  expect(await find(file)).toEqual({ name: 'flash-sale', file });
});

test.each([
  ['flash-sail', "There is no scenario 'flash-sail'; there are: capacity, flash-sale, "],
  ['nowhere.ts', "There is no scenario file 'nowhere.ts'"],
  [join(root, 'package.json'), `Expected a scenario file whose name ends in .ts, got '${join(root, 'package.json')}'`],
  // A folder is no file, whatever it is called.
  [root, `There is no scenario '${root}'; there are: `],
])('%s is refused in a sentence', async (nameOrPath, sentence) => {
  await expect(find(nameOrPath)).rejects.toThrow(UsageError);
  await expect(find(nameOrPath)).rejects.toThrow(sentence);
});
