import type { Random } from '../core/random.ts';

/** Shoppers a second, going in a straight line from one rate to another. */
export type Pace = { lastsMs: number; fromPerSecond: number; toPerSecond: number };

/**
 * When shoppers arrive: milliseconds since the start of the phase, in order, one at a time so that long phases cost no memory.
 * `poisson` is what shoppers do who know nothing of each other: now and then several come at once, and queues form that evenly
 * spaced arrivals would never show. `uniform` has no chance in it and is for tests that predict a result by arithmetic.
 */
export type Arrivals = 'poisson' | 'uniform';

export function arrivalTimes(pace: Pace, { arrivals, random }: { arrivals: Arrivals; random: Random }): Iterable<number> {
  return arrivals === 'uniform' ? uniformTimes(pace) : poissonTimes(pace, random);
}

/** Exactly `round(expectedArrivals(pace))` times, each in the middle of its share of the area under the rate. */
export function* uniformTimes(pace: Pace): Generator<number> {
  const count = Math.round(expectedArrivals(pace));
  for (let index = 0; index < count; index++) yield timeOf(index + 0.5, pace);
}

/**
 * A Poisson process of changing rate, by rescaling time: arrivals of a process of rate 1, with exponential gaps between them, are laid
 * along the area under the rate (https://en.wikipedia.org/wiki/Poisson_point_process#Inhomogeneous_case).
 */
export function* poissonTimes(pace: Pace, random: Random): Generator<number> {
  const end = expectedArrivals(pace);
  for (let area = exponential(random); area < end; area += exponential(random)) yield timeOf(area, pace);
}

/** The area under the rate: how many shoppers the phase is meant to have, or to have had after `elapsedMs`. Seldom a whole number. */
export function expectedArrivals({ lastsMs, fromPerSecond, toPerSecond }: Pace, elapsedMs = lastsMs): number {
  if (lastsMs === 0) return 0;
  const growth = (toPerSecond - fromPerSecond) / lastsMs;
  return (fromPerSecond * elapsedMs + (growth * elapsedMs ** 2) / 2) / 1_000;
}

/**
 * The inverse of `expectedArrivals`: solves a·t + g·t²/2 = area for t. Written as 2·area / (a + √(a² + 2g·area)) it also holds for a
 * constant rate (g = 0), and loses no digits where the two terms of the usual formula would cancel.
 */
function timeOf(area: number, { lastsMs, fromPerSecond, toPerSecond }: Pace): number {
  if (area === 0) return 0;
  const scaled = area * 1_000;
  const growth = (toPerSecond - fromPerSecond) / lastsMs;
  // Falling to zero, the last arrivals may lie a rounding error below the root's floor.
  const root = Math.sqrt(Math.max(0, fromPerSecond ** 2 + 2 * growth * scaled));
  return Math.min(lastsMs, (2 * scaled) / (fromPerSecond + root));
}

const exponential = (random: Random) => -Math.log(1 - random());
