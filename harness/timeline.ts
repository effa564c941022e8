import { type Fault, sentenceOf } from '../chaos/faults.ts';
import { playFaults } from '../chaos/schedule.ts';
import type { RunClock } from '../core/time.ts';
import { toRatePerSecond } from '../core/units.ts';
import type { LiveSecond } from './drivers/open.ts';
import { holds, type JudgedExpectation } from './judge.ts';
import { ratesOf } from './load.ts';
import type { Plan, PlannedPhase } from './plan.ts';
import type { Testbed } from './testbed.ts';

/** How a phase really went. Times are the run clock's milliseconds. */
export type PlayedPhase = { planned: PlannedPhase; fromMs: number; untilMs: number; fromPerSecond: number; toPerSecond: number };
export type PlayedFault = { phase: string; fault: Fault; wires: string[]; fromMs: number; untilMs: number };
/** `stoppedBy` are the verdicts of the precondition that was not met. */
export type Played = { phases: PlayedPhase[]; faults: PlayedFault[]; stoppedBy?: JudgedExpectation[] };

/** A second of the run for whoever watches: `elapsedMs` of the timeline's `lastsMs`, and the faults that are on. */
export type Moment = LiveSecond & { elapsedMs: number; lastsMs: number; faults: string[] };

/**
 * Plays one phase after the other: its load and its faults begin together, and its faults are undone when it ends, also when it ends early.
 * After a phase that is a precondition it is judged at once; when it is not met the timeline stops there.
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
  judgeNow: (phase: PlayedPhase) => Promise<JudgedExpectation[]>;
  onMoment: (moment: Moment) => void;
}): Promise<Played> {
  const played: Played = { phases: [], faults: [] };
  const active = new Set<PlayedFault>();
  let current: PlayedPhase | undefined;
  testbed.driver.onSecond((live) => {
    if (current === undefined) return;
    const elapsedMs = current.planned.fromMs + Math.min(current.planned.lastsMs, Math.max(0, clock.nowMs() - current.fromMs));
    onMoment({ ...live, elapsedMs, lastsMs: plan.lastsMs, faults: [...active].map(({ fault }) => sentenceOf(fault)) });
  });

  for (const planned of plan.phases) {
    const { name, load, faults = [], otherwise } = planned.phase;
    const { from, to } = ratesOf(load);
    const startAtMs = clock.nowMs() + leadMs;
    current = {
      planned,
      fromMs: startAtMs,
      untilMs: startAtMs + planned.lastsMs,
      fromPerSecond: toRatePerSecond(from, capacityPerSecond),
      toPerSecond: toRatePerSecond(to, capacityPerSecond),
    };
    played.phases.push(current);

    const ending = new AbortController();
    const endSignal = AbortSignal.any([signal, ending.signal]);
    const faulting = playFaults({
      faults,
      network: testbed.network,
      lastsMs: planned.lastsMs,
      signal: endSignal,
      now: () => clock.nowMs() - startAtMs,
      onChange({ fault, wires, kind, atMs }) {
        if (kind === 'applied') active.add({ phase: name, fault, wires, fromMs: startAtMs + atMs, untilMs: Number.NaN });
        else finish(active, played.faults, { fault, untilMs: startAtMs + atMs });
      },
    });
    const arrivals = testbed.driver.play({
      name,
      startAtMs,
      lastsMs: planned.lastsMs,
      fromPerSecond: current.fromPerSecond,
      toPerSecond: current.toPerSecond,
    });
    try {
      await Promise.all([arrivals, faulting]);
    } catch (cause) {
      // The load ends with its driver, which the run closes now; faults are undone here, and waited for.
      ending.abort(cause);
      await faulting.catch(() => undefined);
      throw cause;
    }

    if (otherwise === 'stop') {
      await testbed.driver.drained();
      const verdicts = await judgeNow(current);
      if (!holds(verdicts)) return { ...played, stoppedBy: verdicts };
    }
  }
  await testbed.driver.drained();
  return played;
}

/** Load and faults are told their common start a little ahead, so that both are ready for it. */
const leadMs = 50;

function finish(active: Set<PlayedFault>, done: PlayedFault[], { fault, untilMs }: { fault: Fault; untilMs: number }): void {
  for (const entry of active) {
    if (entry.fault !== fault) continue;
    active.delete(entry);
    done.push({ ...entry, untilMs });
    return;
  }
}
