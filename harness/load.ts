import { described } from '../core/described.ts';
import { UsageError } from '../core/errors.ts';
import { type Duration, type Rate, toMs, toRatePerSecond } from '../core/units.ts';
import type { Route } from '../system/topology.ts';
import { checkFields, checkList, named } from './fields.ts';
import type { Arrivals, Stage } from './schedule.ts';

/** What comes at the mall in a phase. Rates are shoppers a second, or multiples of the probed capacity. */
export type Load = OpenLoad | Crowd;

/** Shoppers arrive whether or not the mall keeps up: by chance, unless it says otherwise. */
export type OpenLoad = { arrivals?: Arrivals } & (
  | { kind: 'steady'; rate: Rate }
  | { kind: 'ramp'; from: Rate; to: Rate }
  | { kind: 'spike'; base: Rate; to: Rate; at: Duration; lasts: Duration }
  | { kind: 'steps'; rates: readonly Rate[] }
  | { kind: 'stages'; stages: readonly Stretch[] }
);

/** Closed load: so many shoppers, of whom each comes again when they were answered, and no sooner. */
export type Crowd = { kind: 'crowd'; shoppers: number };

/** A part of a phase, whose rate goes in a straight line; `to` is `from` where it is not given. */
export type Stretch = { lasts: Duration; from: Rate; to?: Rate };

/** The same rate throughout the phase: `steady('100/s')`, `steady('0.4x')`. */
export const steady = (rate: Rate): OpenLoad => ({ kind: 'steady', rate });

/** A rate that grows or falls in a straight line over the phase: `ramp('0.4x', '2.5x')`. */
export const ramp = (from: Rate, to: Rate): OpenLoad => ({ kind: 'ramp', from, to });

/**
 * A rate that jumps up and down again, as at the hour of a sale; `at` counts from the start of the phase:
 * `spike({ base: '0.4x', to: '3x', at: '10s', lasts: '5s' })`
 */
export const spike = (how: { base: Rate; to: Rate; at: Duration; lasts: Duration }): OpenLoad => ({ ...how, kind: 'spike' });

/** One rate after the other, each for the same share of the phase: `steps(['100/s', '200/s', '400/s'])`. */
export const steps = (rates: readonly Rate[]): OpenLoad => ({ kind: 'steps', rates });

/**
 * Any shape, in straight lines that together fill the phase. Only here may a rate be `0/s`:
 * `stages([{ lasts: '5s', from: '0/s', to: '100/s' }, { lasts: '20s', from: '100/s' }, { lasts: '5s', from: '100/s', to: '0/s' }])`
 */
export const stages = (stretches: readonly Stretch[]): OpenLoad => ({ kind: 'stages', stages: stretches });

/**
 * Evenly spaced arrivals instead of those of chance, for results that are predicted by arithmetic: `uniformly(steady('100/s'))` lets somebody
 * come every 10 ms. Real shoppers never do; queues are shorter with it than they will be.
 */
export const uniformly = (load: OpenLoad): OpenLoad => ({ ...load, arrivals: 'uniform' });

/**
 * A fixed crowd that waits for answers: `crowd(200)`. It finds out what the mall can serve at most. As it sends least when the mall is slowest, it
 * says nothing about the latency that shoppers have: a phase with a crowd can have no faults and no percentiles.
 */
export const crowd = (shoppers: number): Crowd => ({ kind: 'crowd', shoppers });

/** Throws a `UsageError` for what is no load, or has a field too many, too few, or of no meaning. Whether it fits its phase `stagesOf` finds out. */
export function checkLoad(load: unknown): asserts load is Load {
  const kind = typeof load === 'object' && load !== null && 'kind' in load ? load.kind : undefined;
  if (!isKind(kind)) throw new UsageError(`Expected a load such as steady('100/s'), got ${described(load)}`);
  const fields = readersOf[kind];
  checkFields(kind, load, Object.keys(fields), { given: kind === 'crowd' ? ['kind'] : ['kind', 'arrivals'] });
  const written = load as Record<string, unknown>;
  for (const [name, read] of Object.entries(fields)) read(written[name], name);
  if (!['poisson', 'uniform'].includes((written.arrivals ?? 'poisson') as string)) {
    throw new UsageError(`Expected arrivals that are 'poisson' or 'uniform', got ${described(written.arrivals)}`);
  }
}

type Read = (written: unknown, name: string) => unknown;
const rate: Read = (written, name) => named(name, () => toRatePerSecond(written as Rate, 1));
const duration: Read = (written, name) => named(name, () => toMs(written as Duration));
/** What each kind is made of, and how that is read. */
const readersOf: Readonly<Record<Load['kind'], Readonly<Record<string, Read>>>> = {
  steady: { rate },
  ramp: { from: rate, to: rate },
  spike: { base: rate, to: rate, at: duration, lasts: duration },
  steps: {
    rates: (written, name) => {
      checkList(`'${name}'`, written, "['100/s', '200/s']");
      for (const each of written) rate(each, name);
    },
  },
  stages: {
    stages: (written, name) => {
      checkList(`'${name}'`, written, "[{ lasts: '5s', from: '0/s', to: '100/s' }]");
      for (const each of written) {
        checkFields('a stage', each, ['lasts', 'from', 'to']);
        const { lasts, from, to = from } = each as Partial<Stretch>;
        duration(lasts, 'lasts');
        rate(from, 'from');
        rate(to, 'to');
      }
    },
  },
  // How many may come the plan says.
  crowd: { shoppers: (written) => written },
};

