import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { seededRandom } from '../core/random.ts';
import { monotonic } from '../core/time.ts';
import { automatic, smoothing } from '../system/governance/cpu.ts';
import { type CpuSourceName, cpuSources } from '../system/governance/cpu-sources.ts';
import { createQuota } from './cpu-quota.ts';
import type { TargetAnswer, TargetOrder } from './cpu-target.ts';
import type { Bench, Figure } from './figure.ts';

/**
 * Which CPU reading tells a process that cannot serve what it is offered from one that can? In several situations each source is read inside a
 * real HTTP server while it is offered a steady load from here, and is held against what became of the requests. A verdict is wrong where a
 * source reads 900 or more and the process keeps up, or less and it does not.
 */
export const bench: Bench = {
  about: 'CPU readings (‰) of HTTP servers on this machine, and whether they tell who can serve what is offered',
  async measure(say) {
    const seen: Seen[] = [];
    for (const situation of situations) {
      const one = await observe(situation);
      say(one === undefined ? `${situation.name}: not measured, as control groups cannot be made here` : told(one));
      if (one !== undefined) seen.push(one);
    }
    return [...seen.flatMap(figuresOf), ...sourceNames.map((source) => wrongVerdicts(source, seen))];
  },
};

/** `demand` is what the load would use of one CPU, `targets` how many such servers there are, `neighbours` how many processes want a CPU each. */
type Situation = { name: string; demand: number; targets?: number; neighbours?: number; quotaCpus?: number };

const situations: readonly Situation[] = [
  { name: 'alone at 40 %', demand: 0.4 },
  { name: 'alone at 70 %', demand: 0.7 },
  { name: 'alone at 130 %', demand: 1.3 },
  { name: 'at 20 % among 4 busy neighbours', demand: 0.2, neighbours: 4 },
  { name: 'at 40 % among 4 busy neighbours', demand: 0.4, neighbours: 4 },
  { name: 'at 80 % among 4 busy neighbours', demand: 0.8, neighbours: 4 },
  { name: 'one of six at 25 %', demand: 0.25, targets: 6 },
  { name: 'at 30 % with a quota of half a CPU', demand: 0.3, quotaCpus: 0.5 },
  { name: 'at 80 % with a quota of half a CPU', demand: 0.8, quotaCpus: 0.5 },
];

const sourceNames = Object.keys(cpuSources) as CpuSourceName[];
const cpuMsPerRequest = 5;
const warmUpMs = 1_500;
const measuredMs = 6_000;
/** Of what came while it was measured. Chance alone makes a queue of a few requests longer or shorter. */
const leastServedShare = 0.95;
/** A queue may be so long that hardly anybody is served in time, and yet grow so slowly that chance hides it. */
const longestMsP95 = 500;
const overloadedFromMilli = 900;

/** Readings are absent where a source cannot be read on this machine. */
type Seen = { situation: Situation; served: number; latencyMsP95: number; readings: Partial<Record<CpuSourceName, number>> };

async function observe(situation: Situation): Promise<Seen | undefined> {
  await using undo = new AsyncDisposableStack();
  const quota = situation.quotaCpus === undefined ? undefined : createQuota(situation.quotaCpus);
  if (situation.quotaCpus !== undefined && quota === undefined) return undefined;
  if (quota !== undefined) undo.use(quota);

  const targets = await Promise.all(
    Array.from({ length: situation.targets ?? 1 }, async () => {
      const child = start('./cpu-target.ts', [String(cpuMsPerRequest)], undo);
      await once(child, 'spawn');
      if (child.pid !== undefined) quota?.add(child.pid);
      const began = await ask(child, 'begin');
      if (!('port' in began)) throw new Error('Expected the server to tell its port');
      return { child, load: offer({ port: began.port, demand: situation.demand }, undo) };
    }),
  );
  for (let count = situation.neighbours ?? 0; count > 0; count -= 1) start('./cpu-neighbour.ts', [], undo);

  await sleep(warmUpMs);
  for (const { child, load } of targets) {
    load.forget();
    child.send('forget' satisfies TargetOrder);
  }
  await sleep(measuredMs);
  // The first stands for all, as they are alike.
  const [first] = targets;
  if (first === undefined) throw new RangeError('Expected a situation to have a server');
  const { served, latencyMsP95 } = first.load.seen();
  const report = await ask(first.child, 'report');
  if (!('samples' in report)) throw new Error('Expected the server to report its samples');
  const readings = Object.fromEntries(Object.entries(report.samples).map(([source, samples]) => [source, settled(samples)]));
  return { situation, served, latencyMsP95, readings };
}

