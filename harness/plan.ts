import { type Fault, sentenceOf as faultSentence } from '../chaos/faults.ts';
import { withoutControls } from '../core/controls.ts';
import { described } from '../core/described.ts';
import { UsageError } from '../core/errors.ts';
import { toMs, toRatePerSecond } from '../core/units.ts';
import { defaultReplicas, isRoute, type Route, routeNames, type Service, services } from '../system/topology.ts';
import { checkFault } from './check-fault.ts';
import { checkScenario } from './check-scenario.ts';
import type { Expectation } from './expect/expectation.ts';
import { requestsFor } from './expect/latency.ts';
import { named, within } from './fields.ts';
import {
  isOpen,
  type Load,
  sentenceOf as loadSentence,
  mostPerSecond,
  ratesOf,
  requestsPerShopper,
  type Shoppers,
  stagesOf,
} from './load.ts';
import { population } from './population.ts';
import { isOfMall, type MallScenario, type Phase, type Scenario, type TargetScenario } from './scenario.ts';
import { expectedArrivals } from './schedule.ts';
import type { StopCondition } from './stop-condition.ts';
import { addressOf, protosOf } from './target.ts';
import { checkChanges, textsOf } from './tuning-text.ts';
import { type LoadLimits, limitsOf, sentenceOf as limitsSentence } from './visitor-limits.ts';

/** A scenario that was checked: every name exists, every duration and rate is a number, and everything fits its phase. */
export type Plan = {
  scenario: Scenario;
  /** None of any service where the target is one's own. */
  replicas: Record<Service, number>;
  phases: PlannedPhase[];
  lastsMs: number;
  /** Some rate is a multiple of the capacity, so the run begins with a probe. */
  needsCapacity: boolean;
  limits: LoadLimits;
};
export type PlannedPhase = { phase: Phase; fromMs: number; lastsMs: number };

/** Checks a scenario and starts nothing. Throws a `UsageError` that names the phase and what is wrong with it. */
export function planRun(scenario: Scenario): Plan {
  checkScenario(scenario);
  const replicas = isOfMall(scenario) ? checkMall(scenario) : noReplicas;
  if (!isOfMall(scenario)) checkTargetScenario(scenario);
  const limits = limitsOf(scenario.visitors);
  checkCrowds(scenario);
  if (scenario.timeline.length === 0) refuse(`Scenario '${scenario.name}' has no phases`);

  let fromMs = 0;
  const phases = scenario.timeline.map((phase): PlannedPhase => {
    const planned = { phase, fromMs, lastsMs: within(phase.name, () => named('lasts', () => toMs(phase.lasts))) };
    fromMs += planned.lastsMs;
    return planned;
  });
  const names = phases.map(({ phase }) => phase.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) refuse(`Two phases are called '${twice}'`);

  for (const planned of phases) within(planned.phase.name, () => checkPhase({ planned, timeline: scenario.timeline, replicas }));
  const always = scenario.always ?? [];
  for (const expectation of always) {
    checkExpectation({ expectation, judged: scenario.timeline, earlier: scenario.timeline, replicas, lastsMs: fromMs });
  }
  for (const condition of scenario.stopConditions ?? []) checkStopCondition(condition, scenario);
  if (always.length + phases.flatMap(({ phase }) => phase.expect).length === 0) refuse(`Scenario '${scenario.name}' expects nothing`);
  const needsCapacity = phases.some(({ phase }) => isRelative(phase.load));
  const plan: Plan = { scenario, replicas, phases, lastsMs: fromMs, needsCapacity, limits };
  checkPercentiles(plan);
  return plan;
}

/**
 * A percentile means something when ten requests lie beyond it. Phases whose rate is a multiple of a capacity that is not known yet
 * are passed over. Throws a `UsageError` that says how many requests there would be.
 */
