import { withoutControls } from '../../core/controls.ts';
import { described } from '../../core/described.ts';
import { messageOf, UsageError } from '../../core/errors.ts';
import { type Duration, type Percent, type Rate, toMs, toRatePerSecond, toShare } from '../../core/units.ts';
import { checkStory } from '../check-scenario.ts';
import type { Expectation } from '../expect/expectation.ts';
import { requestsFor } from '../expect/latency.ts';
import { checkList, named } from '../fields.ts';
import type { Journey } from '../journey.ts';
import { mostPerSecond, steady } from '../load.ts';
import { describeSetting, type Plan, planRun, requestsPerArrival } from '../plan.ts';
import { type MallScenario, type Phase, phase, type Scenario, type TargetScenario } from '../scenario.ts';
import { limitsOf, type VisitorLimits } from '../visitor-limits.ts';
import { longestSearch } from './length.ts';
import { warmUpMs } from './pauses.ts';
import { usualMostTrials } from './search.ts';

/** A question, not a story: the highest rate of open load at which all of `within` is met. */
export type CapacitySearch = Question & (Pick<MallScenario, 'mall' | 'shoppers'> | Pick<TargetScenario, 'target' | 'journey'>);

type Question = {
  kind: 'capacity';
  name: string;
  story: string;
  /** Claims about latency and errors; each trial is judged by all of them. */
  within: readonly Expectation[];
  /** The rate of the first trial. */
  from: Rate;
  /** No rate beyond is tried; without it `5000/s`. */
  upTo?: Rate;
  /** At least so long is each trial; one that needs more requests for its percentiles is longer. */
  lasts: Duration;
  /** How close the answer is to the lowest rate that misses: `'5%'`. */
  precision: Percent;
  visitors?: VisitorLimits;
};

/**
 * How much load a mall, or a target of one's own, can take within a target. A file in `scenarios/` exports it as its default:
 * `capacity('capacity', { story, mall: {}, shoppers, within: [latency('checkout').p95.below('250ms')], from: '50/s', lasts: '8s', precision: '5%' })`
 */
export function capacity(name: string, rest: Omit<Question, 'kind' | 'name'> & Pick<MallScenario, 'mall' | 'shoppers'>): CapacitySearch;
export function capacity<Step extends string>(
  name: string,
  rest: Omit<Question, 'kind' | 'name'> & Pick<TargetScenario, 'target'> & { journey: Journey<Step> },
): CapacitySearch;
export function capacity(
  name: string,
  rest: Omit<Question, 'kind' | 'name'> & (Pick<MallScenario, 'mall' | 'shoppers'> | Pick<TargetScenario, 'target' | 'journey'>),
): CapacitySearch {
  return { ...rest, kind: 'capacity', name };
}

/** A search that was checked. */
export type SearchPlan = {
  search: CapacitySearch;
  /** The first trial as a run of one phase: what has to stand for it has to stand for all. */
  plan: Plan;
  fromPerSecond: number;
  upToPerSecond: number;
  precision: number;
  /** How long a trial at a rate must be, in whole seconds: long enough for its percentiles to mean something. */
  trialMs: (ratePerSecond: number) => number;
};

