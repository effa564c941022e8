import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HistogramLogReader } from 'hdr-histogram-js';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type RunRecord, readRecord } from '../../../harness/record.ts';
import { root, startCli } from '../../support/cli.ts';
import { type FixtureServer, startServer } from '../../support/servers/start.ts';
import { unlessSpoilt } from '../../support/verdicts.ts';

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
  expectFirstBytesWithinService(record);

  expect(readdirSync(made).toSorted()).toEqual(['buy.hlog', 'list.hlog', 'record.json', 'report.html']);
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
  expect(record.requests.map(({ route, firstReason }) => [route, firstReason]).toSorted()).toEqual([
    ['amend', expect.stringMatching(/^UNIMPLEMENTED: /)],
    ['place', undefined],
  ]);
  expect(record.target).toEqual({ address: `grpc://${orders.address}`, proto: ['../servers/shop.proto'] });
  expectFirstBytesWithinService(record);
});

test('an expectation that is missed exits with 1', async () => {
  const { code, output, record } = await runOf(story('misses', { visit: "await step('list', get('/nowhere'));" }));
  expect(code, output).toBe(1);
  expect(record.verdicts).toMatchObject([{ outcome: 'missed', observed: '100.0% of 60 (60 failed, first: status 401)' }]);
});

test('visitors wait as long as their scenario says, in as many threads', async () => {
  await using silent = await startServer('never-answers');
  const file = story('impatient', {
    expectations: "latency('list').p50.below('5s'), errors('list').below('1%')",
    rest: "visitors: { timeout: '300ms', threads: 2 }",
  });
  const { code, output, record, made } = await runOf(file, `http://${silent.address}`);
  expect(code, output).toBe(1);
  expect(record.generator).toMatchObject({ threads: 2, timeoutMs: 300, sent: 60, dropped: 0 });
  expect(record.requests).toMatchObject([{ route: 'list', outcome: 'timeout', count: 60 }]);
  expect(record.requests[0]?.firstByteMs).toBeUndefined();
  expect(record.verdicts).toMatchObject([
    { outcome: 'unknown', observed: 'at least 300.0 ms over 60 requests: visitors gave up before the limit' },
    { outcome: 'missed', observed: '100.0% of 60 (60 timeout)' },
  ]);
  expect(readFileSync(join(made, 'report.html'), 'utf8')).toContain('≥ 300 ms');
});

test('no more visitors are under way than their scenario says, in all threads together', async () => {
  await using silent = await startServer('never-answers');
  // Who is under way still waits when the last one comes.
  const file = story('crowded', { rest: "visitors: { timeout: '2s', atMost: 5, threads: 2 }" });
  const { code, output, record } = await runOf(file, `http://${silent.address}`);
  expect(code, output).toBe(2);
  expect(record.generator).toMatchObject({ planned: 60, sent: 5, dropped: 55, peakInFlight: 5 });
});

test('a load that hurts its target too much ends at once, and proves nothing', async () => {
  const { code, output, record } = await runOf(
    story('hurts', {
      visit: "await step('list', get('/nowhere'));",
      lasts: '10m',
      rest: "stopConditions: [abortWhen('list', { errorsAbove: '50%', for: '1s' })]",
    }),
  );
  expect(code, output).toBe(2);
  const why = 'more than 50% of list requests fail for 1s';
  expect(output.replaceAll(/\s+/g, ' ')).toContain(why);
  expect(record).toMatchObject({ outcome: 'unknown', why: expect.stringContaining(why), verdicts: [] });
  expect(record.aborted).toEqual({ atMs: expect.any(Number), why });
  expect(record.phases.map(({ untilMs }) => untilMs)).toEqual([record.aborted?.atMs]);
  expect(record.aborted?.atMs).toBeLessThan(60_000);
  expect(record.generator.sent).toBeLessThan(60 * 60);
});