export function checkPercentiles({ scenario, phases }: Plan, capacityPerSecond?: number): void {
  for (const { phase, lastsMs } of phases) {
    if (!isOpen(phase.load) || (isRelative(phase.load) && capacityPerSecond === undefined)) continue;
    const stages = stagesOf(phase.load, lastsMs, capacityPerSecond);
    for (const { percentile, sentence } of phase.expect) {
      if (percentile === undefined) continue;
      const arrivals = expectedArrivals(stages) - expectedArrivals(stages, percentile.fromMs);
      // Shoppers come by chance: three standard deviations fewer than expected must still be enough.
      // Only the scenario's own code knows how many visitors get as far as a later step: too few are told at the end.
      const each = requestsPerArrival(scenario, percentile.route);
      if (each === undefined) continue;
      const expected = arrivals * each;
      const requests = Math.max(0, Math.floor(expected - 3 * Math.sqrt(expected)));
      const needed = requestsFor(percentile.quantile);
      if (requests >= needed) continue;
      const why = capacityPerSecond === undefined ? '' : `, at a capacity of ${Math.round(capacityPerSecond)} shoppers/s`;
      refuse(
        `Phase '${phase.name}': '${sentence}' needs ${needed} ${percentile.route} requests, the load is sure to give only ${requests}${why}`,
      );
    }
  }
}

/** The plan as a story, for `plan` on the command line. */
export function describePlan(plan: Plan): string {
  const { scenario, phases, lastsMs, needsCapacity } = plan;
  const { always = [], stopConditions = [] } = scenario;
  const lines = [`${scenario.name}: ${scenario.story}`, '', ...describeSetting(plan)];
  if (needsCapacity) lines.push("capacity  probed at the start; rates such as '0.5x' are multiples of it");
  for (const { phase } of phases) {
    lines.push(
      '',
      `${phase.name} (${phase.lasts}, ${loadSentence(phase.load)})${phase.otherwise === 'stop' ? ' - the run stops if this is not met' : ''}`,
    );
    for (const fault of phase.faults ?? []) lines.push(`  ! ${faultSentence(fault)}${timesOf(fault)}`);
    for (const { sentence } of phase.expect) lines.push(`  - ${sentence}`);
  }
  if (always.length > 0) lines.push('', 'always', ...always.map(({ sentence }) => `  - ${sentence}`));
  if (stopConditions.length > 0) lines.push('', 'aborts when', ...stopConditions.map(({ sentence }) => `  ! ${sentence}`));
  return [...lines, '', `lasts ${lastsMs / 1_000} s, and the time to set up`].map(withoutControls).join('\n');
}

/** What is visited and by whom, line by line. */
export function describeSetting({ scenario, replicas, limits }: Pick<Plan, 'scenario' | 'replicas' | 'limits'>): string[] {
  const limited = limitsSentence(limits);
  const visitors = limited === undefined ? [] : [`visitors  ${limited}`];
  if (!isOfMall(scenario)) {
    const target = [addressOf(scenario.target), ...protosOf(scenario.target)].join(', ');
    return [`target    ${target}`, `steps     ${scenario.journey.steps.join(', ')}`, ...visitors];
  }
  const counts = Object.entries(replicas).map(([service, count]) => `${count} ${service}`);
  const tuned = textsOf(scenario.mall.tuning ?? {}).map((text) => `tuned     ${text}`);
  return [`mall      ${counts.join(', ')}`, ...tuned, ...visitors];
}

/** The replicas of every service. */
function checkMall({ mall, shoppers }: MallScenario): Record<Service, number> {
  const replicas = { ...defaultReplicas, ...mall.replicas };
  for (const [service, count] of Object.entries(replicas)) {
    if (!Number.isInteger(count) || count < 1) refuse(`Expected a whole number of ${service} replicas from 1, got ${described(count)}`);
  }
  for (const [product, pieces] of Object.entries(mall.stock ?? {})) {
    if (!Number.isInteger(pieces) || pieces < 0) refuse(`Expected a whole number of pieces of '${product}', got ${described(pieces)}`);
  }
  checkChanges(mall.tuning ?? {});
  checkShoppers(shoppers);
  checkProducts({ mall, shoppers });
  return replicas;
}

