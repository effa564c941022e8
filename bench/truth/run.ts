import { cpus, release } from 'node:os';
import { startCanary } from './canary.ts';
import type { Contestant, Measured } from './contestant.ts';
import { type Cost, orderOf, type Play, playUntilValid } from './play.ts';
import { type Result, rowsOf, type ScriptResult, spreadOf, type TruthTable } from './result.ts';
import { accountedFor, type Script } from './scripts.ts';
import { ping, startTruthServer } from './server-control.ts';
import { percentile } from './truth.ts';

export type TruthRun = {
  contestants: readonly Contestant[];
  scripts: readonly Script[];
  repeats: number;
  signal: AbortSignal;
  /** Tells of progress, a line at a time. */
  say: (line: string) => void;
};

/**
 * Every script `repeats` times with every contestant that is installed, in turns (ABBA), against one truth server. A contestant that fails is noted
 * and does not end the run. Throws the signal's reason when it is interrupted; the server never outlives the run, nor stays stopped.
 */
export async function runTruth({ contestants, scripts, repeats, signal, say }: TruthRun): Promise<TruthTable> {
  await using undo = new AsyncDisposableStack();
  const versions = await Promise.all(contestants.map((contestant) => contestant.version()));
  const present = contestants.filter((_, index) => versions[index] !== undefined);
  const canary = startCanary();
  undo.defer(canary.close);
  const server = await startTruthServer();
  undo.defer(server.close);
  const pingMs = await warmUp(server.url);

  const results: ScriptResult[] = [];
  for (const script of scripts) {
    const plays = new Map<Contestant, Play[]>(present.map((contestant) => [contestant, []]));
    const refusals = new Map(present.map((contestant) => [contestant, contestant.refuses?.({ url: server.url, ...script.workload })]));
    for (let repeat = 0; repeat < repeats; repeat += 1) {
      for (const contestant of orderOf(present, repeat)) {
        if (refusals.get(contestant) !== undefined) continue;
        const played = await playUntilValid(contestant, script, { server, canary, signal });
        plays.get(contestant)?.push(...played);
        say(`${script.name}, ${repeat + 1} of ${repeats}: ${contestant.name} ${played.map(wordOf).join(', ')}`);
      }
    }
    results.push({
      name: script.name,
      about: script.about,
      results: present.map((contestant) =>
        resultOf(contestant, script, { plays: plays.get(contestant) ?? [], refused: refusals.get(contestant), pingMs }),
      ),
    });
  }
  return {
    header: { machine: machine(), node: process.version, date: new Date().toISOString().slice(0, 10), repeats, pingMs },
    contestants: contestants.map(({ name }, index) => ({ name, version: versions[index] })),
    scripts: results,
  };
}

/** Also compiles the server's code: the first contestant shall not pay for all. Answers what one request costs when nobody waits, in ms. */
async function warmUp(url: string): Promise<number> {
  const tookMs = await ping(url, 5_000);
  return percentile(tookMs.slice(-2_000), 0.5) ?? Number.NaN;
}

/** What all plays of one contestant in one script come to. */
export function resultOf(
  contestant: Pick<Contestant, 'name'>,
  script: Script,
  { plays, refused, pingMs }: { plays: readonly Play[]; refused: string | undefined; pingMs: number },
): Result {
  const valid = plays.filter((play) => play.kind === 'valid');
  const figures = valid.map(({ measured, logged, stoppedMs }) =>
    script.figures({ workload: script.workload, measured, logged, stoppedMs, pingMs }),
  );
  return {
    contestant: contestant.name,
    ...(refused !== undefined && { refused }),
    valid: valid.length,
    invalid: plays.filter(({ kind }) => kind === 'invalid').length,
    failed: plays.flatMap((play) => (play.kind === 'failed' ? play.message : [])),
    rows: rowsOf(figures),
    ...costOf(valid.map(({ measured }) => measured)),
    notes: [...new Set(valid.flatMap(({ measured }) => measured.notes ?? []))],
  };
}

function costOf(all: readonly (Measured & Cost)[]): Pick<Result, 'cost'> {
  const requests = spreadOf(all.map(accountedFor));
  const cpuMs = spreadOf(all.map((one) => one.cpuMs));
  const cpuUsPerRequest = spreadOf(all.map((one) => (one.cpuMs * 1_000) / Math.max(1, accountedFor(one))));
  const rssPeakMb = spreadOf(all.map((one) => one.rssPeakBytes / 2 ** 20));
  return requests && cpuMs && cpuUsPerRequest && rssPeakMb ? { cost: { requests, cpuMs, cpuUsPerRequest, rssPeakMb } } : {};
}

function wordOf(play: Play): string {
  switch (play.kind) {
    case 'valid':
      return 'done';
    case 'invalid':
      return `invalid (the machine stood still for ${Math.round(play.pauseMs)} ms)`;
    case 'failed':
      return `failed: ${play.message}`;
    default:
      return play satisfies never;
  }
}

function machine(): string {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu?.model.trim() ?? 'CPU'}, ${process.platform} ${release()}`;
}
