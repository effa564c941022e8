import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { waitUntil } from '../../../core/time.ts';
import { readRecord } from '../../../harness/record.ts';
import { root, startCli } from '../../support/cli.ts';
import { expectNothingMissed } from '../../support/verdicts.ts';

const story = join(root, 'test/support/scenarios/short-story.ts');

const started: ReturnType<typeof startCli>[] = [];
let runs: string;
beforeEach(() => {
  runs = mkdtempSync(join(tmpdir(), 'stampede-runs-'));
});
afterEach(() => {
  for (const cli of started.splice(0)) cli.clean();
  rmSync(runs, { recursive: true, force: true });
});

function startRun(options: readonly string[] = [], env: NodeJS.ProcessEnv = {}, folder = runs) {
  const cli = startCli(['run', story, '--runs', folder, ...options], env);
  started.push(cli);
  return cli;
}

async function nothingRemainsOf(cli: ReturnType<typeof startCli>) {
  const describe = () => `Left behind: ${JSON.stringify(cli.remains())}\n${cli.output()}`;
  await waitUntil({ timeoutMs: 5_000, describe }, () => {
    const { processes, files } = cli.remains();
    return processes.length === 0 && files.length === 0;
  });
}

test('two runs at once do not disturb each other: each ends with verdicts, a record and a report, and leaves nothing behind', async () => {
  const folders = ['one', 'other'].map((name) => join(runs, name));
  const clis = folders.map((folder, index) => startRun(['--seed', `${index + 1}`], {}, folder));
  const codes = await Promise.all(clis.map(({ exited }) => exited));
  for (const [index, cli] of clis.entries()) {
    expect(cli.remains()).toEqual({ processes: [], files: [] });
    const [made = ''] = readdirSync(folders[index] ?? '');
    const folder = join(folders[index] ?? '', made);
    const record = await readRecord(folder);
    expectNothingMissed({ code: codes[index], record, output: cli.output() });
    expect(record.verdicts).toHaveLength(10);
    expect(record.run.seed).toBe(index + 1);
    expect(record.phases.map(({ name }) => name)).toEqual(['calm', 'slow']);
    expect(record.faults).toMatchObject([{ phase: 'slow', sentence: 'orders->inventory: slowed by 250ms' }]);
    expect(
      record.spans.every(({ made, received }) => made > 0 && made === received),
      JSON.stringify(record.spans),
    ).toBe(true);
    expect(record.deaths).toEqual([]);
    expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('orders-&gt;inventory: slowed by 250ms');
    expect(readdirSync(folder).sort()).toEqual(['browse.hlog', 'checkout.hlog', 'logs', 'record.json', 'report.html', 'view.hlog']);
  }
});

// The harness gets no chance to clean up after SIGKILL: its watchdog must. Both during a timeline are in chaos.test.ts, with faults that are on.
test.each([
  ['SIGTERM', 'backing servers', 130, 0],
  ['SIGINT', 'mall', 130, 0],
  ['SIGKILL', 'mall', 'SIGKILL', 1],
] as const)('%s in the step %s takes everything down within five seconds', async (signal, step, code, folders) => {
  const cli = startRun();
  await cli.printed(step);
  cli.kill(signal);
  expect(await cli.exited, cli.output()).toBe(code);
  await nothingRemainsOf(cli);
  expect(readdirSync(runs).length).toBe(folders);
});

test('a defect that nobody caught is told with its stack, and everything is undone all the same', async () => {
  const cli = startCli(['run', join(root, 'test/support/scenarios/throws-in-set-up.ts'), '--runs', runs]);
  started.push(cli);
  expect(await cli.exited, cli.output()).toBe(3);
  expect(cli.output()).toMatch(/nobody caught this\n\s+at /);
  await nothingRemainsOf(cli);
});

test('whoever stops reading the output stops the run', async () => {
  const cli = startRun();
  await cli.printed('backing servers');
  cli.stopReading();
  expect(await cli.exited).toBe(130);
  await nothingRemainsOf(cli);
});

test('a given server that is away is named with its variable, and what was started beside it is gone', async () => {
  const cli = startRun([], { STAMPEDE_REDIS_URL: 'redis://127.0.0.1:1' });
  expect(await cli.exited, cli.output()).toBe(3);
  expect(cli.output()).toMatch(/^Expected a server to answer at 127\.0\.0\.1:1 \(STAMPEDE_REDIS_URL\), got no answer$/m);
  expect(cli.output()).not.toMatch(/\n\s+at /);
  await nothingRemainsOf(cli);
  expect(readdirSync(runs)).toEqual([]);
});

test('a run whose percentiles the given capacity cannot bear is refused before anything stands up', async () => {
  const cli = startCli(['run', 'flash-sale', '--runs', runs, '--capacity', '5']);
  started.push(cli);
  expect(await cli.exited, cli.output()).toBe(3);
  expect(cli.output()).toContain('at a capacity of 5 shoppers/s');
  expect(cli.output()).not.toContain('backing servers');
  await nothingRemainsOf(cli);
  expect(readdirSync(runs)).toEqual([]);
});