/** A target of one's own has nothing that could be broken or asked: it has only what visitors see. */
function checkTargetScenario({ journey, timeline, always = [] }: TargetScenario): void {
  for (const { name, faults = [], load } of timeline) {
    if (faults.length > 0) refuse(`Phase '${name}': faults are of the mall; a target of one's own has none`);
    if (!isOpen(load)) refuse(`Phase '${name}': a crowd is of the mall; a target of one's own gets open load`);
    if (isRelative(load)) refuse(`Phase '${name}': expected rates such as '100/s', for the capacity that 'x' multiplies is the mall's`);
  }
  for (const expectation of [...timeline.flatMap(({ expect }) => expect), ...always]) {
    // What is no expectation is told with its phase.
    if (typeof expectation?.sentence !== 'string') continue;
    const { sentence, route } = expectation;
    if (route === undefined) refuse(`'${sentence}' asks the mall; of a target of one's own only latency and errors of its steps are seen`);
    if (!journey.steps.includes(route))
      refuse(`'${sentence}' speaks of a step that the journey does not have; it has ${journey.steps.join(', ')}`);
  }
}

/** A crowd waits as long as it always does: what gave up in it would be told with a time that nobody waited. */
function checkCrowds({ timeline, visitors }: Scenario): void {
  const crowd = timeline.find(({ load }) => !isOpen(load));
  if (crowd === undefined || visitors?.timeout === undefined) return;
  refuse(
    `Phase '${crowd.name}': a crowd has a time limit of its own; expected no 'timeout' of visitors beside it, got '${visitors.timeout}'`,
  );
}

/** One that nobody asks about would never come true. */
function checkStopCondition(condition: StopCondition, scenario: Scenario): void {
  if (typeof condition?.sentence !== 'string') refuse(`Expected stop conditions such as abortWhen(…), got ${described(condition)}`);
  const { sentence, subject } = condition;
  if (isOfMall(scenario)) {
    if (subject.kind === 'route' && !isRoute(subject.route))
      refuse(`'${sentence}' speaks of a route that the mall does not have; it has ${routeNames.join(', ')}`);
    return;
  }
  const { steps } = scenario.journey;
  if (subject.kind === 'edge')
    refuse(`'${sentence}' asks the mall; of a target of one's own only its steps are watched: ${steps.join(', ')}`);
  if (!steps.includes(subject.route)) refuse(`'${sentence}' speaks of a step that the journey does not have; it has ${steps.join(', ')}`);
}

const noReplicas = Object.fromEntries(services.map((service) => [service, 0])) as Record<Service, number>;

type PhaseContext = { planned: PlannedPhase; timeline: readonly Phase[]; replicas: Record<Service, number> };

function checkPhase({ planned: { phase, lastsMs }, timeline, replicas }: PhaseContext): void {
  if (lastsMs === 0) refuse('Expected it to last for some time, got 0');
  checkLoad(phase, lastsMs);
  for (const fault of phase.faults ?? []) checkFault(fault, { lastsMs, replicas });
  const earlier = timeline.slice(0, timeline.indexOf(phase));
  for (const expectation of phase.expect) checkExpectation({ expectation, judged: [phase], earlier, replicas, lastsMs });
}

function checkLoad({ load, faults = [] }: Phase, lastsMs: number): void {
  if (!isOpen(load)) {
    if (!Number.isInteger(load.shoppers) || load.shoppers < 1 || load.shoppers > mostInCrowd) {
      refuse(`Expected a crowd of 1 to ${mostInCrowd} shoppers, got ${described(load.shoppers)}`);
    }
    if (faults.length > 0) refuse('Expected open load where there are faults, got a crowd, which hides what a fault holds up');
    return;
  }
  const zeroRate = ratesOf(load).find((rate) => toRatePerSecond(rate, 1) === 0);
  if (zeroRate !== undefined && load.kind !== 'stages') refuse(`Expected a rate above 0, got '${zeroRate}'`);
  const tooMany = ratesOf(load).find((rate) => !rate.endsWith('x') && toRatePerSecond(rate) > mostPerSecond);
  if (tooMany !== undefined) refuse(`Expected rates up to ${mostPerSecond}/s, which is more than one machine can make, got '${tooMany}'`);
  if (expectedArrivals(stagesOf(load, lastsMs, 1)) === 0) refuse('Expected stages in which somebody comes, got only rates of 0');
}

