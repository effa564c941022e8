import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { waitUntil } from '../../../core/time.ts';
import { readRecord } from '../../../harness/record.ts';
import { root, startCli } from '../../support/cli.ts';

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

function startRun(options: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const cli = startCli(['run', story, '--runs', runs, ...options], env);
  started.push(cli);
  return cli;
}

async function nothingRemainsOf(cli: ReturnType<typeof startCli>, withinMs: number) {
  const describe = () => `Left behind: ${JSON.stringify(cli.remains())}\n${cli.output()}`;
  await waitUntil({ timeoutMs: withinMs, describe }, () => {
    const { processes, files } = cli.remains();
    return processes.length === 0 && files.length === 0;
  });
}

test('a run ends with verdicts, a record and a report, and leaves nothing behind', async () => {
  const cli = startRun(['--seed', '7']);
  expect(await cli.exited, cli.output()).toBe(0);
  expect(cli.remains()).toEqual({ processes: [], files: [] });

  const [made = ''] = readdirSync(runs);
  const folder = join(runs, made);
  const record = await readRecord(folder);
  expect(record.outcome).toBe('met');
  expect(record.phases.map(({ name }) => name)).toEqual(['calm', 'slow']);
  expect(record.faults).toMatchObject([{ phase: 'slow', sentence: 'orders->inventory: slowed by 150ms' }]);
  expect(
    record.spans.every(({ made, received }) => made > 0 && made === received),
    JSON.stringify(record.spans),
  ).toBe(true);
  expect(record.deaths).toEqual([]);
  expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('orders-&gt;inventory: slowed by 150ms');
  expect(readdirSync(folder).sort()).toEqual(['browse.hlog', 'checkout.hlog', 'logs', 'record.json', 'report.html', 'view.hlog']);
  expect(cli.output()).toContain('All 10 expectations met');
});

// The harness gets no chance to clean up after SIGKILL: its watchdog must.
test.each([
  ['SIGINT', 'calm', 130, 0],
  ['SIGTERM', 'backing servers', 130, 0],
  ['SIGINT', 'mall', 130, 0],
  ['SIGKILL', 'calm', 'SIGKILL', 1],
  ['SIGKILL', 'mall', 'SIGKILL', 1],
] as const)('%s in the step %s takes everything down within five seconds', async (signal, step, code, folders) => {
  const cli = startRun();
  await cli.printed(step);
  cli.kill(signal);
  expect(await cli.exited, cli.output()).toBe(code);
  await nothingRemainsOf(cli, 5_000);
  expect(readdirSync(runs).length).toBe(folders);
});

test('a defect that nobody caught is told with its stack, and everything is undone all the same', async () => {
  const cli = startCli(['run', join(root, 'test/support/scenarios/throws-in-set-up.ts'), '--runs', runs]);
  started.push(cli);
  expect(await cli.exited, cli.output()).toBe(3);
  expect(cli.output()).toMatch(/nobody caught this\n\s+at /);
  await nothingRemainsOf(cli, 1_000);
});

test('whoever stops reading the output stops the run', async () => {
  const cli = startRun();
  await cli.printed('mall');
  cli.stopReading();
  expect(await cli.exited).toBe(130);
  await nothingRemainsOf(cli, 5_000);
});

test('a given server that is away is named, and what was started beside it is gone', async () => {
  const cli = startRun([], { STAMPEDE_REDIS_URL: 'redis://127.0.0.1:1' });
  expect(await cli.exited, cli.output()).toBe(3);
  expect(cli.output()).toMatch(/127\.0\.0\.1:1/);
  expect(cli.output()).not.toMatch(/\n\s+at /);
  await nothingRemainsOf(cli, 1_000);
  expect(readdirSync(runs)).toEqual([]);
});

test('a run whose percentiles the given capacity cannot bear is refused before its timeline', async () => {
  const cli = startCli(['run', 'flash-sale', '--runs', runs, '--capacity', '5']);
  started.push(cli);
  expect(await cli.exited, cli.output()).toBe(3);
  expect(cli.output()).toContain('at a capacity of 5 shoppers/s');
  await nothingRemainsOf(cli, 1_000);
  expect(readdirSync(runs)).toEqual([]);
});

test('two runs at once do not disturb each other', async () => {
  const [one, other] = [startRun(['--seed', '1']), startRun(['--seed', '2'])];
  const codes = await Promise.all([one.exited, other.exited]);
  expect(codes, one.output() + other.output()).toEqual([0, 0]);
  for (const each of [one, other]) expect(each.remains()).toEqual({ processes: [], files: [] });
});