/** Checks a search and starts nothing. Throws a `UsageError` that says what is wrong with it. */
export function planSearch(search: CapacitySearch): SearchPlan {
  const of = checkStory('capacity search', search, {
    own: ['within', 'from', 'upTo', 'lasts', 'precision'],
    given: ['kind', 'name'],
  });
  const { within, from, upTo = '5000/s', lasts, precision } = search;
  checkList(`'within' of ${of}`, within, aim);
  if (within.length === 0) refuse(search, `expected a target such as within: ${aim}, got none`);
  for (const expectation of within) {
    if (expectation?.route !== undefined && expectation.comparesWith === undefined) continue;
    const other = described(expectation?.sentence ?? expectation);
    refuse(search, `each trial stands alone and is judged by latency and errors only, not by ${other}`);
  }

  const { fromPerSecond, upToPerSecond, leastMs, share } = parsed(search, () => ({
    fromPerSecond: named('from', () => toRatePerSecond(from)),
    upToPerSecond: named('upTo', () => toRatePerSecond(upTo)),
    leastMs: named('lasts', () => toMs(lasts)),
    share: named('precision', () => toShare(precision)),
  }));
  parsed(search, () => limitsOf(search.visitors));
  if (!(fromPerSecond > 0)) refuse(search, `expected 'from' to be a rate above 0, got '${from}'`);
  if (!(upToPerSecond > fromPerSecond)) refuse(search, `expected 'upTo' to be a rate above '${from}', got '${upTo}'`);
  if (upToPerSecond > mostPerSecond)
    refuse(search, `expected 'upTo' to be a rate up to ${mostPerSecond}/s, which is more than one machine can make, got '${upTo}'`);
  if (leastMs < shortestMs || leastMs > longestMs) refuse(search, `expected a trial that lasts from 5s to 60s, got '${lasts}'`);
  if (share < 0.01 || share > 0.5) refuse(search, `expected a precision from 1% to 50%, got '${precision}'`);

  const trialMs = (ratePerSecond: number) =>
    Math.ceil(Math.max(leastMs, ...within.map((expectation) => neededMs(search, expectation, ratePerSecond))) / 1_000) * 1_000;
  const firstMs = trialMs(fromPerSecond);
  if (firstMs > longestMs) {
    const why = `at ${from} a trial of ${firstMs / 1_000} s is needed to see enough requests for its percentile`;
    refuse(search, `${why}, and the longest is 60 s: begin at a higher rate, or ask for a lower percentile`);
  }
  const plan = planRun(scenarioOf(search, [phase('trial', { lasts: `${firstMs}ms`, load: steady(from), expect: within })]));
  return { search, plan, fromPerSecond, upToPerSecond, precision: share, trialMs };
}

/** The search in words, for `plan` on the command line. */
export function describeSearch(searchPlan: SearchPlan): string {
  const { search, plan, trialMs, fromPerSecond, upToPerSecond } = searchPlan;
  const { name, story, within, precision } = search;
  const [shortestS, longestS] = [trialMs(upToPerSecond) / 1_000, trialMs(fromPerSecond) / 1_000];
  const longest = longestSearch(searchPlan);
  return [
    `${name}: ${story}`,
    '',
    ...describeSetting(plan),
    '',
    `finds the highest rate from ${fromPerSecond}/s to ${upToPerSecond}/s, to within ${precision}, at which`,
    ...within.map(({ sentence }) => `  - ${sentence}`),
    '',
    `each trial lasts ${shortestS === longestS ? '' : `${shortestS} s to `}${longestS} s, and the time to come to rest`,
    `lasts up to ${Math.ceil(longest.lastsMs / 60_000)} min with ${warmUpMs / 1_000} s of warm-up and ${longest.trials} trials; where they contradict each other there are more, at most ${usualMostTrials}`,
  ]
    .map(withoutControls)
    .join('\n');
}

const aim = "[latency(…).p95.below('250ms')]";
const [shortestMs, longestMs] = [5_000, 60_000];

function scenarioOf(search: CapacitySearch, timeline: readonly Phase[]): Scenario {
  const { name, story, visitors } = search;
  const common = { name, story, timeline, ...(visitors === undefined ? {} : { visitors }) };
  if ('mall' in search) return { ...common, mall: search.mall, shoppers: search.shoppers };
  return { ...common, target: search.target, journey: search.journey };
}

/** Arrivals come by chance: three standard deviations fewer than expected must still be enough, as `plan` demands of every phase. */
function neededMs(search: CapacitySearch, { percentile }: Expectation, ratePerSecond: number): number {
  if (percentile === undefined) return 0;
  const each = requestsPerArrival(scenarioOf(search, []), percentile.route);
  if (each === undefined) return 0;
  // The root of x - 3 √x = needed, and one for what is rounded off.
  const expected = ((3 + Math.sqrt(9 + 4 * requestsFor(percentile.quantile))) / 2) ** 2 + 1;
  return percentile.fromMs + (expected / (ratePerSecond * each)) * 1_000;
}

function parsed<T>(search: CapacitySearch, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    return refuse(search, messageOf(cause), cause);
  }
}

function refuse({ name }: CapacitySearch, sentence: string, cause?: unknown): never {
  throw new UsageError(`Capacity search '${name}': ${sentence}`, { cause });
}