/** What a meter would show if this went on: it needs longer to get there than we want to wait. */
function settled(samples: readonly number[]): number {
  const smooth = smoothing(0.95);
  let milli = 0;
  for (let round = 0; round < 10; round += 1) for (const sample of samples) milli = smooth(milli, sample);
  return milli;
}

/** An open load, at random moments: it does not wait for answers, and latency counts from the moment a request was meant to be sent. */
function offer({ port, demand }: { port: number; demand: number }, undo: AsyncDisposableStack) {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 64 });
  const random = seededRandom(port);
  const meanGapMs = cpuMsPerRequest / demand;
  let nextMs = monotonic();
  let offered = 0;
  let latenciesMs: number[] = [];

  async function send(intendedMs: number) {
    offered += 1;
    const { body } = await pool.request({ path: '/', method: 'GET' });
    await body.dump();
    latenciesMs.push(monotonic() - intendedMs);
  }

  const timer = setInterval(() => {
    while (nextMs <= monotonic()) {
      // What is still under way at the end is broken off.
      send(nextMs).catch(() => undefined);
      nextMs += -Math.log(1 - random()) * meanGapMs;
    }
  }, 2);
  undo.defer(async () => {
    clearInterval(timer);
    await pool.destroy();
  });
  return {
    forget() {
      offered = 0;
      latenciesMs = [];
    },
    /** Answers to what was sent before count as well: a queue that stays as long as it is makes no difference. */
    seen: () => ({
      served: latenciesMs.length / offered,
      latencyMsP95: latenciesMs.toSorted((a, b) => a - b)[Math.floor(latenciesMs.length * 0.95)] ?? Number.NaN,
    }),
  };
}

function start(program: './cpu-target.ts' | './cpu-neighbour.ts', args: string[], undo: AsyncDisposableStack): ChildProcess {
  const child = fork(new URL(program, import.meta.url), args);
  undo.defer(async () => {
    const exit = once(child, 'exit');
    if (child.kill('SIGKILL')) await exit;
  });
  return child;
}

function ask(child: ChildProcess, order: TargetOrder): Promise<TargetAnswer> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`Expected the server to answer '${order}', it ended with ${code}`));
    child.once('exit', onExit);
    child.once('message', (answer: TargetAnswer) => {
      child.off('exit', onExit);
      resolve(answer);
    });
    child.send(order);
  });
}

const keepsUp = ({ served, latencyMsP95 }: Seen): boolean => served >= leastServedShare && latencyMsP95 <= longestMsP95;

function told({ situation, served, latencyMsP95, readings }: Seen): string {
  const said = Object.entries(readings).map(([source, milli]) => `${source} ${milli}`);
  return `${situation.name}: ${Math.round(served * 100)} % served, p95 ${Math.round(latencyMsP95)} ms; ${said.join(', ')}`;
}

function figuresOf(one: Seen): Figure[] {
  const { name } = one.situation;
  return [
    { name: `${name}: served of what is offered`, value: one.served * 100, unit: '%' },
    { name: `${name}: latency p95`, value: one.latencyMsP95, unit: 'ms' },
    ...sourceNames.flatMap((source) => {
      const milli = one.readings[source];
      return milli === undefined ? [] : [{ name: `${name}: ${source}`, value: milli, unit: '‰' }];
    }),
  ];
}

function wrongVerdicts(source: CpuSourceName, seen: readonly Seen[]): Figure {
  const wrong = seen.filter((one) => {
    const milli = one.readings[source];
    return milli !== undefined && milli >= overloadedFromMilli === keepsUp(one);
  });
  // Only what the mall uses has to be right, but for one server that may stand on the border; the others are there to compare with.
  const goal = source === automatic[0] ? { goal: { atMost: 1 } } : {};
  return { name: `wrong verdicts of ${source}`, value: wrong.length, unit: `of ${seen.length}`, ...goal };
}