test('a journey that swallows everything, or never ends, is broken off all the same', async () => {
  await using slow = await startServer('answers-after-100ms');
  const swallows = [
    "const look = () => step('list', get('/'), { accepts: () => false });",
    'if (number % 3 === 0) for (;;) await look().catch(() => {});',
    // Nobody hears what becomes of this.
    'if (number % 3 === 1) (async () => { for (;;) await look(); })();',
    'await new Promise(() => {});',
  ];
  const file = story('swallows', {
    visit: swallows.join('\n'),
    lasts: '10m',
    rest: "stopConditions: [abortWhen('list', { errorsAbove: '50%', for: '1s' })]",
  });
  const { code, output, record } = await runOf(file, `http://${slow.address}`);
  expect(code, output).toBe(2);
  expect(record).toMatchObject({ outcome: 'unknown', why: expect.stringContaining('more than 50% of list requests fail for 1s') });
  expect(record.generator.stumbles).toEqual({ count: 0 });
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
    'a time limit that nobody has',
    () => story('patient', { rest: "visitors: { timeout: '2m' }" }),
    "Expected the 'timeout' of visitors to be a duration from 10ms to 60s, got '2m'",
  ],
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
  [
    'a journey that fails beside its steps',
    () => story('beside', { lasts: '10m', visit: "if (number === 9) (async () => { throw new Error('unheard'); })();" }),
    "The visitors of 'a story' broke the load off: unheard",
  ],
])('%s gets one sentence and exit 3', async (_, file, sentence) => {
  const { code, output } = await outcomeOf(file());
  expect(code).toBe(3);
  const lines = output.trimEnd().split('\n');
  expect(lines.at(-1)).toContain(sentence);
  expect(output).not.toMatch(/\n\s+at |node:internal/);
});

test.each([
  ['--tune', 'mall.breaker.judges=cause'],
  ['--without', 'breaker'],
  ['--capacity', '300'],
])('%s is of the mall', async (flag, value) => {
  const { code, output } = await outcomeOf(story('tuned', {}), [flag, value]);
  expect([code, output.trim()]).toEqual([3, '--tune, --without and --capacity are of the mall; this scenario has a target of its own']);
});

test('Ctrl-C ends visits that would have lasted for minutes, and leaves nothing behind', async () => {
  const cli = start(join(root, 'test/support/scenarios/thinks-for-minutes.ts'));
  await cli.printed('sent');
  cli.kill('SIGINT');
  expect(await cli.exited, cli.output()).toBe(130);
  expect(cli.remains()).toEqual({ processes: [], files: [] });
});

function expectFirstBytesWithinService({ requests }: RunRecord) {
  for (const { firstByteMs, serviceMs } of requests) {
    expect(firstByteMs?.max).toBeGreaterThan(0);
    for (const name of ['p50', 'p99', 'max'] as const) expect(firstByteMs?.[name]).toBeLessThanOrEqual(serviceMs?.[name] ?? 0);
  }
}

/** A scenario file that is right but for what a test says. */
function story(
  name: string,
  {
    head = '',
    target = "{ http: process.env.SHOP ?? '' }",
    visit = "await step('list', get('/products'));",
    lasts = '1s',
    expectations = "errors('list').below('1%')",
    rest = '',
  }: { head?: string; target?: string; visit?: string; lasts?: string; expectations?: string; rest?: string },
): string {
  const file = join(folder, `${name}.ts`);
  writeFileSync(
    file,
    `import { isMainThread } from 'node:worker_threads';
     import { get, phase, scenario, steady, uniformly, vocabulary } from '${join(root, 'harness/index.ts')}';
     ${head}
     const { journey, latency, errors, abortWhen } = vocabulary('list');
     export default scenario('a story', { story: 'Something is odd.', target: ${target},
       journey: journey(async ({ step, number }) => { ${visit} }),
       timeline: [phase('calm', { lasts: '${lasts}', load: uniformly(steady('60/s')), expect: [${expectations}] })],
       ${rest} });`,
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
const runOf = (file: string, target?: string) =>
  unlessSpoilt(async () => {
    const { code, output } = await outcomeOf(file, [], target);
    const [, name] = /([^/\s]+)\/report\.html/.exec(output) ?? [];
    if (name === undefined) throw new Error(`Expected a report, got:\n${output}`);
    const made = join(runs, name);
    return { code, output, made, record: await readRecord(made) };
  });
