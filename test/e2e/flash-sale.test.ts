import { basename, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { readRecord } from '../../harness/record.ts';
import { root, startCli } from '../support/cli.ts';

let cli: ReturnType<typeof startCli> | undefined;
afterEach(() => {
  cli?.clean();
  cli = undefined;
});

/** Runs the flash sale and answers with its record; nothing may be left of it. */
async function flashSale(...options: string[]) {
  cli = startCli(['run', 'flash-sale', ...options]);
  const code = await cli.exited;
  expect(cli.remains()).toEqual({ processes: [], files: [] });
  const [, run = ''] = /runs\/(\S+)\/report\.html/.exec(cli.output()) ?? [];
  return { code, record: await readRecord(join(root, 'runs', basename(run))), output: cli.output() };
}

test('the flash sale meets every expectation', async () => {
  const { code, record, output } = await flashSale();
  expect(record.verdicts.filter(({ outcome }) => outcome !== 'met')).toEqual([]);
  expect(code, output).toBe(0);
});

// An expectation that cannot fail is a defect.
test.each([
  ['breaker', 'the breaker on orders->payment opens'],
  ['shedding', 'gateway sheds'],
  ['p2c', 'orders->inventory sends replica 2 less than'],
])('without %s the flash sale misses what it is for', async (mechanism, sentence) => {
  const { code, record, output } = await flashSale('--without', mechanism);
  expect(code, output).toBe(1);
  expect(record.verdicts.find((verdict) => verdict.sentence.startsWith(sentence))?.outcome).toBe('missed');
});
