import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HistogramLogReader } from 'hdr-histogram-js';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { readRecord } from '../../../harness/record.ts';
import { root, startCli } from '../../support/cli.ts';
import { type FixtureServer, startServer } from '../../support/servers/start.ts';

const folder = mkdtempSync(join(tmpdir(), 'stampede-own-target-'));
const runs = join(folder, 'runs');
let shop: FixtureServer;
beforeAll(async () => {
  shop = await startServer('knows-its-visitors');
});
afterAll(async () => {
  await shop[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test('a target of its own is visited, judged and reported, and nothing is left behind', async () => {
  const { code, output, record, made } = await runOf(join(root, 'test/support/scenarios/visits-a-shop.ts'));
  expect(code, output).toBe(0);
  expect(output).toContain('All 4 expectations met');
  expect(record).toMatchObject({ outcome: 'met', generator: { planned: 120, sent: 120, dropped: 0, stumbles: { count: 0 } } });
  expect(record.requests.map(({ route, outcome, count }) => [route, outcome, count]).toSorted()).toEqual([
    ['buy', 'ok', 60],
    ['list', 'ok', 60],
  ]);

  expect(readdirSync(made).toSorted()).toEqual(['buy.hlog', 'list.hlog', 'logs', 'record.json', 'report.html']);
  expect(readFileSync(join(made, 'report.html'), 'utf8')).toContain('visits a shop');
  for (const step of ['list', 'buy']) {
    const reader = new HistogramLogReader(readFileSync(join(made, `${step}.hlog`), 'utf8'));
    let requests = 0;
    for (let second = reader.nextIntervalHistogram(); second !== null; second = reader.nextIntervalHistogram()) {
      requests += second.totalCount;
      expect(second.tag).toBe('ok');
    }
    expect(requests).toBe(60);
  }
});

test('a gRPC target is visited too, its .proto looked up from the folder of the scenario', async () => {
  await using orders = await startServer('answers-grpc-as-asked');
  const { code, output, record } = await runOf(join(root, 'test/support/scenarios/calls-a-shop.ts'), orders.address);
  expect(code, output).toBe(0);
  expect(record.requests.map(({ route, outcome, count }) => [route, outcome, count]).toSorted()).toEqual([
    ['amend', 'failed', 60],
    ['place', 'ok', 60],
  ]);
});

test('an expectation that is missed exits with 1', async () => {
  const { code, output, record } = await runOf(story('misses', { visit: "await step('list', get('/nowhere'));" }));
  expect(code, output).toBe(1);
  expect(record.verdicts).toMatchObject([{ outcome: 'missed', observed: '100.0% of 60 (60 failed)' }]);
});

test('a journey that throws proves nothing, and what it threw first is told', async () => {
  const { code, output, record } = await runOf(
    story('throws', { visit: "await step('list', get('/products')); throw new Error('no product for ' + number);" }),
  );
  expect(code, output).toBe(2);
  expect(record.generator.stumbles).toMatchObject({ count: 60, first: 'no product for 0', phases: [{ phase: 'calm', count: 60 }] });
  expect(record.verdicts[0]?.observed).toBe("the journey itself threw 60 times, first in 'calm': no product for 0; 0.00% of 60");
});

test.each<[string, () => string, string]>([
  [
    'a target that nobody listens at',
    () => story('nobody', { target: "{ http: 'http://127.0.0.1:1' }" }),
    'Nobody listens at http://127.0.0.1:1',
  ],
  ['a target that is none', () => story('none', { target: "{ http: 'http://127.0.0.1:99999' }" }), "got 'http://127.0.0.1:99999'"],
  [
    'a .proto that is not there',
    () => story('proto', { target: "{ grpc: process.env.SHOP?.slice(7) ?? '', proto: 'gone.proto' }" }),
    `Expected ${join(folder, 'gone.proto')} to be readable as .proto`,
  ],
  [
    'a file that cannot be imported',
    () => story('lonely', { head: "import './gone.ts';" }),
    `${join(folder, 'lonely.ts')}: Cannot find module`,
  ],
  [
    'a file that can be imported but once',
    () => story('once', { head: "if (!isMainThread) throw new Error('not in here', { cause: () => {} });" }),
    "The visitors of 'a story' could not be made ready: not in here",
  ],
  [
    'a file that ends its thread',
    () => story('ends', { head: 'if (!isMainThread) process.exit(0);' }),
    "The visitors of 'a story' could not be made ready: A thread ended with code 0 before its work was done",
  ],
  [
    'a journey that ends its thread',
    () => story('exits', { lasts: '10m', visit: "if (number === 9) process.exit(0); await step('list', get('/products'));" }),
    "The visitors of 'a story' broke the load off: A thread ended with code 0 before its work was done",
  ],
  [
    'a journey that throws when nobody can catch it',
    () => story('uncaught', { lasts: '10m', visit: "if (number === 9) setTimeout(() => { throw new Error('too late'); });" }),
    "The visitors of 'a story' broke the load off: too late",
  ],
])('%s gets one sentence and exit 3', async (_, file, sentence) => {
  const { code, output } = await outcomeOf(file());
  expect(code).toBe(3);
  const lines = output.trimEnd().split('\n');
  expect(lines.at(-1)).toContain(sentence);
  expect(output).not.toMatch(/\n\s+at |node:internal/);
});

test.each(['--tune', '--without'])('%s is of the mall', async (flag) => {
  const { code, output } = await outcomeOf(story('tuned', {}), [flag, flag === '--tune' ? 'mall.breaker.judges=cause' : 'breaker']);
  expect([code, output.trim()]).toEqual([3, '--tune and --without are of the mall; this scenario has a target of its own']);
});

test('Ctrl-C ends visits that would have lasted for minutes, and leaves nothing behind', async () => {
  const cli = start(join(root, 'test/support/scenarios/thinks-for-minutes.ts'));
  await cli.printed('sent');
  cli.kill('SIGINT');
  expect(await cli.exited, cli.output()).toBe(130);
  expect(cli.remains()).toEqual({ processes: [], files: [] });
});

/** A scenario file that is right but for what a test says. */
function story(
  name: string,
  {
    head = '',
    target = "{ http: process.env.SHOP ?? '' }",
    visit = "await step('list', get('/products'));",
    lasts = '1s',
  }: { head?: string; target?: string; visit?: string; lasts?: string },
): string {
  const file = join(folder, `${name}.ts`);
  writeFileSync(
    file,
    `import { isMainThread } from 'node:worker_threads';
     import { get, phase, scenario, steady, uniformly, vocabulary } from '${join(root, 'harness/index.ts')}';
     ${head}
     const { journey, errors } = vocabulary('list');
     export default scenario('a story', { story: 'Something is odd.', target: ${target},
       journey: journey(async ({ step, number }) => { ${visit} }),
       timeline: [phase('calm', { lasts: '${lasts}', load: uniformly(steady('60/s')), expect: [errors('list').below('1%')] })] });`,
  );
  return file;
}

function start(file: string, options: readonly string[] = [], target = `http://${shop.address}`) {
  const cli = startCli(['run', file, '--runs', runs, ...options], { SHOP: target, CI: '1' });
  onTestFinished(() => cli.clean());
  return cli;
}

async function outcomeOf(file: string, options: readonly string[] = [], target?: string) {
  const cli = start(file, options, target);
  const code = await cli.exited;
  expect(cli.remains()).toEqual({ processes: [], files: [] });
  return { code, output: cli.output() };
}

/** A run that got as far as its report. */
async function runOf(file: string, target?: string) {
  const { code, output } = await outcomeOf(file, [], target);
  const [, name] = /([^/\s]+)\/report\.html/.exec(output) ?? [];
  if (name === undefined) throw new Error(`Expected a report, got:\n${output}`);
  const made = join(runs, name);
  return { code, output, made, record: await readRecord(made) };
}
