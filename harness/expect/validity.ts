import type { Ground } from '../observe/observations.ts';
import { percent, round } from './verdicts.ts';

/*
 * When a run cannot be trusted. What the load generator or its machine did wrong outside of faults makes a verdict unknown, never met and never
 * missed: a generator that could not keep its plan says nothing about the target, be its figures good or bad.
 */

/** Why the load was not what the plan says; undefined when it was. */
export function loadDoubt({ intended, arrived, planned, dropped, stumbles, loopUtilization, stealShare, throttledShare, counted }: Ground) {
  if (arrived !== intended) return `${arrived} of ${intended} visitors of the plan arrived`;
  if (dropped > 0) return `the load generator left out ${dropped} of ${planned} requests`;
  if (stumbles !== undefined)
    return `the journey itself threw ${stumbles.count === 1 ? 'once' : `${stumbles.count} times`}, first in '${stumbles.phase}': ${stumbles.first}`;
  if (loopUtilization > mostUtilization) return `the load generator was busy for ${percent(loopUtilization)} of a second`;
  if (stealShare > mostTaken) return `the host took ${percent(stealShare)} of the CPU time for others`;
  if (throttledShare > mostTaken) return `the CPU quota of this machine was used up for ${percent(throttledShare)} of the time`;
  if (
    counted !== undefined &&
    (counted.byServer < counted.answered - slackOf(counted) || counted.byServer > counted.sent + slackOf(counted))
  ) {
    return `${counted.sent} requests were sent and ${counted.answered} answered, but the gateways counted ${counted.byServer}`;
  }
  return undefined;
}

/** Why times cannot be held against a limit; undefined when they can. Not when the load itself is in doubt. */
export const timingDoubt = (ground: Ground, limitMs: number) => latenessDoubt(ground, limitMs) ?? loadDoubt(ground);

/** Why times may be longer by a part of the limit that counts; undefined when they are not. */
export function latenessDoubt({ lagMsP99, hiccupMsP999 }: Ground, limitMs: number): string | undefined {
  if (lagMsP99 > Math.max(1, lagPart * limitMs)) return `the load generator itself was ${round(lagMsP99)} ms late at p99`;
  if (hiccupMsP999 > hiccupPart * limitMs) return `the machine itself paused: for ${round(hiccupMsP999)} ms at p99.9 of every millisecond`;
  return undefined;
}

/** The gateways' counters are read once a second, and what one answered last before the run may be counted just after it has begun. */
const slackOf = ({ sent }: { sent: number }) => Math.max(2, sent / 1_000);

const mostUtilization = 0.8;
const mostTaken = 0.02;
const lagPart = 0.05;
const hiccupPart = 0.1;
