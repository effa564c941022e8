import { doubtAbout } from './doubt.ts';
import type { Expectation } from './expect/expectation.ts';
import { loadDoubt } from './expect/validity.ts';
import type { PlayedFault } from './fault-log.ts';
import type { Observations } from './observe/observations.ts';
import type { Outcome, RunRecord } from './record.ts';

export type JudgedExpectation = RunRecord['verdicts'][number];

/**
 * Every expectation of a phase, or of the run as a whole (`phase` null), against what was seen. One that rests on a fault which was not felt
 * where it should have been is unknown, whatever was seen: the mall was not tried. So is one that rests on a load which was not what the plan says.
 */
export function judge({
  phase,
  expectations,
  seen,
  faults = [],
}: {
  phase: string | null;
  expectations: readonly Expectation[];
  seen: Observations;
  /** Those of the phase, or all. */
  faults?: readonly PlayedFault[];
}): JudgedExpectation[] {
  return expectations.map((expectation) => {
    const { sentence } = expectation;
    const verdict = expectation.judge(seen);
    const doubt = doubtAbout(expectation, faults) ?? (expectation.restsOnLoad ? loadDoubt(seen.ground()) : undefined);
    return { phase, sentence, ...(doubt === undefined ? verdict : { outcome: 'unknown', observed: `${doubt}; ${verdict.observed}` }) };
  });
}

/** A phase with `otherwise: 'stop'` is a precondition; it holds when all it expects is met. */
export const holds = (verdicts: readonly JudgedExpectation[]) => verdicts.every(({ outcome }) => outcome === 'met');

/**
 * The outcome of the run: one missed expectation makes it missed, else one unknown makes it unknown. A run that stopped at a
 * precondition proved nothing about what was to come, so it is unknown whatever its verdicts say; so is one that
 * was aborted, and one that expected nothing.
 */
export function conclude({
  verdicts,
  stoppedBy,
  abortedBy,
  faults = [],
}: {
  verdicts: readonly JudgedExpectation[];
  stoppedBy?: readonly JudgedExpectation[] | undefined;
  /** Why it was not played to its end. */
  abortedBy?: string | undefined;
  /** Those that were played until then. */
  faults?: readonly PlayedFault[];
}): {
  outcome: Outcome;
  why: string;
} {
  const of = (outcome: Outcome) => verdicts.filter((verdict) => verdict.outcome === outcome);
  const count = verdicts.length;
  if (abortedBy !== undefined) {
    return { outcome: 'unknown', why: `The run was aborted${faults.length === 0 ? '' : ' and all faults undone'}: ${abortedBy}` };
  }
  const stop = stoppedBy?.find(({ outcome }) => outcome !== 'met');
  if (stop !== undefined) return { outcome: 'unknown', why: `The run stopped after '${stop.phase}', its precondition: ${said(stop)}` };
  const [missed, unknown] = [of('missed'), of('unknown')];
  if (missed[0] !== undefined) {
    return { outcome: 'missed', why: `${missed.length} of ${count} expectations missed, first: ${said(missed[0])}` };
  }
  if (unknown[0] !== undefined) {
    return { outcome: 'unknown', why: `${unknown.length} of ${count} expectations could not be judged, first: ${said(unknown[0])}` };
  }
  return count === 0 ? { outcome: 'unknown', why: 'Nothing was expected' } : { outcome: 'met', why: `All ${count} expectations met` };
}

const said = ({ sentence, observed }: JudgedExpectation) => `${sentence} - ${observed}`;
