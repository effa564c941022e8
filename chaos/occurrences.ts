import { toMs } from '../core/units.ts';
import type { Fault } from './faults.ts';

/** One time that a fault is on, in milliseconds since the start of its phase. */
export type Occurrence = { fault: Fault; fromMs: number; untilMs: number };

/** When a fault is on in a phase that lasts so long: once, or again and again. What would begin at the phase's end or later is left out. */
export function occurrencesOf(fault: Fault, lastsMs: number): Occurrence[] {
  const fromMs = toMs(fault.from ?? '0ms');
  // A restart is over when the process is back, and nobody knows beforehand when that is.
  const onMs = fault.kind === 'restart' ? 0 : fault.lasts === undefined ? lastsMs : toMs(fault.lasts);
  const everyMs = fault.every === undefined ? Number.POSITIVE_INFINITY : toMs(fault.every);
  const occurrences: Occurrence[] = [];
  for (let startMs = fromMs; startMs < lastsMs; startMs += everyMs) {
    occurrences.push({ fault, fromMs: startMs, untilMs: Math.min(lastsMs, startMs + onMs) });
  }
  return occurrences;
}
