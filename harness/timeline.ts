import { sentenceOf } from '../chaos/faults.ts';
import { playFaults } from '../chaos/schedule.ts';
import type { RunClock } from '../core/time.ts';
import type { LiveSecond } from './drivers/open.ts';
import { createFaultLog, type PlayedFault } from './fault-log.ts';
import { holds, type JudgedExpectation } from './judge.ts';
import { arrivalsOf, type Crowd, isOpen, type OpenLoad, stagesOf } from './load.ts';
import { everyoneLeaves } from './patience.ts';
import type { Plan, PlannedPhase } from './plan.ts';
import type { Stage } from './schedule.ts';
import { soon } from './settle.ts';
import { watchConditions } from './stop-condition.ts';
import type { Testbed } from './testbed.ts';

/** How a phase really went. Times are the run clock's milliseconds. A crowd has no stages: nobody plans its rate. */
export type PlayedPhase = { planned: PlannedPhase; fromMs: number; untilMs: number; stages: Stage[] };
/**
 * `stoppedBy` are the verdicts of the precondition that was not met. `aborted` says why the last phase was not played to its end: a stop condition
 * came true, the proxies died, or visitors did not leave.
 */
export type Played = {
  phases: PlayedPhase[];
  faults: PlayedFault[];
  stoppedBy?: JudgedExpectation[];
  aborted?: { atMs: number; why: string };
};

/** A second of the run for whoever watches: `elapsedMs` of the timeline's `lastsMs`, and the faults that are on. */
export type Moment = LiveSecond & { elapsedMs: number; lastsMs: number; faults: string[] };

/**
 * Plays one phase after the other: its load and its faults begin together, and its faults are undone when it ends, also when it ends early. A
 * process that comes back slowly does not hold up the shoppers of the next phase.
 * After a phase that is a precondition it is judged at once; when it is not met the timeline stops there. It also stops, with all faults undone,
 * as soon as a stop condition comes true.
 */
