import { highestUs } from '../../core/histogram.ts';
import { type Random, seededRandom } from '../../core/random.ts';
import { type Expectation, partFrom } from '../expect/expectation.ts';
import { loadDoubt } from '../expect/validity.ts';
import { judge } from '../judge.ts';
import type { Answers, Observations, Times, Window } from '../observe/observations.ts';
import { answeredWell, type RequestOutcome, type Verdict } from '../record.ts';
import { msAtPercentile, newHistogram } from '../recording.ts';
import { bucketCountsOf, type Cumulated, cumulated, timesDrawn } from './cumulated.ts';
import type { TrialOutcome } from './search.ts';

/** What one expectation says of a trial. */
export type TrialVerdict = Omit<Verdict, 'outcome'> & {
  sentence: string;
  outcome: TrialOutcome;
  /** Of 1,000 trials that are put together from this one's seconds, the share in which it was met; absent where it is unknown. */
  metShare?: number;
  /** The one that it speaks of, in the trial as it was played; absent where nobody was served or gave up. */
  percentile?: { quantile: number; ms: number };
  /** Where 95% of them have the percentile that it speaks of. */
  intervalMs?: { from: number; to: number };
};
export type JudgedTrial = {
  outcome: TrialOutcome;
  verdicts: TrialVerdict[];
  /** Of the route that the first of the percentiles is about, else of the first route; absent where nobody was served. */
  latencyMs?: { route: string; p50: number; p99: number };
  /** Of the requests on all routes that the expectations are about. */
  failedShare: number;
};

/**
 * Judges a trial at 95% confidence. What was measured would be a little different another time: how much is found out by drawing the trial's seconds
 * anew, with repetition, a thousand times (https://en.wikipedia.org/wiki/Bootstrapping_(statistics)). Where 97.5% of those meet an expectation the whole
 * interval lies within the target; where 2.5% do, beyond it; anything between is undecided. What a trial cannot tell at all is unknown.
 *
 * One expectation that is missed makes a trial missed, else one that is unknown or undecided makes it that.
 */
export function judgeTrial({
  name,
  seen,
  within,
  seed,
  resamples = 1_000,
}: {
  /** The phase that it was played as. */
  name: string;
  seen: Observations;
  within: readonly Expectation[];
  seed: number;
  resamples?: number;
}): JudgedTrial {
  const verdictsOn = (observed: Observations) => verdictsOf({ name, seen: observed, within, seed, resamples });
  // Whatever is asked again is already counted.
  const once = { ...seen, requests: memoized(seen.requests) };
  const verdicts = withBounds(verdictsOn(once), once, verdictsOn).map((verdict, index) => ({
    ...verdict,
    ...percentileOf(once, within[index]),
  }));
  return { outcome: worstOf(verdicts), verdicts, ...summaryOf(once, within) };
}

/**
 * A generator that was late, or a machine that paused, only ever makes times longer, and by no more than that. So what is met in spite of it is met,
 * and what is missed even with all of it taken off every time is missed: at the limit of a mall that shares its cores with the generator hardly a
 * trial is without. What lies between stays unknown, and so does a trial whose load itself was not what was planned.
 */
function withBounds(verdicts: TrialVerdict[], seen: Observations, verdictsOn: (seen: Observations) => TrialVerdict[]): TrialVerdict[] {
  const ground = seen.ground();
  if (verdicts.every(({ outcome }) => outcome !== 'unknown') || loadDoubt(ground) !== undefined) return verdicts;
  const inSpite = { ...seen, ground: () => ({ ...ground, lagMsP99: 0, hiccupMsP999: 0 }) };
  const upper = verdictsOn(inSpite);
  const lower = verdictsOn({
    ...inSpite,
    requests: (route, part) => shortened(seen.requests(route, part), ground.lagMsP99 + ground.hiccupMsP999),
  });
  return verdicts.map((verdict, index) => {
    const [most, least] = [upper[index], lower[index]];
    if (verdict.outcome !== 'unknown' || most === undefined) return verdict;
    if (most.outcome === 'met') return most;
    return most.outcome === 'missed' && least?.outcome === 'missed' ? most : verdict;
  });
}