const isKind = (kind: unknown): kind is Load['kind'] => typeof kind === 'string' && Object.hasOwn(readersOf, kind);

/** A generator that can never catch up is of no use, and hears nothing while it tries. */
export const mostPerSecond = 100_000;

/** Whether shoppers arrive by a plan. */
export const isOpen = (load: Load): load is OpenLoad => load.kind !== 'crowd';

/** How arrivals scatter around their rate. */
export const arrivalsOf = ({ arrivals = 'poisson' }: OpenLoad): Arrivals => arrivals;

/**
 * The rates of a phase as straight lines, in shoppers a second. Together they last as long as the phase. Throws a `UsageError` where they do
 * not fit into it, and a `TypeError` for a multiple of a capacity that is not given.
 */
export function stagesOf(load: OpenLoad, lastsMs: number, capacityPerSecond?: number): Stage[] {
  const stage = (ms: number, from: Rate, to = from): Stage => ({
    lastsMs: ms,
    fromPerSecond: toRatePerSecond(from, capacityPerSecond),
    toPerSecond: toRatePerSecond(to, capacityPerSecond),
  });
  switch (load.kind) {
    case 'steady':
      return [stage(lastsMs, load.rate)];
    case 'ramp':
      return [stage(lastsMs, load.from, load.to)];
    case 'spike': {
      const [beforeMs, spikeMs] = [toMs(load.at), toMs(load.lasts)];
      const endMs = beforeMs + spikeMs;
      if (spikeMs === 0) throw new UsageError(`Expected a spike that lasts for some time, got '${load.lasts}'`);
      if (exceeds(endMs, lastsMs)) throw new UsageError(`Expected a spike that is over after ${lastsMs} ms, got one until ${endMs} ms`);
      const parts = [stage(beforeMs, load.base), stage(spikeMs, load.to), stage(lastsMs - endMs, load.base)];
      return parts.filter((part) => part.lastsMs > 0);
    }
    case 'steps': {
      if (load.rates.length === 0) throw new UsageError("Expected steps such as steps(['100/s', '200/s']), got none");
      return load.rates.map((rate) => stage(lastsMs / load.rates.length, rate));
    }
    case 'stages': {
      const parts = load.stages.map(({ lasts, from, to }) => stage(toMs(lasts), from, to));
      const sumMs = parts.reduce((sum, part) => sum + part.lastsMs, 0);
      if (exceeds(sumMs, lastsMs) || exceeds(lastsMs, sumMs)) {
        throw new UsageError(`Expected stages that together last ${lastsMs} ms, got ${sumMs} ms`);
      }
      return parts;
    }
    default:
      return load satisfies never;
  }
}

/** Fractions of milliseconds, such as those of `0.1ms`, have no exact sum. */
const exceeds = (ms: number, limitMs: number) => ms - limitMs > 1e-6;

/** All rates of a load as they are written, in order; a crowd has none. */
export function ratesOf(load: Load): Rate[] {
  switch (load.kind) {
    case 'steady':
      return [load.rate];
    case 'ramp':
      return [load.from, load.to];
    case 'spike':
      return [load.base, load.to];
    case 'steps':
      return [...load.rates];
    case 'stages':
      return load.stages.flatMap(({ from, to }) => (to === undefined ? [from] : [from, to]));
    case 'crowd':
      return [];
    default:
      return load satisfies never;
  }
}

/** In words: `0.4x → 2.5x`, `100/s`, `100/s, from 10s for 5s 600/s`, `crowd of 200`. */
export function sentenceOf(load: Load): string {
  return isOpen(load) && arrivalsOf(load) === 'uniform' ? `${shapeOf(load)}, evenly spaced` : shapeOf(load);
}

function shapeOf(load: Load): string {
  switch (load.kind) {
    case 'steady':
      return load.rate;
    case 'ramp':
      return `${load.from} → ${load.to}`;
    case 'spike':
      return `${load.base}, from ${load.at} for ${load.lasts} ${load.to}`;
    case 'steps':
      return load.rates.join(', ');
    case 'stages':
      return load.stages.map(({ lasts, from, to = from }) => `${from === to ? from : `${from} → ${to}`} for ${lasts}`).join(', ');
    case 'crowd':
      return `crowd of ${load.shoppers}`;
    default:
      return load satisfies never;
  }
}

/**
 * How far shoppers go. Each one browses; those who `view` also look at a product; those who `checkout` also order it.
 * `{ browse: 5, view: 3, checkout: 2 }`: of ten shoppers five leave after browsing, three after a look, two buy.
 */
export type Shoppers = Record<Route, number> & {
  /** Share of shoppers who want this one product; the others spread evenly over the rest of the catalogue. */
  wanted?: { product: string; share: number };
};

/** How many requests of each route one shopper makes on average: all browse, some go on to view, some of those check out. */
export function requestsPerShopper(shoppers: Shoppers): Record<Route, number> {
  const all = shoppers.browse + shoppers.view + shoppers.checkout;
  return { browse: 1, view: (shoppers.view + shoppers.checkout) / all, checkout: shoppers.checkout / all };
}
