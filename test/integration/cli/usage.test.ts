import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { root, startCli } from '../../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'stampede-scenarios-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function answerTo(...args: string[]): Promise<{ code: unknown; output: string }> {
  const cli = startCli(args);
  const code = await cli.exited;
  expect(cli.remains()).toEqual({ processes: [], files: [] });
  cli.clean();
  return { code, output: cli.output().trim() };
}

function recordFile(text: string): string {
  const made = mkdtempSync(join(folder, 'record-'));
  writeFileSync(join(made, 'record.json'), text);
  return made;
}

/** A scenario file that is right but for one thing. */
function scenarioFile(name: string, { expectation = '', fault = '', lasts = '4s', head = '' }): string {
  const file = join(folder, `${name}.ts`);
  const words = join(root, 'harness/index.ts');
  writeFileSync(
    file,
    `import { breaker, latency, phase, scenario, slow, steady } from '${words}';
     ${head}
     export default scenario('wrong', { story: 'Something is wrong.', mall: {}, shoppers: { browse: 1, view: 0, checkout: 1 }, timeline: [
       phase('only', { lasts: '${lasts}', load: steady('50/s'), faults: [${fault}], expect: [${expectation || "latency('browse').p50.below('1s')"}] }),
     ] });`,
  );
  return file;
}

test('run without a name lists the scenarios with a sentence each', async () => {
  const { code, output } = await answerTo('run');
  expect(code).toBe(0);
  expect(output).toMatch(/flash-sale\s+More shoppers than the mall can serve/);
});

test('plan prints the story and starts nothing', async () => {
  const { code, output } = await answerTo('plan', 'flash-sale');
  expect(code).toBe(0);
  expect(output).toContain('- the breaker on orders->payment opens within');
});

test('help names every command and exit code', async () => {
  const { code, output } = await answerTo('help');
  expect(code).toBe(0);
  expect(output).toContain('130 interrupted');
});

test.each<[string, () => string[], string]>([
  [
    'an unknown scenario',
    () => ['run', 'flash-sail'],
    "There is no scenario 'flash-sail'; there are: capacity, flash-sale, outages, truth",
  ],
  ['a scenario file that is not there', () => ['run', 'nowhere.ts'], "There is no scenario file 'nowhere.ts'"],
  ['an unknown command', () => ['launch'], "There is no command 'launch'; there are run, plan, report and toxiproxy"],
  ['an unknown flag', () => ['run', 'flash-sale', '--fast'], "Unknown option '--fast'; see npm run scenario -- --help"],
  [
    'a field that cannot be tuned',
    () => ['run', 'flash-sale', '--tune', 'mall.breaker.luck=1'],
    "Expected 'mall.breaker' to have known fields only",
  ],
  [
    'a value out of range',
    () => ['run', 'flash-sale', '--tune', 'gateway.shedding.cpuThresholdMilli=1200'],
    "Expected 'gateway.shedding.cpuThresholdMilli' to be a whole number from 0 to 999, got 1200",
  ],
  ['a tuning without a value', () => ['run', 'flash-sale', '--tune', 'mall.breaker'], "got 'mall.breaker'"],
  [
    'a mechanism that is none',
    () => ['run', 'flash-sale', '--without', 'brakes'],
    "Expected --without to be one of breaker, shedding, p2c, deadlines, retries, limits, cache, got 'brakes'",
  ],
  ['a seed that is no number', () => ['run', 'flash-sale', '--seed', 'x'], "Expected --seed to be a whole number from 0, got 'x'"],
  [
    'a seed below 0',
    () => ['run', 'flash-sale', '--seed', '-1'],
    "Expected the value of --seed after it, got '-1', which begins with a dash",
  ],
  ['runs in no folder', () => ['run', 'flash-sale', '--runs', ''], "Expected --runs to be a folder, got ''"],
  ['a capacity of nothing', () => ['run', 'flash-sale', '--capacity', '0'], "Expected --capacity to be a number above 0, got '0'"],
  ['two scenarios', () => ['run', 'flash-sale', 'flash-sale'], "Expected one scenario, got 'flash-sale flash-sale'"],
  [
    'runs where nothing can be written',
    () => ['run', 'flash-sale', '--runs', '/proc/runs'],
    "Cannot write a run's logs and report to '/proc/runs'",
  ],
  ['a record that is none', () => ['report', recordFile('null')], 'is a record of version undefined'],
  ['a record that is no JSON', () => ['report', recordFile('{')], 'is not a run record'],
  ['a folder without a record', () => ['report', folder], "Expected a run's folder or its record.json"],
  ['a wrong edge', () => ['run', scenarioFile('edge', { expectation: "breaker('user->payment').stays('closed')" })], "got 'user->payment'"],
  [
    'a wrong edge of a fault',
    () => ['run', scenarioFile('fault', { fault: "slow('user->payment', { by: '1s' })" })],
    "got 'user->payment'",
  ],
  [
    'a wrong unit',
    () => ['run', scenarioFile('unit', { expectation: "latency('browse').p50.below('250')" })],
    "unit.ts:4: Expected a duration such as '250ms', '30s' or '2m', got '250'",
  ],
  ['a wrong route', () => ['run', scenarioFile('route', { expectation: "latency('chekout').p50.below('1s')" })], "got 'chekout'"],
  ['a wrong duration', () => ['run', scenarioFile('lasts', { lasts: '4 seconds' })], "Phase 'only': 'lasts': Expected a duration"],
  [
    'a percentile too fine for its phase',
    () => ['run', scenarioFile('fine', { expectation: "latency('browse').p99.below('1s')" })],
    'needs 1000 browse requests, the load is sure to give only 157',
  ],
  ['a file with a syntax error', () => ['run', scenarioFile('syntax', { head: 'const = 1;' })], 'syntax.ts:2: '],
  [
    'a file that ends the process',
    () => ['run', scenarioFile('exit', { head: 'process.exit(0);' })],
    'exit.ts: expected it to export a scenario, but it ends',
  ],
  [
    'a file that is never imported',
    () => ['run', scenarioFile('hang', { head: 'await new Promise(() => {});' })],
    'hang.ts: expected it to export a scenario, but its top level',
  ],
  ['a file that exports no scenario', () => ['run', join(root, 'core/units.ts')], 'expected its default export to be scenario('],
])('%s gets one sentence and exit 3', async (_name, args, sentence) => {
  const { code, output } = await answerTo(...args());
  expect(output).toContain(sentence);
  expect(code).toBe(3);
  expect(output).not.toMatch(/\n\s+at /);
});

test.each(['without', 'tune', 'seed', 'capacity'])('--%s that npm kept for itself is explained', async (option) => {
  const cli = startCli(['run', 'flash-sale'], { [`npm_config_${option}`]: 'true' });
  expect(await cli.exited).toBe(3);
  expect(cli.output().trim()).toBe(`npm took --${option} for itself; put two dashes first: npm run scenario -- flash-sale --${option} …`);
  cli.clean();
});