/** Every time shorter by so much, and none below nothing; whoever gave up may have missed an answer that was there in time. */
function shortened({ served, awaited, byOutcome, ...rest }: Answers, byMs: number): Answers {
  const shorter = (times: Times): Times => {
    const sum = newHistogram();
    for (const [bucket, count] of bucketCountsOf(times)) sum.recordValueWithCount(Math.max(0, highestUs(bucket) - byMs * 1_000), count);
    return sum;
  };
  const { timeout = 0, ok = 0, ...others } = byOutcome;
  return { ...rest, byOutcome: { ...others, ok: ok + timeout }, served: shorter(served), awaited: shorter(awaited) };
}

function verdictsOf({
  name,
  seen,
  within,
  seed,
  resamples,
}: {
  name: string;
  seen: Observations;
  within: readonly Expectation[];
  seed: number;
  resamples: number;
}): TrialVerdict[] {
  const plain = judge({ phase: name, expectations: within, seen });
  const redrawn = within.map(() => ({ known: 0, met: 0, percentiles: [] as number[] }));
  for (const again of redrawings(seen, { random: seededRandom(seed), times: resamples })) {
    for (const [index, expectation] of within.entries()) {
      const tally = redrawn[index];
      if (tally === undefined || plain[index]?.outcome === 'unknown') continue;
      const { outcome } = expectation.judge(again);
      if (outcome !== 'unknown') tally.known += 1;
      if (outcome === 'met') tally.met += 1;
      if (expectation.percentile !== undefined) tally.percentiles.push(percentileIn(again, expectation.percentile));
    }
  }
  return plain.map(({ sentence, outcome, observed }, index): TrialVerdict => {
    const { known, met, percentiles } = redrawn[index] ?? { known: 0, met: 0, percentiles: [] };
    if (outcome === 'unknown' || known < resamples / 2) return { sentence, outcome: 'unknown', observed };
    const metShare = met / known;
    return {
      sentence,
      observed,
      outcome: outcomeOf(metShare),
      metShare,
      ...(percentiles.length === 0 ? {} : { intervalMs: middleOf(percentiles) }),
    };
  });
}

const confidence = 0.95;
const tail = (1 - confidence) / 2;

const outcomeOf = (metShare: number): TrialOutcome => (metShare >= 1 - tail ? 'met' : metShare <= tail ? 'missed' : 'undecided');

const worstOf = (verdicts: readonly TrialVerdict[]): TrialOutcome =>
  (['missed', 'unknown', 'undecided'] as const).find((outcome) => verdicts.some((verdict) => verdict.outcome === outcome)) ?? 'met';

function middleOf(values: readonly number[]): { from: number; to: number } {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { from: at(tail), to: at(1 - tail) };
}

const routesOf = (within: readonly Expectation[]) => [...new Set(within.flatMap(({ route }) => route ?? []))];

function summaryOf(seen: Observations, within: readonly Expectation[]): Pick<JudgedTrial, 'latencyMs' | 'failedShare'> {
  const routes = routesOf(within);
  const answers = routes.map((route) => seen.requests(route));
  const count = answers.reduce((sum, answer) => sum + answer.count, 0);
  const well = answers.reduce((sum, { byOutcome }) => sum + answeredWell.reduce((part, outcome) => part + (byOutcome[outcome] ?? 0), 0), 0);
  const failedShare = count === 0 ? 0 : 1 - well / count;
  const route = within.find(({ percentile }) => percentile !== undefined)?.route ?? routes[0];
  if (route === undefined) return { failedShare };
  const { awaited } = seen.requests(route);
  if (awaited.totalCount === 0) return { failedShare };
  return { failedShare, latencyMs: { route, p50: msAtPercentile(awaited, 50), p99: msAtPercentile(awaited, 99) } };
}

function percentileOf(seen: Observations, expectation: Expectation | undefined): Pick<TrialVerdict, 'percentile'> {
  const { percentile } = expectation ?? {};
  if (percentile === undefined || seen.requests(percentile.route, partFrom(seen, percentile.fromMs)).awaited.totalCount === 0) return {};
  return { percentile: { quantile: percentile.quantile, ms: percentileIn(seen, percentile) } };
}