/** `judged` are the phases it speaks of, `earlier` those it may compare with: they are over when it is judged. */
function checkExpectation({
  expectation,
  judged,
  earlier,
  replicas,
  lastsMs,
}: {
  expectation: Expectation;
  judged: readonly Phase[];
  earlier: readonly Phase[];
  replicas: Record<Service, number>;
  lastsMs: number;
}): void {
  if (typeof expectation?.sentence !== 'string' || typeof expectation.judge !== 'function') {
    const came = typeof expectation === 'object' && expectation !== null ? 'one that is not finished' : described(expectation);
    refuse(`Expected expectations such as latency(…).p95.below('1s'), got ${came}`);
  }
  const { sentence, comparesWith, replica, withinMs = 0, percentile } = expectation;
  if (comparesWith !== undefined) {
    const base = earlier.find(({ name }) => name === comparesWith);
    const names = earlier.map(({ name }) => name).join(', ') || 'none';
    if (base === undefined) refuse(`'${sentence}' compares with a phase that is not over by then; there are ${names}`);
    if (!isOpen(base.load)) refuse(`'${sentence}' compares with a crowd, which sends least when the mall is slowest`);
  }
  if (percentile !== undefined && judged.some(({ load }) => !isOpen(load))) {
    refuse(`'${sentence}' needs open load: a crowd sends least when the mall is slowest`);
  }
  if (replica !== undefined) checkReplica(replica.service, replica.replica, replicas);
  if (withinMs > lastsMs) refuse(`'${sentence}' does not fit into ${lastsMs / 1_000} s`);
  if (percentile !== undefined && percentile.fromMs >= lastsMs) refuse(`'${sentence}' begins after its ${lastsMs / 1_000} s are over`);
}

function checkReplica(service: Service, replica: number, replicas: Record<Service, number>): void {
  const count = replicas[service];
  if (!Number.isInteger(replica) || replica < 1 || replica > count) {
    refuse(`There is no replica ${replica} of ${service}; it has ${count}, numbered from 1`);
  }
}

function checkShoppers(shoppers: Shoppers): void {
  if (routeNames.every((route) => shoppers[route] === 0)) refuse('Expected some shoppers, got none on any route');
}

/** The catalogue is `sku-1` to `sku-200`; what is not in it can be neither stocked nor wanted. */
function checkProducts({ mall, shoppers }: Pick<MallScenario, 'mall' | 'shoppers'>): void {
  const named = [...Object.keys(mall.stock ?? {}), ...(shoppers.wanted === undefined ? [] : [shoppers.wanted.product])];
  for (const product of named) {
    const [, number] = /^sku-([1-9]\d*)$/.exec(product) ?? [];
    if (number === undefined || Number(number) > population.catalogue.size) {
      refuse(`Expected a product from 'sku-1' to 'sku-${population.catalogue.size}', got '${product}'`);
    }
  }
}

/** How many requests of a route each arrival makes on average, where that is known beforehand. */
export function requestsPerArrival(scenario: Scenario, route: string): number | undefined {
  if (isOfMall(scenario)) return requestsPerShopper(scenario.shoppers)[route as Route];
  return route === scenario.journey.steps[0] ? 1 : undefined;
}

const isRelative = (load: Load) => ratesOf(load).some((rate) => rate.endsWith('x'));

/** Connections are what a crowd costs. */
const mostInCrowd = 10_000;

const timesOf = ({ from, lasts, every }: Fault) =>
  `${from === undefined ? '' : `, from ${from}`}${lasts === undefined ? '' : `, for ${lasts}`}${every === undefined ? '' : `, every ${every}`}`;

function refuse(sentence: string): never {
  throw new UsageError(sentence);
}
