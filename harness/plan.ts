import { type Fault, sentenceOf as faultSentence } from '../chaos/faults.ts';
import { messageOf, UsageError } from '../core/errors.ts';
import { toMs, toRatePerSecond } from '../core/units.ts';
import { defaultReplicas, isService, routeNames, type Service, services } from '../system/topology.ts';
import { checkFault } from './check-fault.ts';
import type { Expectation } from './expect/expectation.ts';
import { requestsFor } from './expect/latency.ts';
import { sentenceOf as loadSentence, ratesOf, requestsPerShopper, type Shoppers } from './load.ts';
import { population } from './population.ts';
import type { Phase, Scenario } from './scenario.ts';
import { checkChanges, textsOf } from './tuning-text.ts';

/** A scenario that was checked: every name exists, every duration and rate is a number, and everything fits its phase. */
export type Plan = {
  scenario: Scenario;
  replicas: Record<Service, number>;
  phases: PlannedPhase[];
  lastsMs: number;
  /** Some rate is a multiple of the capacity, so the run begins with a probe. */
  needsCapacity: boolean;
};
export type PlannedPhase = { phase: Phase; fromMs: number; lastsMs: number };

/** Checks a scenario and starts nothing. Throws a `UsageError` that names the phase and what is wrong with it. */
export function planRun(scenario: Scenario): Plan {
  const replicas = { ...defaultReplicas, ...scenario.mall.replicas };
  for (const [service, count] of Object.entries(replicas)) {
    if (!isService(service)) refuse(`Expected a service (${services.join(', ')}) in 'replicas', got '${service}'`);
    if (!Number.isInteger(count) || count < 1) refuse(`Expected a whole number of ${service} replicas from 1, got ${count}`);
  }
  for (const [product, pieces] of Object.entries(scenario.mall.stock ?? {})) {
    if (!Number.isInteger(pieces) || pieces < 0) refuse(`Expected a whole number of pieces of '${product}', got ${pieces}`);
  }
  checkChanges(scenario.mall.tuning ?? {});
  checkShoppers(scenario.shoppers);
  checkProducts(scenario);
  if (scenario.timeline.length === 0) refuse(`Scenario '${scenario.name}' has no phases`);

  let fromMs = 0;
  const phases = scenario.timeline.map((phase): PlannedPhase => {
    const planned = { phase, fromMs, lastsMs: within(phase.name, () => toMs(phase.lasts)) };
    fromMs += planned.lastsMs;
    return planned;
  });
  const names = phases.map(({ phase }) => phase.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) refuse(`Two phases are called '${twice}'`);

  for (const planned of phases) within(planned.phase.name, () => checkPhase({ planned, names, replicas }));
  const always = scenario.always ?? [];
  for (const expectation of always) checkExpectation({ expectation, names, replicas, lastsMs: fromMs });
  for (const condition of scenario.stopConditions ?? []) {
    if (typeof condition?.sentence !== 'string') refuse("Expected stop conditions such as abortWhen('browse', …), got something else");
  }
  if (always.length + phases.flatMap(({ phase }) => phase.expect).length === 0) refuse(`Scenario '${scenario.name}' expects nothing`);
  const needsCapacity = phases.some(({ phase }) => [ratesOf(phase.load).from, ratesOf(phase.load).to].some((rate) => rate.endsWith('x')));
  const plan: Plan = { scenario, replicas, phases, lastsMs: fromMs, needsCapacity };
  checkPercentiles(plan);
  return plan;
}

/**
 * A percentile means something when ten requests lie beyond it. Phases whose rate is a multiple of a capacity that is not known yet
 * are passed over. Throws a `UsageError` that says how many requests there would be.
 */