function percentileIn(seen: Observations, { route, quantile, fromMs }: NonNullable<Expectation['percentile']>): number {
  return msAtPercentile(seen.requests(route, partFrom(seen, fromMs)).awaited, quantile * 100);
}

/** The same observations again and again, but for the requests: each time those of other seconds, as many as there were, some of them twice. */
function* redrawings(seen: Observations, { random, times }: { random: Random; times: number }): Generator<Observations> {
  const ground = memoized(seen.ground);
  const seconds = secondsOf(seen.window);
  if (seconds.length === 0) return;
  const played = memoized((route: string) => playedOn(seconds.map((window) => seen.requests(route, window))));
  for (let time = 0; time < times; time += 1) {
    const drawn = new Uint32Array(seconds.length);
    for (const _ of seconds) {
      const index = Math.floor(random() * seconds.length);
      drawn[index] = (drawn[index] ?? 0) + 1;
    }
    // Asked for twice: by the expectation, and for the interval of its percentile.
    const requests = memoized((route: string, part?: Window) =>
      answersIn(
        played(route),
        drawn.map((often, index) => (isIn(part, seconds[index]) ? often : 0)),
      ),
    );
    yield { ...seen, requests, ground };
  }
}

const isIn = (part: Window | undefined, second: Window | undefined) =>
  part === undefined || (second !== undefined && second.fromMs >= part.fromMs && second.fromMs < part.untilMs);

const secondMs = 1_000;

function secondsOf({ fromMs, untilMs }: Window): Window[] {
  const count = Math.max(0, Math.ceil((untilMs - fromMs) / secondMs));
  return Array.from({ length: count }, (_, index) => ({
    fromMs: fromMs + index * secondMs,
    untilMs: Math.min(untilMs, fromMs + (index + 1) * secondMs),
  }));
}

/** All seconds on one route: of each how its requests ended, and the times of all. */
type Played = {
  timeoutMs: number;
  counts: readonly number[];
  byOutcome: readonly { outcome: RequestOutcome; counts: readonly number[] }[];
  served: Cumulated;
  awaited: Cumulated;
};

function playedOn(seconds: readonly Answers[]): Played {
  const outcomes = new Set(seconds.flatMap(({ byOutcome }) => Object.keys(byOutcome) as RequestOutcome[]));
  const awaited = cumulated(seconds.map((second) => second.awaited));
  // Who was served is among those who waited: where nobody gave up they are the same.
  const gaveUp = seconds.some((second) => second.served.totalCount !== second.awaited.totalCount);
  return {
    timeoutMs: seconds[0]?.timeoutMs ?? 0,
    counts: seconds.map(({ count }) => count),
    byOutcome: [...outcomes].map((outcome) => ({ outcome, counts: seconds.map(({ byOutcome }) => byOutcome[outcome] ?? 0) })),
    served: gaveUp ? cumulated(seconds.map(({ served }) => served)) : awaited,
    awaited,
  };
}

/** The answers of these seconds together, each as often as it was drawn. */
function answersIn({ timeoutMs, counts, byOutcome, served, awaited }: Played, often: Uint32Array): Answers {
  const drawn = (each: readonly number[]) => each.reduce((sum, count, second) => sum + count * (often[second] ?? 0), 0);
  return {
    count: drawn(counts),
    byOutcome: Object.fromEntries(byOutcome.map((one) => [one.outcome, drawn(one.counts)])),
    timeoutMs,
    served: timesDrawn(served, often),
    awaited: timesDrawn(awaited, often),
  };
}

/** Remembers the last answers, by the text of what was asked. */
function memoized<Args extends unknown[], Answer>(ask: (...args: Args) => Answer): (...args: Args) => Answer {
  const known = new Map<string, Answer>();
  return (...args) => {
    const key = JSON.stringify(args);
    const answer = known.get(key) ?? ask(...args);
    known.set(key, answer);
    return answer;
  };
}