export async function playTimeline({
  plan,
  testbed,
  clock,
  capacityPerSecond,
  signal,
  judgeNow,
  onMoment,
}: {
  plan: Plan;
  testbed: Testbed;
  clock: RunClock;
  capacityPerSecond: number | undefined;
  signal: AbortSignal;
  judgeNow: (phase: PlayedPhase, faults: readonly PlayedFault[]) => Promise<JudgedExpectation[]>;
  onMoment: (moment: Moment) => void;
}): Promise<Played> {
  const { driver, target, canaries, spans, epochMs } = testbed;
  const phases: PlayedPhase[] = [];
  const log = createFaultLog({ watch: canaries.watch });
  const nowMs = () => clock.nowMs() - epochMs;
  const metCondition = watchConditions({ conditions: plan.scenario.stopConditions ?? [], callsOn: spans.calls, nowMs });
  const abort = new AbortController();
  const ending = new AbortController();
  const faulting: Promise<void>[] = [];
  let aborted: Played['aborted'];

  driver.onSecond((live) => {
    const { load } = phases.at(-1)?.planned.phase ?? {};
    // Of a phase that a crowd plays, the driver sees nothing.
    if (load !== undefined && isOpen(load)) onSecond(live);
  });

  function onSecond(live: LiveSecond): void {
    const current = phases.at(-1);
    if (current === undefined || aborted !== undefined) return;
    const elapsedMs = current.planned.fromMs + Math.min(current.planned.lastsMs, Math.max(0, clock.nowMs() - current.fromMs));
    onMoment({ ...live, elapsedMs, lastsMs: plan.lastsMs, faults: log.active().map(sentenceOf) });
    const why = metCondition(live)?.sentence ?? endOfProxies();
    if (why !== undefined) abortNow(why);
  }

  try {
    for (const planned of plan.phases) {
      const phase = begin(planned);
      await unlessFaultsFail(playPhase(phase));
      if (aborted !== undefined) break;
      if (planned.phase.otherwise === 'stop') {
        await unlessFaultsFail(Promise.all([everyoneLeaves({ driver, breakOff: abortNow }), ...faulting]));
        if (aborted !== undefined) break;
        const verdicts = await judgeNow(phase, log.played());
        if (!holds(verdicts)) return { phases, faults: await log.settled(), stoppedBy: verdicts };
      }
    }
    await unlessFaultsFail(Promise.all([everyoneLeaves({ driver, breakOff: abortNow }), ...faulting]));
    return await conclusion();
  } catch (cause) {
    // Faults are undone here, and waited for.
    ending.abort(cause);
    await Promise.allSettled(faulting);
    if (signal.aborted || !(await soon(1_000, signal, async () => endOfProxies() !== undefined))) throw cause;
    // Without proxies no fault can be applied and no call be made: that is no defect, and what was seen until then is worth a record.
    abortNow(endOfProxies() ?? '');
    await everyoneLeaves({ driver, breakOff: abortNow });
    return conclusion();
  }

  async function conclusion(): Promise<Played> {
    const last = phases.at(-1);
    if (aborted !== undefined && last !== undefined) last.untilMs = Math.min(last.untilMs, aborted.atMs);
    return { phases, faults: await log.settled(), ...(aborted === undefined ? {} : { aborted }) };
  }

  /** Every call of the mall goes through them. */
  function endOfProxies(): string | undefined {
    const [death] = testbed.proxyDeaths();
    return death === undefined ? undefined : `${death.instance}, through which all calls go, died (${death.how})`;
  }

  function abortNow(why: string): void {
    aborted ??= { atMs: clock.nowMs(), why };
    abort.abort();
    // Should the generator be gone, whoever waits for its phase hears of it.
    driver.halt().catch(() => undefined);
  }

  function begin(planned: PlannedPhase): PlayedPhase {
    const { load } = planned.phase;
    const fromMs = clock.nowMs() + leadMs;
    const phase = {
      planned,
      fromMs,
      untilMs: fromMs + planned.lastsMs,
      stages: isOpen(load) ? stagesOf(load, planned.lastsMs, capacityPerSecond) : [],
    };
    phases.push(phase);
    return phase;
  }

  async function playPhase(playedPhase: PlayedPhase): Promise<void> {
    const { planned, fromMs } = playedPhase;
    const { name, load, faults = [] } = planned.phase;
    faulting.push(
      playFaults({
        faults,
        target,
        lastsMs: planned.lastsMs,
        signal: AbortSignal.any([signal, ending.signal, abort.signal]),
        now: () => clock.nowMs() - fromMs,
        onChange: (change) => log.note({ phase: name, change, atMs: fromMs + change.atMs }),
      }).catch((cause: unknown) => {
        if (cause !== abort.signal.reason) throw cause;
      }),
    );
    await (isOpen(load) ? playOpen(playedPhase, load) : playCrowd(playedPhase, load));
  }

  async function playOpen({ planned, fromMs, stages }: PlayedPhase, load: OpenLoad): Promise<void> {
    await driver.play({ name: planned.phase.name, startAtMs: fromMs, stages, arrivals: arrivalsOf(load) });
  }

  /** The one place where closed load is played. */
  async function playCrowd({ planned, fromMs }: PlayedPhase, { shoppers }: Crowd): Promise<void> {
    const { name } = planned.phase;
    const { lastsMs } = planned;
    const signalOfPhase = AbortSignal.any([signal, ending.signal, abort.signal]);
    // The driver keeps the timeline: for it this is a phase in which nobody arrives.
    const nobody = { stages: [{ lastsMs, fromPerSecond: 0, toPerSecond: 0 }], arrivals: 'uniform' as const };
    const playing = testbed.crowd({ name, shoppers, lastsMs, signal: signalOfPhase }, onSecond).catch((cause: unknown) => {
      if (!abort.signal.aborted) throw cause;
    });
    await Promise.all([driver.play({ name, startAtMs: fromMs, ...nobody }), playing]);
  }

  /** Faults that cannot be applied or undone end the run at once. */
  async function unlessFaultsFail(work: Promise<unknown>): Promise<void> {
    const failed = faulting.map((playing) => playing.then(() => new Promise<never>(() => {})));
    await Promise.race([work, ...failed]);
  }
}

/** Load and faults are told their common start a little ahead, so that both are ready for it. */
const leadMs = 50;
