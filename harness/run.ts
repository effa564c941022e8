import { basename } from 'node:path';
import { runClock, waitUntil } from '../core/time.ts';
import type { Mechanism } from '../system/config.ts';
import { type Capacity, probeCapacity } from './drivers/autocannon.ts';
import { conclude, holds, judge } from './judge.ts';
import { type Evidence, observationsOf, spanLedger } from './observe/evidence.ts';
import type { Plan } from './plan.ts';
import { type RunRecord, writeRecord } from './record.ts';
import { writeHlog } from './recording.ts';
import { openRunFolder } from './run-folder.ts';
import { population, type Stage, setStage } from './stage.ts';
import { createSteps, type Steps } from './steps.ts';
import { tellRecord } from './tell.ts';
import { type Moment, type Played, type PlayedPhase, playTimeline } from './timeline.ts';

export type RunSettings = {
  plan: Plan;
  /** The scenario's file; the run's folder is named after it. */
  file: string;
  runsFolder: string;
  seed: number;
  without: readonly Mechanism[];
  /** Shoppers a second to take as `1x`, instead of what the probe finds; the probe still warms the mall up. */
  capacityPerSecond?: number;
  signal: AbortSignal;
  watch: Watch;
};

/** Whoever wants to see the run while it goes on. */
export type Watch = { step: (title: string) => void; note: (line: string) => void; moment: (moment: Moment) => void };

/**
 * The story of one run: stand the mall up, find out what it can do, play the timeline, look at the books, judge. Everything that was
 * started is undone in reverse on the way out, whichever way that is. Throws a `UsageError` for what the user can mend, and the
 * signal's reason when interrupted.
 */
export async function run(settings: RunSettings): Promise<{ record: RunRecord; folder: string }> {
  const { plan, file, runsFolder, seed, without, signal, watch } = settings;
  const undo = new AsyncDisposableStack();
  try {
    const clock = runClock();
    const startedAt = new Date();
    const steps = createSteps({ clock: clock.nowMs, onBegin: watch.step });
    const folder = await openRunFolder({ runs: runsFolder, name: basename(file, '.ts'), at: startedAt });
    const stage = await setStage({ plan, folder, seed, without, clock, signal, undo, steps, note: watch.note });

    const capacity = plan.needsCapacity ? await findCapacity({ settings, stage, steps }) : undefined;
    const capacityPerSecond = settings.capacityPerSecond ?? capacity?.shoppersPerSecond;

    steps.begin('timeline');
    const isReadyFor = async (phases: Played['phases']) => {
      await spansArrive({ stage, signal });
      const observe = observationsOf(await collectEvidence({ stage }));
      return phases.slice(-1).every((phase) => holds(judgePhase(phase, observe)));
    };
    const played = await playTimeline({ plan, stage, clock, capacityPerSecond, signal, holds: isReadyFor, onMoment: watch.moment });

    steps.begin('books');
    await settle({ stage, signal });
    const evidence = await collectEvidence({ stage, audit: true });
    const observe = observationsOf(evidence);
    const always = played.stoppedAt === undefined ? (plan.scenario.always ?? []) : [];
    const verdicts = [
      ...played.phases.flatMap((phase) => judgePhase(phase, observe)),
      ...judge({ phase: null, expectations: always, seen: observe(null) }),
    ];
    const conclusion = conclude({ verdicts, stoppedAt: played.stoppedAt });
    const record = tellRecord({
      plan,
      file,
      seed,
      without,
      startedAt,
      folder,
      steps: steps.end(),
      capacity,
      played,
      evidence,
      verdicts,
      conclusion,
    });
    await writeRecord(folder, record);
    await writeHlog(folder, evidence.recording);
    return { record, folder };
  } finally {
    await undo.disposeAsync();
  }
}

/**
 * A closed crowd finds out how many shoppers a second the mall can serve. It warms the mall up first (code that has just started is a
 * third slower), and is over before the shedders' CPU reading, which follows load by about 12 s, makes them turn anybody away.
 * Then it waits for that reading to fall again.
 */
async function findCapacity({ settings, stage, steps }: { settings: RunSettings; stage: Stage; steps: Steps }): Promise<Capacity> {
  const { plan, seed, signal, watch } = settings;
  steps.begin('capacity');
  const capacity = await probeCapacity({
    gateways: stage.deployment.gateways,
    tokens: stage.driver.tokens(),
    shoppers: plan.scenario.shoppers,
    catalogue: population.catalogue,
    // Another tag than the run's: the probe's traces cost what traces cost, but are no part of the story.
    runTag: 'ffffffff',
    seed,
    signal,
    ...probe,
  });
  await within(10_000, signal, async () => {
    await stage.scraper.scrapeNow();
    const readings = stage.scraper.newest('mall_cpu_usage_milli');
    return readings.length > 0 && readings.every(({ value }) => value < restingCpuMilli);
  });
  watch.note(`capacity: ${Math.round(capacity.shoppersPerSecond)} shoppers/s (${Math.round(capacity.requestsPerSecond)} requests/s)`);
  if (capacity.warning !== undefined) watch.note(capacity.warning);
  return capacity;
}

const probe = { warmUpMs: 7_000, warmUpConnections: 6, measureMs: 4_000, connections: 32 };
/** The shedders start at 900 of 1000. The story begins when they have forgotten the probe. */
const restingCpuMilli = 700;

/** What has been collected so far; with `audit` also what the database says. */
async function collectEvidence({ stage, audit = false }: { stage: Stage; audit?: boolean }): Promise<Evidence> {
  const recording = await stage.driver.finish();
  const { spans, scraper, epochMs, deployment } = stage;
  return {
    recording,
    spans,
    samples: scraper,
    epochMs,
    replicas: deployment.replicas,
    ...(audit ? { audit: await stage.auditor.read(recording.checkouts.kept) } : {}),
  };
}

const judgePhase = ({ planned: { phase } }: PlayedPhase, observe: ReturnType<typeof observationsOf>) =>
  judge({ phase: phase.name, expectations: phase.expect, seen: observe(phase.name) });

/**
 * Waits until the books can be read: open orders settled by the mall's own sweep, and every span that was made received. Both are
 * bounded; what is still open then is for the expectations to judge.
 */
async function settle({ stage, signal }: { stage: Stage; signal: AbortSignal }): Promise<void> {
  await within(20_000, signal, async () => (await stage.auditor.unsettled()) === 0);
  await spansArrive({ stage, signal });
}

/** Until every process has handed over the spans it made. The exporters send every 200 ms, so this is soon or never. */
async function spansArrive({ stage, signal }: { stage: Stage; signal: AbortSignal }): Promise<void> {
  await within(5_000, signal, async () => {
    await stage.scraper.scrapeNow();
    const ledger = spanLedger({ samples: stage.scraper, spans: stage.spans, replicas: stage.deployment.replicas });
    return ledger.every(({ made, received }) => received >= made);
  });
}

async function within(timeoutMs: number, signal: AbortSignal, probe: () => Promise<boolean>): Promise<void> {
  await waitUntil({ timeoutMs, everyMs: 200, signal, describe: () => 'late' }, probe).catch((thrown) => {
    // Being late is a finding, not an error; being interrupted is not for us to swallow.
    signal.throwIfAborted();
    if (!(thrown instanceof Error && thrown.message === 'late')) throw thrown;
  });
}