export function checkPercentiles({ scenario, phases }: Plan, capacityPerSecond?: number): void {
  for (const { phase, lastsMs } of phases) {
    const { from, to } = ratesOf(phase.load);
    if ([from, to].some((rate) => rate.endsWith('x')) && capacityPerSecond === undefined) continue;
    const [first, last] = [toRatePerSecond(from, capacityPerSecond), toRatePerSecond(to, capacityPerSecond)];
    for (const { percentile, sentence } of phase.expect) {
      if (percentile === undefined) continue;
      const rateAtStart = first + ((last - first) * percentile.fromMs) / lastsMs;
      const arrivals = ((rateAtStart + last) / 2) * ((lastsMs - percentile.fromMs) / 1_000);
      // Shoppers come by chance: three standard deviations fewer than expected must still be enough.
      const expected = arrivals * requestsPerShopper(scenario.shoppers)[percentile.route];
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
export function describePlan({ scenario, replicas, phases, lastsMs, needsCapacity }: Plan): string {
  const mall = Object.entries(replicas).map(([service, count]) => `${count} ${service}`);
  const lines = [`${scenario.name}: ${scenario.story}`, '', `mall      ${mall.join(', ')}`];
  for (const text of textsOf(scenario.mall.tuning ?? {})) lines.push(`tuned     ${text}`);
  if (needsCapacity) lines.push("capacity  probed at the start; rates such as '0.5x' are multiples of it");
  for (const { phase } of phases) {
    lines.push(
      '',
      `${phase.name} (${phase.lasts}, ${loadSentence(phase.load)})${phase.otherwise === 'stop' ? ' - the run stops if this is not met' : ''}`,
    );
    for (const fault of phase.faults ?? []) lines.push(`  ! ${faultSentence(fault)}${timesOf(fault)}`);
    for (const { sentence } of phase.expect) lines.push(`  - ${sentence}`);
  }
  lines.push('', 'always', ...(scenario.always ?? []).map(({ sentence }) => `  - ${sentence}`));
  const { stopConditions = [] } = scenario;
  if (stopConditions.length > 0) lines.push('', 'aborts when', ...stopConditions.map(({ sentence }) => `  ! ${sentence}`));
  return [...lines, '', `lasts ${lastsMs / 1_000} s, and the time to set up`].join('\n');
}

type PhaseContext = { planned: PlannedPhase; names: readonly string[]; replicas: Record<Service, number> };

function checkPhase({ planned: { phase, lastsMs }, names, replicas }: PhaseContext): void {
  if (lastsMs === 0) refuse('Expected it to last for some time, got 0');
  if (phase.load === undefined) refuse("Expected a load such as steady('100/s'), got none");
  const { from, to } = ratesOf(phase.load);
  for (const rate of [from, to]) if (toRatePerSecond(rate, 1) <= 0) refuse(`Expected a rate above 0, got '${rate}'`);
  for (const fault of phase.faults ?? []) checkFault(fault, { lastsMs, replicas });
  const earlier = names.slice(0, names.indexOf(phase.name));
  for (const expectation of phase.expect) checkExpectation({ expectation, names: earlier, replicas, lastsMs });
}

/** `names` are the phases it may compare with: those that are over when it is judged. */
function checkExpectation({
  expectation,
  names,
  replicas,
  lastsMs,
}: {
  expectation: Expectation;
  names: readonly string[];
  replicas: Record<Service, number>;
  lastsMs: number;
}): void {
  if (typeof expectation?.sentence !== 'string' || typeof expectation.judge !== 'function') {
    refuse("Expected expectations such as latency('browse').p95.below('1s'), got one that is not finished");
  }
  const { sentence, comparesWith, replica, withinMs = 0, percentile } = expectation;
  if (comparesWith !== undefined && !names.includes(comparesWith)) {
    refuse(`'${sentence}' compares with a phase that is not over by then; there are ${names.join(', ') || 'none'}`);
  }
  if (replica !== undefined) checkReplica(replica.service, replica.replica, replicas);
  if (withinMs > lastsMs) refuse(`'${sentence}' does not fit into ${lastsMs / 1_000} s`);
  if (percentile !== undefined && percentile.fromMs >= lastsMs) refuse(`'${sentence}' begins after its ${lastsMs / 1_000} s are over`);
}

function checkReplica(service: Service, replica: number, replicas: Record<Service, number>): void {
  if (!Number.isInteger(replica) || replica < 1 || replica > replicas[service]) {
    refuse(`There is no replica ${replica} of ${service}; it has ${replicas[service]}, numbered from 1`);
  }
}

function checkShoppers(shoppers: Shoppers): void {
  for (const route of routeNames) {
    if (!(shoppers[route] >= 0)) refuse(`Expected a number of shoppers from 0 who ${route}, got ${shoppers[route]}`);
  }
  if (routeNames.every((route) => shoppers[route] === 0)) refuse('Expected some shoppers, got none on any route');
  const stray = Object.keys(shoppers).find((name) => name !== 'wanted' && !(routeNames as string[]).includes(name));
  if (stray !== undefined) refuse(`Expected shoppers on the routes ${routeNames.join(', ')}, got '${stray}'`);
  const share = shoppers.wanted?.share ?? 0;
  if (!(share >= 0 && share <= 1))
    refuse(`Expected the share of shoppers who want '${shoppers.wanted?.product}' to be from 0 to 1, got ${share}`);
}

/** The catalogue is `sku-1` to `sku-200`; what is not in it can be neither stocked nor wanted. */
function checkProducts({ mall, shoppers }: Scenario): void {
  const named = [...Object.keys(mall.stock ?? {}), ...(shoppers.wanted === undefined ? [] : [shoppers.wanted.product])];
  for (const product of named) {
    const [, number] = /^sku-([1-9]\d*)$/.exec(product) ?? [];
    if (number === undefined || Number(number) > population.catalogue.size) {
      refuse(`Expected a product from 'sku-1' to 'sku-${population.catalogue.size}', got '${product}'`);
    }
  }
}

const timesOf = ({ from, lasts, every }: Fault) =>
  `${from === undefined ? '' : `, from ${from}`}${lasts === undefined ? '' : `, for ${lasts}`}${every === undefined ? '' : `, every ${every}`}`;

/** Runs a check so that what it complains about names the phase. */
function within<T>(phase: string, check: () => T): T {
  try {
    return check();
  } catch (thrown) {
    throw new UsageError(`Phase '${phase}': ${messageOf(thrown)}`, { cause: thrown });
  }
}

function refuse(sentence: string): never {
  throw new UsageError(sentence);
}
