import { type Histogram, JsHistogram } from 'hdr-histogram-js';
import { type Random, seededRandom } from '../../core/random.ts';
import type { Expectation } from '../expect/expectation.ts';
import { loadDoubt } from '../expect/validity.ts';
import { judge } from '../judge.ts';
import type { Answers, Observations, Window } from '../observe/observations.ts';
import { answeredWell, type RequestOutcome, type Verdict } from '../record.ts';
import { msAtPercentile, newHistogram } from '../recording.ts';
import type { TrialOutcome } from './search.ts';

/** What one expectation says of a trial. */
export type TrialVerdict = Omit<Verdict, 'outcome'> & {
  sentence: string;
  outcome: TrialOutcome;
  /** Of 1,000 trials that are put together from this one's seconds, the share in which it was met; absent where it is unknown. */
  metShare?: number;
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
  const verdicts = withBounds(verdictsOn(seen), seen, verdictsOn);
  return { outcome: worstOf(verdicts), verdicts, ...summaryOf(seen, within) };
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

/** Every time shorter by so much, and none below nothing. */
function shortened({ served, awaited, ...rest }: Answers, byMs: number): Answers {
  const shorter = (histogram: Histogram) =>
    histogramOf([timesOf(histogram).map(([us, count]) => [Math.max(0, us - byMs * 1_000), count] as const)]);
  return { ...rest, served: shorter(served), awaited: shorter(awaited) };
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
  for (const again of redrawings(seen, { routes: routesOf(within), random: seededRandom(seed), times: resamples })) {
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

function percentileIn(seen: Observations, { route, quantile, fromMs }: NonNullable<Expectation['percentile']>): number {
  const { window } = seen;
  return msAtPercentile(seen.requests(route, { ...window, fromMs: window.fromMs + fromMs }).awaited, quantile * 100);
}

/** The same observations again and again, but for the requests: each time those of other seconds, as many as there were, some of them twice. */
function* redrawings(
  seen: Observations,
  { routes, random, times }: { routes: readonly string[]; random: Random; times: number },
): Generator<Observations> {
  const ground = memoized(seen.ground);
  const seconds = secondsOf(seen.window).map((window) => ({
    atMs: window.fromMs,
    routes: new Map(routes.map((route) => [route, countsOf(seen.requests(route, window))])),
  }));
  if (seconds.length === 0) return;
  for (let time = 0; time < times; time += 1) {
    const drawn = seconds.map(() => seconds[Math.floor(random() * seconds.length)]).filter((second) => second !== undefined);
    // Asked for twice: by the expectation, and for the interval of its percentile.
    const requests = memoized((route: string, part?: Window) =>
      sumOf(
        drawn
          .filter(({ atMs }) => part === undefined || (atMs >= part.fromMs && atMs < part.untilMs))
          .flatMap((second) => second.routes.get(route) ?? []),
      ),
    );
    yield { ...seen, requests, ground };
  }
}

const secondMs = 1_000;

function secondsOf({ fromMs, untilMs }: Window): Window[] {
  const count = Math.max(0, Math.ceil((untilMs - fromMs) / secondMs));
  return Array.from({ length: count }, (_, index) => ({
    fromMs: fromMs + index * secondMs,
    untilMs: Math.min(untilMs, fromMs + (index + 1) * secondMs),
  }));
}

/** A second on one route: how its requests ended, and its times as values with how often they occurred. */
type Counts = { count: number; byOutcome: Answers['byOutcome']; timeoutMs: number; served: Times; awaited: Times };
type Times = readonly (readonly [valueUs: number, count: number])[];

const countsOf = ({ served, awaited, ...rest }: Answers): Counts => ({ ...rest, served: timesOf(served), awaited: timesOf(awaited) });

function timesOf(histogram: Histogram): Times {
  // Adding up makes one of these, but is typed as what it has in common with the histograms of WebAssembly, which cannot be walked through.
  if (!(histogram instanceof JsHistogram)) throw new TypeError('Expected a histogram that is kept in JavaScript');
  const times: [number, number][] = [];
  const values = histogram.recordedValuesIterator;
  values.reset();
  while (values.hasNext()) {
    const { valueIteratedTo, countAtValueIteratedTo } = values.next();
    times.push([valueIteratedTo, countAtValueIteratedTo]);
  }
  return times;
}

function sumOf(seconds: readonly Counts[]): Answers {
  const byOutcome: Partial<Record<RequestOutcome, number>> = {};
  for (const second of seconds) {
    for (const [outcome, count] of Object.entries(second.byOutcome) as [RequestOutcome, number][]) {
      byOutcome[outcome] = (byOutcome[outcome] ?? 0) + count;
    }
  }
  return {
    count: seconds.reduce((sum, { count }) => sum + count, 0),
    byOutcome,
    timeoutMs: seconds[0]?.timeoutMs ?? 0,
    served: histogramOf(seconds.map(({ served }) => served)),
    awaited: histogramOf(seconds.map(({ awaited }) => awaited)),
  };
}

function histogramOf(parts: readonly Times[]): Histogram {
  const sum = newHistogram();
  for (const part of parts) for (const [valueUs, count] of part) sum.recordValueWithCount(valueUs, count);
  return sum;
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
