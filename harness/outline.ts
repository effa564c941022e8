import { occurrencesOf } from '../chaos/occurrences.ts';
import type { Plan } from './plan.ts';

/** A phase as whoever watches a run sees it ahead: its stretch of the timeline, and those in which its faults are meant to be on. Milliseconds. */
export type OutlinedPhase = { name: string; fromMs: number; untilMs: number; faults: { fromMs: number; untilMs: number }[] };

/** The timeline as it is planned. */
export function outlineOf({ phases }: Pick<Plan, 'phases'>): OutlinedPhase[] {
  return phases.map(({ phase: { name, faults = [] }, fromMs, lastsMs }) => ({
    name,
    fromMs,
    untilMs: fromMs + lastsMs,
    faults: faults.flatMap((fault) =>
      [...occurrencesOf(fault, lastsMs)].map((occurrence) => ({
        fromMs: fromMs + occurrence.fromMs,
        untilMs: fromMs + occurrence.untilMs,
      })),
    ),
  }));
}
