import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { readRecord } from '../../../harness/record.ts';
import { root, startCli } from '../../support/cli.ts';
import { type FixtureServer, startServer } from '../../support/servers/start.ts';
import { unlessSpoilt } from '../../support/verdicts.ts';

const folder = mkdtempSync(join(tmpdir(), 'stampede-journey-output-'));
let shop: FixtureServer;
beforeAll(async () => {
  shop = await startServer('knows-its-visitors');
});
afterAll(async () => {
  await shop[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test('what a journey and its file print is in the log of the run, and told when it begins and at the end', async () => {
  const { code, output, made, log } = await outcomeOf('prints', {
    head: "let gone = 0; if (!isMainThread) console.log('loaded');",
    visit: `${look} console.log('%d got', number, { outcome }); if (number === 7) console.error('seven'); if (++gone === 60) process.stdout.write('the end');`,
  });
  expect(code, output).toBe(0);
  expect(log?.split('\n').toSorted()).toEqual(
    ['loaded', ...Array.from({ length: 60 }, (_, number) => `${number} got { outcome: 'ok' }`), 'seven', 'the end'].toSorted(),
  );
  expect(log).toMatch(/^loaded\n/);
  expect(log).toMatch(/the end$/);
  const shown = join(relative(root, made), 'logs', 'journey.log');
  expect(linesOf(output, 'the journey')).toEqual([`the journey prints, see ${shown}`, `the journey printed 63 lines, see ${shown}`]);
  expect(output).not.toContain('got {');
});

test('a journey that prints nothing leaves no log, and nothing is said of one', async () => {
  const { code, output, made } = await outcomeOf('silent', { visit: look });
  expect(code, output).toBe(0);
  expect(readdirSync(made)).not.toContain('logs');
  expect(output).not.toContain('the journey');
});

test('of a journey that prints without end the first MiB is kept, and its visitors get all they came for', async () => {
  const { code, output, made, record } = await outcomeOf('prints-much', { visit: `${look} console.log(String(number).repeat(30_000));` });
  expect(code, output).toBe(0);
  const file = join(made, 'logs', 'journey.log');
  expect(statSync(file).size).toBe(2 ** 20 + '\n… the rest was left out\n'.length + 2);
  expect(readFileSync(file, 'utf8')).toMatch(/\n… the rest was left out\n$/);
  expect(output).toContain('the journey printed too much to keep all of it, see the beginning in ');
  expect(record?.requests).toMatchObject([{ outcome: 'ok', count: 60 }]);
});

test.each<[string, { head?: string; visit?: string }, string, string]>([
  [
    'is thrown into the open',
    { visit: "if (number === 9) { console.log('a last word'); setTimeout(() => { throw new Error('too late'); }); }" },
    'a last word\n',
    'broke the load off: too late',
  ],
  [
    'ends its thread',
    { visit: "if (number === 9) { console.log('a last word'); process.exit(0); }" },
    'a last word\n',
    'broke the load off: A thread ended with code 0',
  ],
  [
    'cannot be loaded',
    { head: "if (!isMainThread) { console.error('looking for a shop'); throw new Error('no shop'); }" },
    'looking for a shop\n',
    'could not be made ready: no shop',
  ],
])('a run that comes to nothing because the journey %s leaves what it printed before', async (_, parts, printed, sentence) => {
  const { code, output, log } = await outcomeOf('dies', { lasts: '10m', ...parts });
  expect(code, output).toBe(3);
  expect(log).toBe(printed);
  expect(linesOf(output, 'printed')).toEqual([expect.stringMatching(/^the journey printed 1 line, see .*journey\.log$/)]);
  expect(output.trimEnd().split('\n').at(-1)).toContain(sentence);
});

test('a journey that throws puts the phase of its visitors in doubt, what must hold always, and no other phase', async () => {
  const { code, output, record } = await outcomeOf('throws', {
    visit: `${look} if (number >= 60) throw new Error('no product for ' + number);`,
    more: "phase('rush', { lasts: '1s', load: uniformly(steady('90/s')), expect: [errors('list').below('1%')] }), phase('after', { lasts: '1s', load: uniformly(steady('60/s')), expect: [errors('list').below('1%')] })",
  });
  expect(code, output).toBe(2);
  const { generator, verdicts = [] } = record ?? {};
  expect(generator?.stumbles).toEqual({
    ...{ count: 30, first: 'no product for 60' },
    phases: [{ phase: 'rush', count: 30, first: 'no product for 60' }],
  });
  const threw = "the journey itself threw 30 times, first in 'rush': no product for 60";
  expect(verdicts.map(({ phase, outcome, observed }) => [phase, outcome, observed])).toEqual([
    ['calm', 'met', '0.00% of 60'],
    ['rush', 'unknown', `${threw}; 0.00% of 90`],
    ['after', 'met', '0.00% of 60'],
    [null, 'unknown', `${threw}; 0.00% of 210`],
  ]);
});

const look = "const { outcome } = await step('list', get('/products'));";

/** Runs a story of one calm phase, in a folder of its own for runs. */
function outcomeOf(
  name: string,
  { head = '', visit = '', lasts = '1s', more = '' }: { head?: string; visit?: string; lasts?: string; more?: string },
) {
  const file = join(folder, `${name}.ts`);
  writeFileSync(
    file,
    `import { isMainThread } from 'node:worker_threads';
     import { get, phase, scenario, steady, uniformly, vocabulary } from '${join(root, 'harness/index.ts')}';
     ${head}
     const { journey, errors } = vocabulary('list');
     export default scenario('a story', { story: 'Somebody wants to know.', target: { http: process.env.SHOP ?? '' },
       journey: journey(async ({ step, number }) => { ${visit} }),
       timeline: [phase('calm', { lasts: '${lasts}', load: uniformly(steady('60/s')), expect: [errors('list').below('1%')] }), ${more}],
       always: [errors('list').below('1%')] });`,
  );
  return unlessSpoilt(() => outcomeOfRun(file));
}

async function outcomeOfRun(file: string) {
  const runs = mkdtempSync(join(folder, 'runs-'));
  const cli = startCli(['run', file, '--runs', runs], { SHOP: `http://${shop.address}`, CI: '1' });
  onTestFinished(() => cli.clean());
  const code = await cli.exited;
  expect(cli.remains()).toEqual({ processes: [], files: [] });
  const [made, ...others] = readdirSync(runs).map((run) => join(runs, run));
  if (made === undefined || others.length > 0) throw new Error(`Expected one run's folder, got ${others.length}:\n${cli.output()}`);
  const journeyLog = join(made, 'logs', 'journey.log');
  const log = existsSync(journeyLog) ? readFileSync(journeyLog, 'utf8') : undefined;
  const record = existsSync(join(made, 'record.json')) ? await readRecord(made) : undefined;
  return { code, output: cli.output(), made, log, record };
}

/** Lines of the terminal that contain a text, without the time that they begin with. */
const linesOf = (output: string, text: string) =>
  output
    .split('\n')
    .filter((line) => line.includes(text))
    .map((line) => line.replace(/^\s*[\d.]+ s\s+/, ''));
