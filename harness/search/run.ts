import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runClock } from '../../core/time.ts';
import { changesWithout, type Mechanism, type TuningChanges } from '../../system/tuning.ts';
import type { OutlinedPhase } from '../outline.ts';
import type { Watch } from '../run.ts';
import { inRunScope } from '../run-scope.ts';
import { isOfMall } from '../scenario.ts';
import { createSteps } from '../steps.ts';
import { setUpTargetTestbed } from '../target-testbed.ts';
import { setUpTestbed, type Testbed } from '../testbed.ts';
import type { Moment } from '../timeline.ts';
import { textsOf } from '../tuning-text.ts';
import { forgetMs, warmUpMs } from './pauses.ts';
import { createPlayer, type Player } from './player.ts';
import type { SearchPlan } from './question.ts';
import { conclusionOf, rateText, type SearchRecord, type TrialRecord } from './record.ts';
import { nextStep, type SearchResult, type Step, type Trial } from './search.ts';
import { judgeTrial } from './trial.ts';

export type SearchSettings = {
  plan: SearchPlan;
  file: string;
  runsFolder: string;
  seed: number;
  without: readonly Mechanism[];
  tune: readonly TuningChanges[];
  signal: AbortSignal;
  watch: Omit<Watch, 'moment'> & {
    moment: (moment: Moment, phases: OutlinedPhase[]) => void;
    trial: (trial: TrialRecord) => void;
  };
};

/**
 * Stands the target up once, warms it up, and tries one rate after the other until the search is content; between trials the target comes to rest.
 * Undoes everything on the way out. Throws a `UsageError` for what the user can mend, and the signal's reason when interrupted.
 */
export async function runSearch(settings: SearchSettings): Promise<{ record: SearchRecord; folder: string }> {
  const { file, runsFolder, signal, watch } = settings;
  const { played, folder } = await inRunScope({ file, runsFolder, signal, onTrouble: watch.trouble }, (scope) => play(settings, scope));
  return { record: played, folder };
}

type Scope = { folder: string; undo: AsyncDisposableStack; startedAt: Date };

async function play(settings: SearchSettings, { folder, undo, startedAt }: Scope): Promise<SearchRecord> {
  const { plan, file, seed, without, tune, signal, watch } = settings;
  const { scenario } = plan.plan;
  const tuning = isOfMall(scenario) ? [scenario.mall.tuning ?? {}, ...tune] : [];
  const clock = runClock();
  const steps = createSteps({ clock: clock.nowMs, onBegin: watch.step });
  const common = { seed, clock, signal, undo, steps };
  const testbed = isOfMall(scenario)
    ? await setUpTestbed({
        plan: plan.plan,
        scenario,
        folder,
        tuning: [...tuning, ...changesWithout(without)],
        note: watch.note,
        ...common,
      })
    : await setUpTargetTestbed({ scenario, limits: plan.plan.limits, file, folder, note: watch.note, ...common });
  const player = createPlayer({ testbed, nowMs: clock.nowMs, signal, watch });

  steps.begin('warm-up');
  const hottestPerSecond = Math.min(plan.upToPerSecond, warmUpTimes * plan.fromPerSecond);
  await player.play({ name: 'warm-up', stage: { lastsMs: warmUpMs, fromPerSecond: plan.fromPerSecond, toPerSecond: hottestPerSecond } });

  steps.begin('trials');
  const { trials, result } = await tryAll({ plan, seed, testbed, player, signal, watch });
  steps.end();
  const { name, story } = plan.search;
  return {
    version: 1,
    scenario: { name, story, file },
    run: { id: basename(folder), startedAt: startedAt.toISOString(), seed, without: [...without], tuned: tuning.flatMap(textsOf) },
    asked: {
      within: plan.search.within.map(({ sentence }) => sentence),
      fromPerSecond: plan.fromPerSecond,
      upToPerSecond: plan.upToPerSecond,
      precision: plan.precision,
    },
    ...conclusionOf(result),
    result,
    trials,
  };
}

/** The warm-up ends with so many times the lowest rate. */
const warmUpTimes = 6;

async function tryAll({
  plan,
  seed,
  testbed,
  player,
  signal,
  watch,
}: {
  plan: SearchPlan;
  seed: number;
  testbed: Testbed;
  player: Player;
  signal: AbortSignal;
  watch: SearchSettings['watch'];
}): Promise<{ trials: TrialRecord[]; result: SearchResult }> {
  const trials: TrialRecord[] = [];
  for (;;) {
    const [death] = testbed.deaths();
    const end = player.brokenOff() ?? (death === undefined ? undefined : `${death.instance} died (${death.how})`);
    const step: Step = end === undefined ? nextStep(plan, trials.map(asTrial)) : { kind: 'done', result: { kind: 'undecided', why: end } };
    if (step.kind === 'done') return { trials, result: step.result };
    const number = trials.length + 1;
    const { ratePerSecond, why } = step;
    const name = `trial ${number}: ${rateText(ratePerSecond)}`;
    const lastsMs = plan.trialMs(ratePerSecond);
    const fromMs = await player.play({ name, stage: { lastsMs, fromPerSecond: ratePerSecond, toPerSecond: ratePerSecond } });
    // What visitors met who were broken off says nothing of a rate.
    if (player.brokenOff() !== undefined) continue;
    const seen = await player.seen(name);
    const judged = judgeTrial({ name, seen, within: plan.search.within, seed: seed + number });
    const trial: TrialRecord = { number, ratePerSecond, why, fromMs, lastedMs: lastsMs, ...judged };
    trials.push(trial);
    watch.trial(trial);
    // Breakers that have opened must forget why: what the next rate is judged by is its own.
    if (trial.outcome !== 'met') await sleep(forgetMs, undefined, { signal });
  }
}

const asTrial = ({ ratePerSecond, outcome }: TrialRecord): Trial => ({ ratePerSecond, outcome });
