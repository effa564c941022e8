import { basename, join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { readRecord } from '../../harness/record.ts';
import { root, startCli } from './cli.ts';

/** Runs one of our scenarios as a user would, and answers with its record; nothing may be left of it. */
export async function wholeRun(scenario: string, ...options: string[]) {
  const cli = startCli(['run', scenario, ...options]);
  onTestFinished(() => cli.clean());
  const code = await cli.exited;
  expect(cli.remains()).toEqual({ processes: [], files: [] });
  const [, run = ''] = /runs\/(\S+)\/report\.html/.exec(cli.output()) ?? [];
  return { code, record: await readRecord(join(root, 'runs', basename(run))), output: cli.output() };
}
