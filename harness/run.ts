import { basename } from 'node:path';
import { runClock } from '../core/time.ts';
import type { Mechanism } from '../system/config.ts';
import { findCapacity } from './capacity.ts';
import { conclude, holds, judge } from './judge.ts';
import { type Evidence, observationsOf } from './observe/evidence.ts';
import type { Plan } from './plan.ts';
import { type RunRecord, writeRecord } from './record.ts';
import { writeHlog } from './recording.ts';
import { openRunFolder } from './run-folder.ts';
import { settle, spansArrive } from './settle.ts';
import { createSteps } from './steps.ts';
import { tellRecord } from './tell.ts';
import { setUpTestbed, type Testbed } from './testbed.ts';
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
    const testbed = await setUpTestbed({ plan, folder, seed, without, clock, signal, undo, steps, note: watch.note });

    const capacity = plan.needsCapacity
      ? await findCapacity({ testbed, shoppers: plan.scenario.shoppers, seed, signal, steps, note: watch.note })
      : undefined;
    const capacityPerSecond = settings.capacityPerSecond ?? capacity?.shoppersPerSecond;

    steps.begin('timeline');
    const isReadyFor = async (phases: Played['phases']) => {
      await spansArrive({ testbed, signal });
      const observe = observationsOf(await collectEvidence({ testbed }));
      return phases.slice(-1).every((phase) => holds(judgePhase(phase, observe)));
    };
    const played = await playTimeline({ plan, testbed, clock, capacityPerSecond, signal, holds: isReadyFor, onMoment: watch.moment });

    steps.begin('books');
    await settle({ testbed, signal });
    const evidence = await collectEvidence({ testbed, audit: true });
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

/** What has been collected so far; with `audit` also what the database says. */
async function collectEvidence({ testbed, audit = false }: { testbed: Testbed; audit?: boolean }): Promise<Evidence> {
  const recording = await testbed.driver.finish();
  const { spans, scraper, epochMs, deployment } = testbed;
  return {
    recording,
    spans,
    samples: scraper,
    epochMs,
    replicas: deployment.replicas,
    ...(audit ? { audit: await testbed.auditor.read(recording.checkouts.kept) } : {}),
  };
}

const judgePhase = ({ planned: { phase } }: PlayedPhase, observe: ReturnType<typeof observationsOf>) =>
  judge({ phase: phase.name, expectations: phase.expect, seen: observe(phase.name) });
