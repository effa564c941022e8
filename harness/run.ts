import { messageOf } from '../core/errors.ts';
import { type RunClock, runClock } from '../core/time.ts';
import { changesWithout, type Mechanism, type TuningChanges } from '../system/tuning.ts';
import { findCapacity } from './capacity.ts';
import type { PlayedFault } from './fault-log.ts';
import { conclude, type JudgedExpectation, judge } from './judge.ts';
import { isOpen } from './load.ts';
import { type Evidence, observationsOf } from './observe/evidence.ts';
import { checkPercentiles, type Plan } from './plan.ts';
import type { RunRecord } from './record.ts';
import { writeHlog } from './recording.ts';
import { inRunScope } from './run-scope.ts';
import { isOfMall } from './scenario.ts';
import { settle, spansArrive } from './settle.ts';
import { createSteps } from './steps.ts';
import { setUpTargetTestbed } from './target-testbed.ts';
import { tellRecord } from './tell.ts';
import { setUpTestbed, type Testbed } from './testbed.ts';
import { type Moment, type Played, type PlayedPhase, playTimeline } from './timeline.ts';
import { textsOf } from './tuning-text.ts';

export type RunSettings = {
  plan: Plan;
  /** The scenario's file; the run's folder is named after it. */
  file: string;
  runsFolder: string;
  seed: number;
  without: readonly Mechanism[];
  /** Changes of the mall's tuning for this run, after those of the scenario. */
  tune: readonly TuningChanges[];
  /** Shoppers a second to take as `1x`, instead of what the probe finds; the probe still warms the mall up. */
  capacityPerSecond?: number;
  signal: AbortSignal;
  watch: Watch;
};

/** Whoever wants to see the run while it goes on. */
export type Watch = {
  step: (title: string) => void;
  note: (line: string) => void;
  moment: (moment: Moment) => void;
  /** Something could not be undone: the watchdog will see to it when this process ends. */
  trouble: (line: string) => void;
};

/**
 * The story of one run: stand the mall up, find out what it can do, play the timeline, look at the books, judge. Everything that was
 * started is undone in reverse on the way out, whichever way that is. Throws a `UsageError` for what the user can mend, and the
 * signal's reason when interrupted.
 */
export async function run(settings: RunSettings): Promise<{ record: RunRecord; folder: string }> {
  const { plan, file, runsFolder, capacityPerSecond, signal, watch } = settings;
  // What is given is known before anything stands up; what the probe finds is checked when it has been found.
  checkPercentiles(plan, capacityPerSecond);
  const { played, folder } = await inRunScope({ file, runsFolder, signal, onTrouble: watch.trouble }, (scope) =>
    play({ settings, ...scope }),
  );
  return { record: played, folder };
}

