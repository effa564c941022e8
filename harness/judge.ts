import type { Expectation } from './expect.ts';
import type { Observations } from './observe/observations.ts';
import type { PlannedPhase } from './plan.ts';
import type { Outcome, RunRecord } from './record.ts';

export type JudgedExpectation = RunRecord['verdicts'][number];

/** Every expectation of a phase, or of the run as a whole (`phase` null), against what was seen. */
export function judge({
  phase,
  expectations,
  seen,
}: {
  phase: string | null;
  expectations: readonly Expectation[];
  seen: Observations;
}): JudgedExpectation[] {
  return expectations.map(({ sentence, judge }) => ({ phase, sentence, ...judge(seen) }));
}

/** A phase with `otherwise: 'stop'` is a precondition; it holds when all it expects is met. */
export const holds = (verdicts: readonly JudgedExpectation[]) => verdicts.every(({ outcome }) => outcome === 'met');

/**
 * The outcome of the run: one missed expectation makes it missed, else one unknown makes it unknown. A run that stopped at a
 * precondition proved nothing about what was to come, so it is unknown whatever its verdicts say.
 */
export function conclude({ verdicts, stoppedAt }: { verdicts: readonly JudgedExpectation[]; stoppedAt?: PlannedPhase | undefined }): {
  outcome: Outcome;
  why: string;
} {
  const counts = { met: 0, missed: 0, unknown: 0 };
  for (const { outcome } of verdicts) counts[outcome]++;
  const first = (outcome: Outcome) => verdicts.find((verdict) => verdict.outcome === outcome);
  if (stoppedAt !== undefined) {
    const failed = verdicts.find(({ phase, outcome }) => phase === stoppedAt.phase.name && outcome !== 'met');
    return {
      outcome: 'unknown',
      why: `The run stopped after '${stoppedAt.phase.name}', its precondition: ${failed?.sentence} - ${failed?.observed}`,
    };
  }
  const missed = first('missed');
  if (missed !== undefined) {
    return {
      outcome: 'missed',
      why: `${counts.missed} of ${verdicts.length} expectations missed, first: ${missed.sentence} - ${missed.observed}`,
    };
  }
  const unknown = first('unknown');
  if (unknown !== undefined) {
    return {
      outcome: 'unknown',
      why: `${counts.unknown} of ${verdicts.length} expectations could not be judged, first: ${unknown.sentence} - ${unknown.observed}`,
    };
  }
  return { outcome: 'met', why: `All ${verdicts.length} expectations met` };
}
