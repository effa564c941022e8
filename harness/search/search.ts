/**
 * What one trial said of a rate. `undecided`: the target lies within what chance makes of the measurement. `unknown`: the trial itself was no good,
 * because the load generator was late, for instance; it says nothing of the rate and is repeated.
 */
export type TrialOutcome = 'met' | 'missed' | 'undecided' | 'unknown';
export type Trial = { ratePerSecond: number; outcome: TrialOutcome };
/** The trials of one rate, counted. */
export type Tally = { ratePerSecond: number } & Record<TrialOutcome, number>;

export type SearchSettings = {
  fromPerSecond: number;
  /** No rate beyond is tried. */
  upToPerSecond: number;
  /** The search ends when the lowest rate that misses is at most this share above the highest that meets: 0.05. */
  precision: number;
  /** Trials behind the verdict on either side of the limit, and trials in vain before a rate is given up. */
  repeats?: number;
  mostTrials?: number;
};

export type SearchResult =
  /** `met` and `above` lie next to each other; each was repeated, and most of its trials agree. */
  | { kind: 'found'; met: Tally; above: Tally }
  /** Even the lowest rate missed. */
  | { kind: 'belowLowest'; above: Tally }
  /** Even the highest rate met. */
  | { kind: 'aboveHighest'; met: Tally }
  | { kind: 'undecided'; met?: Tally; above?: Tally; why: string };

/** What a search does with its next trial: look for the first rate that misses, come closer to the limit, or make sure. */
export type Step = { kind: 'try'; ratePerSecond: number; why: 'climbs' | 'narrows' | 'repeats' } | { kind: 'done'; result: SearchResult };

/**
 * The highest rate that meets a target, found like Nighthawk's adaptive load controller does: the rate doubles until it misses, and then the interval
 * between is halved (https://github.com/envoyproxy/nighthawk/blob/main/docs/root/adaptive_load_controller.md). As one trial may be wrong, the two
 * rates at the limit are tried again until `repeats` trials stand behind each; should most of them say otherwise, the search goes on from there.
 * A pure function of the trials so far, so that a test can play any system.
 */
export function nextStep(settings: SearchSettings, trials: readonly Trial[]): Step {
  const { fromPerSecond, upToPerSecond, precision, repeats = 3, mostTrials = usualMostTrials } = settings;
  const tallies = talliesOf(trials);
  const standing = (tally: Tally) => standingOf(tally, repeats);
  const isSettled = (tally: Tally) => knownOf(tally) >= repeats || tally.unknown >= repeats;

  const above = tallies.find((tally) => standing(tally) === 'missed' || standing(tally) === 'unclear');
  const met = tallies.findLast((tally) => standing(tally) === 'met' && (above === undefined || tally.ratePerSecond < above.ratePerSecond));
  if (trials.length >= mostTrials)
    return done({ kind: 'undecided', ...ends(met, above), why: `${mostTrials} trials did not agree on a limit` });

  const open = tallies.find((tally) => standing(tally) === 'open');
  if (open !== undefined) return again(open);
  if (tallies.length === 0) return { kind: 'try', ratePerSecond: fromPerSecond, why: 'climbs' };

  if (above === undefined) {
    if (met === undefined) throw new RangeError('Expected every rate that was tried to have met, missed or said nothing');
    if (met.ratePerSecond < upToPerSecond)
      return { kind: 'try', ratePerSecond: Math.min(met.ratePerSecond * 2, upToPerSecond), why: 'climbs' };
    return isSettled(met) ? done({ kind: 'aboveHighest', met }) : again(met);
  }
  if (met === undefined) return isSettled(above) ? done(atLowest(above, standing(above))) : again(above);

  // One bad moment far below the limit would send the search down a long way: what was found by climbing is made sure of at once.
  const isWide = above.ratePerSecond / met.ratePerSecond > 1.9;
  if (isWide && knownOf(above) < 2 && !isSettled(above)) return again(above);
  const middle = threeDigits(Math.sqrt(met.ratePerSecond * above.ratePerSecond));
  const isNarrow = above.ratePerSecond / met.ratePerSecond <= 1 + precision || middle <= met.ratePerSecond || middle >= above.ratePerSecond;
  if (!isNarrow) return { kind: 'try', ratePerSecond: middle, why: 'narrows' };

  const unsure = [met, above].find((tally) => !isSettled(tally));
  return unsure === undefined ? done(atLimit({ met, above, repeats, isUnclear: standing(above) === 'unclear' })) : again(unsure);
}

/** Without anything else said a search that still does not know is given up then. */
export const usualMostTrials = 60;

/** Every rate that was tried, in ascending order, with what its trials said. */
export function talliesOf(trials: readonly Trial[]): Tally[] {
  const byRate = new Map<number, Tally>();
  for (const { ratePerSecond, outcome } of trials) {
    const tally = byRate.get(ratePerSecond) ?? { ratePerSecond, met: 0, missed: 0, undecided: 0, unknown: 0 };
    tally[outcome] += 1;
    byRate.set(ratePerSecond, tally);
  }
  return [...byRate.values()].sort((one, other) => one.ratePerSecond - other.ratePerSecond);
}

/** Trials that said something. */
export const knownOf = ({ met, missed, undecided }: Tally) => met + missed + undecided;

/**
 * `open` needs another trial. A rate that is undecided is none that surely meets the target, and counts like a miss: what is promised is the lower end.
 */
function standingOf(tally: Tally, repeats: number): 'met' | 'missed' | 'open' | 'unclear' {
  const against = tally.missed + tally.undecided;
  if (tally.met > against) return 'met';
  if (against > tally.met) return 'missed';
  if (tally.unknown < repeats) return 'open';
  return against > 0 ? 'missed' : 'unclear';
}

function atLowest(above: Tally, standing: string): SearchResult {
  if (standing === 'unclear') return { kind: 'undecided', above, why: 'no trial at the lowest rate was good for a verdict' };
  if (above.missed > above.undecided) return { kind: 'belowLowest', above };
  return { kind: 'undecided', above, why: 'the lowest rate neither surely meets the target nor surely misses it' };
}

function atLimit({ met, above, repeats, isUnclear }: { met: Tally; above: Tally; repeats: number; isUnclear: boolean }): SearchResult {
  if (isUnclear) return { kind: 'undecided', met, above, why: 'no trial above it was good for a verdict' };
  const shaky = [met, above].find((tally) => knownOf(tally) < repeats);
  if (shaky === undefined) return { kind: 'found', met, above };
  return {
    kind: 'undecided',
    met,
    above,
    why: `only ${knownOf(shaky)} of ${repeats} trials at ${shaky.ratePerSecond}/s were good for a verdict`,
  };
}

const again = ({ ratePerSecond }: Tally): Step => ({ kind: 'try', ratePerSecond, why: 'repeats' });
const done = (result: SearchResult): Step => ({ kind: 'done', result });
const ends = (met: Tally | undefined, above: Tally | undefined) => ({
  ...(met === undefined ? {} : { met }),
  ...(above === undefined ? {} : { above }),
});

/** Rates are for people to read; half a percent is finer than any trial can tell. */
const threeDigits = (rate: number) => Number(rate.toPrecision(3));
