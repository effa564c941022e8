import { dirname, join, relative, resolve } from 'node:path';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { withoutControls } from './core/controls.ts';
import { messageOf, UsageError } from './core/errors.ts';
import { requireNode } from './core/runtime.ts';
import { monotonic } from './core/time.ts';
import { type Found, findScenario, isSearch, isTruthTest, listScenarios, loadScenario } from './harness/catalogue.ts';
import { outlineOf } from './harness/outline.ts';
import { describePlan, type Plan, planRun } from './harness/plan.ts';
import { type Outcome, readRecord, writeRecord } from './harness/record.ts';
import { type RunSettings, run, type Watch } from './harness/run.ts';
import { isOfMall, type Scenario } from './harness/scenario.ts';
import { type CapacitySearch, describeSearch, planSearch, type SearchPlan } from './harness/search/question.ts';
import { searchFile, writeSearch } from './harness/search/record.ts';
import { runSearch } from './harness/search/run.ts';
import { checkProto, resolvedFrom } from './harness/target.ts';
import type { Moment } from './harness/timeline.ts';
import type { TruthTest } from './harness/truth-test.ts';
import { changeFrom, checkChanges } from './harness/tuning-text.ts';
import { verdictTable } from './reports/console.ts';
import { writeHtml } from './reports/html/page.ts';
import type { Live } from './reports/live.ts';
import { createTerminal, type Terminal } from './reports/terminal.ts';
import { type TrialRow, trialLine, trialTable } from './reports/trial-table.ts';
import { type Mechanism, mechanisms } from './system/tuning.ts';

const help = `npm run scenario                      lists the scenarios
npm run scenario -- <scenario> …      runs one and writes runs/<scenario>-<time>/
npm run plan -- <scenario>            checks one and prints its story; starts nothing
npm run report -- <run folder>        writes report.html anew from a run's record.json
node cli.ts toxiproxy                 runs the embedded Toxiproxy server alone; -help lists its flags

Options of npm run scenario
  --without <mechanism>  switches ${mechanisms.join(', ')} off in the whole mall; may be repeated
  --tune <field=value>   changes governance, such as mall.breaker.judges=cause; may be repeated; docs/governance.md lists the fields
  --seed <number>        the seed of arrivals, choices and trace ids; default: by the time of day
  --capacity <number>    shoppers a second to take as 1x, instead of what the probe finds
  --runs <folder>        where the folders of runs are made; default: runs/
  --repeats <number>     how often 'truth' plays each of its scripts; default: 3

A scenario is a name from scenarios/ or a path to a .ts file.
Exit codes: 0 all met · 1 something missed · 2 inconclusive · 3 invalid scenario, command line or environment · 130 interrupted`;

const runOptions = {
  without: { type: 'string', multiple: true },
  tune: { type: 'string', multiple: true },
  seed: { type: 'string' },
  capacity: { type: 'string' },
  runs: { type: 'string' },
  repeats: { type: 'string' },
} as const;
const exitCodes: Record<Outcome, number> = { met: 0, missed: 1, unknown: 2 };
const root = import.meta.dirname;

class Interruption extends Error {}

requireNode();
process.exit(await main(process.argv.slice(2)).catch(explain));

async function main([command = 'help', ...rest]: string[]): Promise<number> {
  switch (command) {
    case 'run':
      return runCommand(rest);
    case 'plan':
      return planCommand(rest);
    case 'report':
      return reportCommand(rest);
    case 'toxiproxy':
      // Loaded when asked for: nothing else here needs it in this process.
      return (await import('./chaos/embedded/command.ts')).toxiproxyCommand(rest);
    case 'help':
    case '--help':
    case '-h':
      console.log(help);
      return 0;
    default:
      throw new UsageError(`There is no command '${command}'; there are run, plan, report and toxiproxy`);
  }
}

async function runCommand(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, { ...runOptions, help: { type: 'boolean', short: 'h' } });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [name, ...more] = positionals;
  if (name === undefined) return list();
  // npm keeps options for itself unless it is told where its own end.
  const taken = Object.keys(runOptions).find((option) => process.env[`npm_config_${option}`] !== undefined);
  if (taken !== undefined)
    throw new UsageError(`npm took --${taken} for itself; put two dashes first: npm run scenario -- ${name} --${taken} …`);
  if (more.length > 0) throw new UsageError(`Expected one scenario, got '${positionals.join(' ')}'`);
  const found = await findScenario(join(root, 'scenarios'), name);
  const loaded = await loadScenario(found);
  if (isTruthTest(loaded))
    return truthRun(loaded, values.repeats === undefined ? loaded.repeats : wholeNumber('--repeats', values.repeats, 1));
  if (values.repeats !== undefined) throw new UsageError(`--repeats is of the scenario 'truth'; '${name}' is played once`);
  const asked = await planOf(loaded, found);
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : wholeNumber('--seed', values.seed);
  const capacity = values.capacity === undefined ? undefined : positiveNumber('--capacity', values.capacity);

  const without = mechanismsFrom(values.without ?? []);
  const tune = (values.tune ?? []).map(changeFrom);
  const { scenario } = 'search' in asked ? asked.plan : asked;
  if (isOfMall(scenario)) checkChanges(scenario.mall.tuning ?? {}, ...tune);
  else if (tune.length + without.length > 0 || capacity !== undefined)
    throw new UsageError('--tune, --without and --capacity are of the mall; this scenario has a target of its own');
  if (values.runs === '') throw new UsageError("Expected --runs to be a folder, got ''");
  const options = { file: found.file, runsFolder: resolve(values.runs ?? join(root, 'runs')), seed, without, tune };
  if ('search' in asked) {
    if (capacity !== undefined) throw new UsageError(`--capacity says what '${name}' is there to find out`);
    return watched((watcher) => search(asked, options, watcher));
  }
  return watched((watcher) => play(asked, { ...options, ...(capacity === undefined ? {} : { capacityPerSecond: capacity }) }, watcher));
}

