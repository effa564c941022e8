import type { Fault } from '../chaos/faults.ts';
import type { Duration } from '../core/units.ts';
import type { Service } from '../system/topology.ts';
import type { TuningChanges } from '../system/tuning.ts';
import type { Expectation } from './expect/expectation.ts';
import type { Journey } from './journey.ts';
import type { Load, Shoppers } from './load.ts';
import type { StopCondition } from './stop-condition.ts';
import type { Target } from './target.ts';
import type { VisitorLimits } from './visitor-limits.ts';

/** A stretch of the timeline with one load, its faults and its expectations. */
export type Phase = {
  name: string;
  lasts: Duration;
  load: Load;
  faults?: readonly Fault[];
  expect: readonly Expectation[];
  /** `stop` makes the phase a precondition: when it is not met the run ends there and is inconclusive, not failed. */
  otherwise?: 'stop';
};

/**
 * How the mall is set up: replicas where they differ from the topology's defaults, pieces in stock where they matter, governance where it is
 * tuned: `tuning: { mall: { breaker: { judges: 'cause' } }, gateway: { shedding: { cpuThresholdMilli: 950 } } }`.
 */
export type Shape = { replicas?: Partial<Record<Service, number>>; stock?: Record<string, number>; tuning?: TuningChanges };

/** What every scenario is made of, whatever it is about. */
type Story = {
  name: string;
  story: string;
  timeline: readonly Phase[];
  /** Expectations of the run as a whole. */
  always?: readonly Expectation[];
  /** What ends the run early, with all its faults: `[abortWhen('browse', { errorsAbove: '50%', for: '10s' })]`. */
  stopConditions?: readonly StopCondition[];
  /** How long visitors wait, how many may be under way, and how many threads they live in, where that is not as it always is. */
  visitors?: VisitorLimits;
};
/** About the mall, which is set up for the run. */
export type MallScenario = Story & { mall: Shape; shoppers: Shoppers };
/** About something that runs already: what visitors do there is a journey. There are no faults, and nothing is asked but what visitors see. */
export type TargetScenario = Story & { target: Target; journey: Journey };
export type Scenario = MallScenario | TargetScenario;

export const isOfMall = (scenario: Scenario): scenario is MallScenario => 'mall' in scenario;

/** `phase('rush', { lasts: '25s', load: ramp('0.4x', '2x'), faults: [...], expect: [...] })` */
export const phase = (name: string, rest: Omit<Phase, 'name'>): Phase => ({ ...rest, name });

/**
 * One story, told phase by phase; a file in `scenarios/` exports it as its default. It is a plain value: `plan` checks it, `run` runs it. It is about
 * the mall (`{ mall, shoppers }`) or about a target of one's own (`{ target: { http: 'http://127.0.0.1:3000' }, journey }`).
 */
export function scenario(name: string, rest: Omit<MallScenario, 'name'>): MallScenario;
export function scenario<Step extends string>(
  name: string,
  rest: Omit<TargetScenario, 'name' | 'journey'> & { journey: Journey<Step> },
): TargetScenario;
export function scenario(name: string, rest: Omit<MallScenario, 'name'> | Omit<TargetScenario, 'name'>): Scenario {
  return { ...rest, name };
}
