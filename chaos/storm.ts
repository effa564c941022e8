import { UsageError } from '../core/errors.ts';
import { type Random, seededRandom } from '../core/random.ts';
import { type Duration, type Rate, toMs, toRatePerSecond } from '../core/units.ts';
import type { Edge } from '../system/topology.ts';
import {
  blackHole,
  closeAfter,
  cut,
  type Direction,
  type NetworkFault,
  reset,
  silent,
  slice,
  slow,
  slowClose,
  throttle,
} from './faults.ts';

/**
 * Random faults for a soak run: they begin at random, `rate` a second in the mean (a Poisson process), each on one of the `edges`, of any kind,
 * and end before the storm does. The same seed gives the same faults. Without edges or a rate, and beyond 1000 faults in the mean, it is a
 * `UsageError`. `faults: storm({ seed: 7, edges: ['orders->payment'], rate: '0.5/s', lasts: '1m' })`
 */
export function storm({
  seed,
  edges,
  rate,
  lasts,
  from = '0ms',
}: {
  seed: number;
  edges: readonly [Edge, ...Edge[]];
  rate: Rate;
  /** Of the storm. */
  lasts: Duration;
  from?: Duration;
}): NetworkFault[] {
  const random = seededRandom(seed);
  const [perSecond, startMs, lastsMs] = [toRatePerSecond(rate), toMs(from), toMs(lasts)];
  if (!(perSecond > 0)) throw new UsageError(`Expected a storm to have a rate above 0, got '${rate}'`);
  if (edges.length === 0) throw new UsageError('Expected a storm to have edges, got none');
  if ((perSecond * lastsMs) / 1_000 > mostFaults) {
    throw new UsageError(`Expected a storm of at most ${mostFaults} faults, got '${rate}' for ${lasts}`);
  }
  const faults: NetworkFault[] = [];
  for (let atMs = gapMs(); atMs < lastsMs - shortestMs; atMs += gapMs()) {
    const mostMs = Math.min(longestMs, lastsMs - atMs);
    const when = { from: ms(startMs + atMs), lasts: ms(between(random, shortestMs, mostMs)) };
    faults.push(drawFault(random, pick(random, edges), when));
  }
  return faults;

  function gapMs(): number {
    return (-Math.log(1 - random()) * 1_000) / perSecond;
  }
}

const [shortestMs, longestMs] = [200, 5_000];
/** Each is a line of the record and of the report. */
const mostFaults = 1_000;

function drawFault(random: Random, edge: Edge, when: { from: Duration; lasts: Duration }): NetworkFault {
  const how = { ...when, direction: pick(random, directions), ...(random() < 0.3 ? { toxicity: '50%' as const } : {}) };
  const kinds: readonly (() => NetworkFault)[] = [
    () => slow(edge, { by: ms(between(random, 20, 1_000)), jitter: ms(between(random, 0, 200)), ...how }),
    () => cut(edge, when),
    () => silent(edge, how),
    () => blackHole(edge, how),
    () => reset(edge, how),
    () => throttle(edge, { kilobytesPerSecond: between(random, 1, 100), ...how }),
    () => slice(edge, { bytes: between(random, 10, 500), pause: ms(between(random, 1, 5)), ...how }),
    () => closeAfter(edge, { bytes: between(random, 100, 20_000), ...how }),
    () => slowClose(edge, { by: ms(between(random, 50, 2_000)), ...how }),
  ];
  return pick(random, kinds)();
}

const directions: readonly Direction[] = ['upstream', 'downstream', 'both'];

function pick<T>(random: Random, choices: readonly T[]): T {
  const chosen = choices[Math.floor(random() * choices.length)];
  if (chosen === undefined) throw new RangeError('Expected something to choose from, got nothing');
  return chosen;
}

const between = (random: Random, least: number, most: number) => Math.round(least + random() * (most - least));
const ms = (number: number): Duration => `${Math.round(number)}ms`;