type RunOptions = Omit<RunSettings, 'plan' | 'signal' | 'watch'>;
type Watcher = { terminal: Terminal; signal: AbortSignal; watch: Omit<Watch, 'moment'> };

async function play(plan: Plan, options: RunOptions, { terminal, signal, watch }: Watcher): Promise<number> {
  const phases = outlineOf(plan);
  const moment = (moment: Moment) => terminal.second(liveOf(moment, phases));
  const { record, folder } = await run({ plan, ...options, signal, watch: { ...watch, moment } });
  terminal.end();
  const { colour, width } = terminal;
  try {
    await writeRecord(folder, record);
    const report = relative(process.cwd(), await writeHtml(folder, record));
    console.log(verdictTable(record, { colour, width, report }));
    return exitCodes[record.outcome];
  } catch (cause) {
    // The verdicts are not lost with the disk.
    console.log(verdictTable(record, { colour, width }));
    throw new UsageError(`The record and the report could not be written to '${folder}': ${messageOf(cause)}`, { cause });
  }
}

/** Needs peers and minutes of quiet, but no mall: what it finds out is about the driver, and stands in the repository. */
async function truthRun({ name }: TruthTest, repeats: number): Promise<number> {
  // Loaded when asked for: no other command has peers.
  const { truthCommand } = await import('./bench/truth/command.ts');
  const file = join(root, 'bench', 'truth.md');
  return watched(async ({ signal, watch }) => {
    watch.step(name);
    const { outcome, missed } = await truthCommand({ repeats, file, signal, say: watch.note });
    console.log(
      `\n${outcome === 'met' ? 'Ours is right in every script.' : `Ours is not right in: ${missed.join(', ')}.`} ${relative(process.cwd(), file)}`,
    );
    return exitCodes[outcome];
  });
}

async function search(
  plan: SearchPlan,
  options: Omit<RunOptions, 'capacityPerSecond'>,
  { terminal, signal, watch }: Watcher,
): Promise<number> {
  const moment = (moment: Moment, phases: Live['phases']) => terminal.second(liveOf(moment, phases));
  const trial = (trial: TrialRow) => terminal.note(trialLine(trial));
  const { record, folder } = await runSearch({ plan, ...options, signal, watch: { ...watch, moment, trial } });
  terminal.end();
  const { colour, width } = terminal;
  const file = relative(process.cwd(), join(folder, searchFile));
  try {
    await writeSearch(folder, record);
    console.log(trialTable({ ...record, file }, { colour, width }));
    return exitCodes[record.outcome];
  } catch (cause) {
    console.log(trialTable(record, { colour, width }));
    throw new UsageError(`The record of the search could not be written to '${folder}': ${messageOf(cause)}`, { cause });
  }
}

/** Lets somebody watch a run and stop it: everything that was started is undone before this returns. */
async function watched(work: (watcher: Watcher) => Promise<number>): Promise<number> {
  const interrupt = new AbortController();
  const terminal = createTerminal({ stream: process.stdout, now: monotonic, isCi: process.env.CI !== undefined });
  // However the process ends: whoever comes after us wants to see the cursor.
  process.on('exit', terminal.end);
  stopOnSignal(interrupt, terminal.end);
  stopOnDefect(interrupt);
  let isClean = true;
  const trouble = (line: string) => {
    isClean = false;
    terminal.note(line);
  };
  try {
    return await work({ terminal, signal: interrupt.signal, watch: { step: terminal.step, note: terminal.note, trouble } });
  } catch (thrown) {
    terminal.end();
    if (!(interrupt.signal.reason instanceof Interruption)) throw thrown;
    console.error(isClean ? 'Interrupted: whatever was changed is undone, and whatever was started is stopped.' : 'Interrupted.');
    return 130;
  }
}

