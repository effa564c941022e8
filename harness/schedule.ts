import { type Random, seededRandom } from '../core/random.ts';

/** Shoppers a second, going in a straight line from one rate to another. At a rate of 0 nobody comes; a stage of length 0 changes nothing. */
export type Stage = { lastsMs: number; fromPerSecond: number; toPerSecond: number };

/**
 * `poisson` is what shoppers do who know nothing of each other: now and then several come at once, and queues form that evenly
 * spaced arrivals would never show. `uniform` has no chance in it and is for results that are predicted by arithmetic.
 */
export type Arrivals = 'poisson' | 'uniform';

/** When shoppers arrive, as plain data that may cross threads. The same schedule has the same arrivals everywhere. */
export type Schedule = { stages: readonly Stage[]; arrivals: Arrivals; seed: number };

/**
 * The intended times of all arrivals: milliseconds since the start of the phase, ascending, from 0 to below the schedule's length. They come
 * one at a time, so that long phases cost no memory. `share` leaves those whose number i has i mod `of` = `index`: the shares of several
 * workers are together exactly the whole.
 *
 * Arrival i of a `uniform` schedule lies in the middle of the i-th unit of the area under the rate, and there are `round(area)` of them. For
 * `poisson` the arrivals of a process of rate 1, with exponential gaps between them, are laid along that area
 * (https://en.wikipedia.org/wiki/Poisson_point_process#Inhomogeneous_case). Throws `RangeError` for stages and shares that make no sense.
 */
export function arrivalTimes({ stages, arrivals, seed }: Schedule, share: Share = { index: 0, of: 1 }): Generator<number> {
  checkStages(stages);
  checkShare(share);
  const random = seededRandom(seed);
  return arrivals === 'uniform'
    ? timesOf(stages, { firstArea: 0.5, nextGap: () => 1, share })
    : timesOf(stages, { firstArea: exponential(random), nextGap: () => exponential(random), share });
}

/** How long it lasts, in milliseconds. */
export function lengthOf({ stages }: Pick<Schedule, 'stages'>): number {
  return stages.reduce((sum, { lastsMs }) => sum + lastsMs, 0);
}

/** The area under the rate: how many shoppers are meant to come, or to have come after `elapsedMs`. Seldom a whole number. */
export function expectedArrivals(stages: readonly Stage[], elapsedMs = Number.POSITIVE_INFINITY): number {
  let area = 0;
  for (const { fromMs, untilMs, fromArea, untilArea, stage } of piecesOf(stages)) {
    if (elapsedMs < untilMs) return elapsedMs <= fromMs ? area : fromArea + areaWithin(stage, elapsedMs - fromMs) / 1_000;
    area = untilArea;
  }
  return area;
}

type Share = { index: number; of: number };

/** A stage in which somebody may come, with the time and the area (in arrivals) at its borders. */
type Piece = { stage: Stage; fromMs: number; untilMs: number; fromArea: number; untilArea: number };

/**
 * Every share walks through all arrivals and leaves out those of others. To skip them unseen would save next to nothing, as the dice must be
 * rolled for each, and could put an arrival elsewhere than the whole has it.
 */
function* timesOf(
  stages: readonly Stage[],
  { firstArea, nextGap, share: { index, of } }: { firstArea: number; nextGap: () => number; share: Share },
): Generator<number> {
  const lastMs = lengthOf({ stages }) - roundingMs;
  let area = firstArea;
  let timeMs = 0;
  let place = 0;
  for (const piece of piecesOf(stages)) {
    const timeAt = inverseOf(piece);
    while (area <= piece.untilArea) {
      // On a rising rate, rounding may put an arrival a hair before the one it follows closely, and the last on the end.
      timeMs = Math.max(timeMs, Math.min(timeAt(area), lastMs));
      if (place === index) yield timeMs;
      place = place + 1 === of ? 0 : place + 1;
      area += nextGap();
    }
  }
}

/** Sums are in arrivals × 1,000: with whole rates and milliseconds they are exact, however many stages there are. */
function* piecesOf(stages: readonly Stage[]): Generator<Piece> {
  let untilMs = 0;
  let sum = 0;
  for (const stage of stages) {
    const [fromMs, fromArea] = [untilMs, sum / 1_000];
    untilMs += stage.lastsMs;
    sum += areaWithin(stage, stage.lastsMs);
    if (sum / 1_000 > fromArea) yield { stage, fromMs, untilMs, fromArea, untilArea: sum / 1_000 };
  }
}

/** The area under the first `ms` of a stage, × 1,000: a·t + g·t²/2. */
function areaWithin({ lastsMs, fromPerSecond, toPerSecond }: Stage, ms: number): number {
  return lastsMs === 0 ? 0 : (fromPerSecond + ((toPerSecond - fromPerSecond) * (ms / lastsMs)) / 2) * ms;
}

/**
 * When the area has been reached: solves a·t + g·t²/2 = area for t. Written as 2·area / (a + √(a² + 2g·area)) it also holds for a constant
 * rate (g = 0), and loses no digits where the two terms of the usual formula would cancel.
 */
function inverseOf({ stage: { lastsMs, fromPerSecond, toPerSecond }, fromMs, fromArea }: Piece): (area: number) => number {
  const growth = (toPerSecond - fromPerSecond) / lastsMs;
  return function timeAt(area) {
    if (area === fromArea) return fromMs;
    const within = (area - fromArea) * 1_000;
    // Falling to zero, the last arrivals may lie a rounding error below the root's floor.
    const root = Math.sqrt(Math.max(0, fromPerSecond * fromPerSecond + 2 * growth * within));
    return fromMs + Math.min(lastsMs, (2 * within) / (fromPerSecond + root));
  };
}

function checkStages(stages: readonly Stage[]): void {
  for (const { lastsMs, fromPerSecond, toPerSecond } of stages) {
    for (const [name, value] of Object.entries({ lastsMs, fromPerSecond, toPerSecond })) {
      if (!(Number.isFinite(value) && value >= 0))
        throw new RangeError(`Expected '${name}' of a stage to be a number from 0, got ${value}`);
    }
  }
}

function checkShare({ index, of }: Share): void {
  if (Number.isInteger(index) && Number.isInteger(of) && index >= 0 && index < of) return;
  throw new RangeError(`Expected a share numbered from 0 of a whole number of shares, got ${index} of ${of}`);
}

const exponential = (random: Random) => -Math.log(1 - random());

/** More than what a clock that counts from 1970 rounds off, so that the last arrival is before the end there, too. */
const roundingMs = 0.001;