async function play({ settings, folder, undo }: { settings: RunSettings; folder: string; undo: AsyncDisposableStack }): Promise<RunRecord> {
  const { plan, file, seed, without, tune, signal, watch } = settings;
  const { scenario } = plan;
  const tuning = isOfMall(scenario) ? [scenario.mall.tuning ?? {}, ...tune] : [];
  const clock = runClock();
  const steps = createSteps({ clock: clock.nowMs, onBegin: watch.step });
  const common = { seed, clock, signal, undo, steps };
  const testbed = isOfMall(scenario)
    ? await setUpTestbed({ plan, scenario, folder, tuning: [...tuning, ...changesWithout(without)], note: watch.note, ...common })
    : await setUpTargetTestbed({ scenario, limits: plan.limits, file, folder, note: watch.note, ...common });

  const capacity =
    plan.needsCapacity && isOfMall(scenario)
      ? await findCapacity({ testbed, shoppers: scenario.shoppers, seed, signal, steps, note: watch.note })
      : undefined;
  const capacityPerSecond = settings.capacityPerSecond ?? capacity?.shoppersPerSecond;
  checkPercentiles(plan, capacityPerSecond);

  steps.begin('timeline');
  const countsFromMs = await beginOfCounts({ plan, testbed, clock });
  const judgeNow = async (phase: PlayedPhase, faults: readonly PlayedFault[]) => {
    await spansArrive({ testbed, signal });
    return judgePhase(phase, observationsOf(await collectEvidence({ testbed, faults, countsFromMs })), faults);
  };
  const played = await playTimeline({ plan, testbed, clock, capacityPerSecond, signal, judgeNow, onMoment: watch.moment });

  steps.begin(isOfMall(scenario) ? 'books' : 'verdicts');
  await settle({ testbed, signal });
  const evidence = await collectEvidence({ testbed, faults: played.faults, countsFromMs });
  const verdicts = judgeAll(plan, played, evidence);
  const conclusion = conclude({ verdicts, stoppedBy: played.stoppedBy, abortedBy: played.aborted?.why, faults: played.faults });
  const record = tellRecord({
    plan,
    file,
    seed,
    without,
    tuned: tuning.flatMap(textsOf),
    folder,
    steps: steps.end(),
    capacity,
    capacityPerSecond,
    played,
    evidence,
    verdicts,
    conclusion,
  });
  await writeHlog(folder, evidence.recording).catch((thrown) => watch.note(`The histograms could not be written: ${messageOf(thrown)}`));
  return record;
}

/**
 * The phase that stopped the run keeps the verdicts that stopped it, and one that was aborted has none; what should hold always is not asked
 * of half a run.
 */
function judgeAll(plan: Plan, { phases, faults, stoppedBy, aborted }: Played, evidence: Evidence): JudgedExpectation[] {
  const observe = observationsOf(evidence);
  const whole = stoppedBy === undefined && aborted === undefined ? phases : phases.slice(0, -1);
  const verdicts = whole.flatMap((phase) => judgePhase(phase, observe, faults));
  if (whole.length < phases.length) return [...verdicts, ...(stoppedBy ?? [])];
  return [...verdicts, ...judge({ phase: null, expectations: plan.scenario.always ?? [], seen: observe(null) })];
}

/**
 * Between two readings a counter is taken to grow evenly, so there has to be a pair of them between which nobody came. A crowd leaves without its
 * last answers, and nobody knows how many those would have been: then what the gateways count tells nothing.
 */
async function beginOfCounts({
  plan,
  testbed: { scraper, epochMs },
  clock,
}: {
  plan: Plan;
  testbed: Testbed;
  clock: RunClock;
}): Promise<number | undefined> {
  if (!plan.phases.every(({ phase }) => isOpen(phase.load))) return undefined;
  await scraper.scrapeNow();
  const betweenMs = clock.nowMs() - epochMs;
  await scraper.scrapeNow();
  return betweenMs;
}

/** What has been collected so far, and what the database says now. A database that cannot be read says nothing. */
async function collectEvidence({
  testbed,
  faults,
  countsFromMs,
}: {
  testbed: Testbed;
  faults: readonly PlayedFault[];
  countsFromMs: number | undefined;
}): Promise<Evidence> {
  const { driver, spans, scraper, epochMs, replicas, auditor } = testbed;
  const recording = await driver.finish();
  const audit = await auditor.read(recording.checkouts.kept).catch(() => undefined);
  const deaths = testbed.deaths();
  return {
    recording,
    spans,
    samples: scraper,
    epochMs,
    ...(countsFromMs === undefined ? {} : { countsFromMs }),
    replicas,
    deaths,
    faults,
    ...(audit === undefined ? {} : { audit }),
  };
}

const judgePhase = (
  { planned: { phase } }: PlayedPhase,
  observe: ReturnType<typeof observationsOf>,
  played: readonly PlayedFault[],
): JudgedExpectation[] => {
  const faults = played.filter((fault) => fault.phase === phase.name);
  return judge({ phase: phase.name, expectations: phase.expect, seen: observe(phase.name), faults });
};