async function planCommand(args: string[]): Promise<number> {
  const { positionals } = parse(args, {});
  const [name, ...more] = positionals;
  if (name === undefined || more.length > 0) throw new UsageError('Expected one scenario: npm run plan -- <scenario>');
  const found = await findScenario(join(root, 'scenarios'), name);
  const loaded = await loadScenario(found);
  if (isTruthTest(loaded))
    throw new UsageError(`'${name}' has no plan: it is a benchmark of load generators, and its scripts are in bench/truth/scripts.ts`);
  const planned = await planOf(loaded, found);
  console.log('search' in planned ? describeSearch(planned) : describePlan(planned));
  return 0;
}

/** Reads what the scenario's folder has for it, so that nothing is begun with a file missing. */
async function planOf(loaded: Scenario | CapacitySearch, { file }: Found): Promise<Plan | SearchPlan> {
  const planned = isSearch(loaded) ? planSearch(loaded) : planRun(loaded);
  const { scenario } = 'search' in planned ? planned.plan : planned;
  if (!isOfMall(scenario)) await checkProto(resolvedFrom(dirname(file), scenario.target));
  return planned;
}

async function reportCommand(args: string[]): Promise<number> {
  const { positionals } = parse(args, {});
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw new UsageError('Expected one folder of a run: npm run report -- runs/<scenario>-<time>');
  const record = await readRecord(path);
  const folder = path.endsWith('.json') ? dirname(path) : path;
  const file = await writeHtml(folder, record).catch((cause) => {
    throw new UsageError(`The report could not be written to '${folder}': ${messageOf(cause)}`, { cause });
  });
  console.log(file);
  return 0;
}

async function list(): Promise<number> {
  console.log('Scenarios (npm run scenario <name>):\n');
  for (const found of await listScenarios(join(root, 'scenarios'))) {
    const { story } = await loadScenario(found);
    // Whether it has one only its plan checks.
    console.log(`  ${found.name.padEnd(16)} ${withoutControls(String(story ?? ''))}`);
  }
  return 0;
}

function liveOf(moment: Moment, phases: Live['phases']): Live {
  const { phase, elapsedMs, lastsMs, planned, sent, outcomes, inFlight, latencyMs, lagMsMax, silentMs, faults } = moment;
  return {
    phases,
    phase,
    elapsedMs,
    totalMs: lastsMs,
    plannedPerSecond: planned,
    sentPerSecond: sent,
    inFlight,
    lagMsMax,
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(silentMs === undefined ? {} : { silentMs }),
    outcomes,
    faults,
  };
}

/** The first Ctrl-C undoes and stops in order; the second leaves at once, and the watchdog does the rest. */
function stopOnSignal(interrupt: AbortController, clearScreen: () => void): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (interrupt.signal.aborted) process.exit(130);
      clearScreen();
      console.error('\nStopping … (again to leave at once)');
      interrupt.abort(new Interruption(`interrupted by ${name}`));
    });
  }
  // Whoever read our output is gone, as in `… | head`.
  process.stdout.on('error', (cause) => interrupt.abort(new Interruption('nobody reads the output', { cause })));
}

/** What nobody caught is a defect of ours: it is told with its stack, and everything is undone all the same. */
function stopOnDefect(interrupt: AbortController): void {
  process.on('uncaughtException', (defect) => {
    if (interrupt.signal.aborted) console.error(defect);
    else interrupt.abort(defect);
  });
}

function parse<O extends ParseArgsOptionsConfig>(args: string[], options: O) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (cause) {
    const sentence = messageOf(cause);
    const [, flag] = /^Option '(?:-\w, )?(--[\w-]+)' argument is ambiguous/.exec(sentence) ?? [];
    if (flag !== undefined)
      throw new UsageError(`Expected the value of ${flag} after it, got '${args[args.indexOf(flag) + 1]}', which begins with a dash`, {
        cause,
      });
    throw new UsageError(`${sentence.split(/\.\s/)[0]}; see npm run scenario -- --help`, { cause });
  }
}

function mechanismsFrom(names: readonly string[]): Mechanism[] {
  return names
    .flatMap((text) => text.split(','))
    .map((name) => {
      const found = mechanisms.find((mechanism) => mechanism === name);
      if (found === undefined) throw new UsageError(`Expected --without to be one of ${mechanisms.join(', ')}, got '${name}'`);
      return found;
    });
}

function wholeNumber(flag: string, text: string, least = 0): number {
  if (!/^\d{1,15}$/.test(text) || Number(text) < least)
    throw new UsageError(`Expected ${flag} to be a whole number from ${least}, got '${text}'`);
  return Number(text);
}

function positiveNumber(flag: string, text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text) || Number(text) === 0) throw new UsageError(`Expected ${flag} to be a number above 0, got '${text}'`);
  return Number(text);
}

/** What a person can mend is said in one sentence; anything else is a defect of ours and keeps its stack. Both exit with 3. */
function explain(thrown: unknown): number {
  console.error(thrown instanceof UsageError ? thrown.message.split('\n').map(withoutControls).join('\n') : thrown);
  return 3;
}
