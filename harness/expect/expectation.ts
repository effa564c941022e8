import { type Duration, toMs } from '../../core/units.ts';
import type { Edge, Service } from '../../system/topology.ts';
import { checkFields } from '../fields.ts';
import type { Observations } from '../observe/observations.ts';
import type { Verdict } from '../record.ts';

/** A claim that can say itself in words and judge itself against what was seen in its phase. */
export type Expectation = {
  sentence: string;
  judge: (seen: Observations) => Verdict;
  /** A percentile needs a number of requests behind it; `plan` refuses a phase that is too short or too quiet for it. */
  percentile?: { quantile: number; route: string; fromMs: number };
  /** The route that it speaks of, where it asks for nothing but what its visitors saw: then the target need not be the mall. */
  route?: string;
  /** It means nothing when the load was not what the plan says: unknown then, whatever was seen. */
  restsOnLoad?: true;
  /** Another phase whose observations are compared with. */
  comparesWith?: string;
  /** The longest time from the start of the phase that it speaks of, so that `plan` can refuse one that does not fit. */
  withinMs?: number;
  /** The edge it speaks of, where it is one: a fault elsewhere does not make it doubtful. */
  edge?: Edge;
  /** A replica that must exist. */
  replica?: { service: Service; replica: number };
};
/** `within` counts from the start of the phase. */
export type Within = { within: Duration };
/** Judges only what happens from this long after the start of the phase. */
export type From = { from?: Duration };

/** Since when it judges; without it from the start. Throws a `UsageError` for another option. */
export function fromOf(options: From | undefined): Duration {
  if (options === undefined) return '0ms';
  checkFields('the options of an expectation', options, ['from']);
  return options.from ?? '0ms';
}

/** The rest of the phase from some time on; undefined for all of it. */
export const partFrom = ({ window }: Observations, fromMs: number) =>
  fromMs === 0 ? undefined : { ...window, fromMs: window.fromMs + fromMs };

/** What a sentence says of `from`; nothing where it is the start. */
export const since = (from: Duration) => (toMs(from) === 0 ? '' : `, from ${from} on`);
