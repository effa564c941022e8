import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { waitUntil } from '../../../core/time.ts';
import { readRecord } from '../../../harness/record.ts';
import { root, startCli } from '../../support/cli.ts';

const story = join(root, 'test/support/scenarios/short-story.ts');
const runs = join(root, 'runs');
const runsNow = () => new Set(existsSync(runs) ? readdirSync(runs) : []);

let cli: ReturnType<typeof startCli> | undefined;
afterEach(() => {
  cli?.clean();
  cli = undefined;
});

test('a run ends with verdicts, a record and a report, and leaves nothing behind', async () => {
  const before = runsNow();
  cli = startCli(['run', story, '--seed', '7']);
  expect(await cli.exited, cli.output()).toBe(0);
  expect(cli.remains()).toEqual({ processes: [], files: [] });

  const [made = ''] = [...runsNow()].filter((name) => !before.has(name));
  const folder = join(runs, made);
  const record = await readRecord(folder);
  expect(record.outcome).toBe('met');
  expect(record.phases.map(({ name }) => name)).toEqual(['calm', 'slow']);
  expect(record.faults).toMatchObject([{ phase: 'slow', sentence: 'orders->inventory: slowed by 150ms' }]);
  expect(
    record.spans.every(({ made, received }) => made > 0 && made === received),
    JSON.stringify(record.spans),
  ).toBe(true);
  expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('orders-&gt;inventory: slowed by 150ms');
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(['browse.hlog', 'checkout.hlog', 'logs', 'view.hlog']));
  expect(cli.output()).toContain('All 10 expectations met');
  rmSync(folder, { recursive: true });
});

// The harness gets no chance to clean up after SIGKILL: its watchdog must.
test.each([
  ['SIGINT', 130],
  ['SIGKILL', 'SIGKILL'],
] as const)('%s in mid-run takes everything down within five seconds', async (signal, code) => {
  const before = runsNow();
  cli = startCli(['run', story]);
  await cli.printed('calm');
  expect(cli.remains().processes.length).toBeGreaterThan(10);
  cli.kill(signal);
  expect(await cli.exited).toBe(code);
  const remains = () => cli?.remains();
  await waitUntil({ timeoutMs: 5_000, describe: () => `Left behind: ${JSON.stringify(remains())}` }, () => {
    const left = remains();
    return left?.processes.length === 0 && left.files.length === 0;
  });
  for (const name of runsNow()) if (!before.has(name)) rmSync(join(runs, name), { recursive: true });
});

test('two runs at once do not disturb each other', async () => {
  const before = runsNow();
  const [one, other] = [startCli(['run', story, '--seed', '1']), startCli(['run', story, '--seed', '2'])];
  const codes = await Promise.all([one.exited, other.exited]);
  expect(codes, one.output() + other.output()).toEqual([0, 0]);
  for (const each of [one, other]) {
    expect(each.remains()).toEqual({ processes: [], files: [] });
    each.clean();
  }
  for (const name of runsNow()) if (!before.has(name)) rmSync(join(runs, name), { recursive: true });
});
