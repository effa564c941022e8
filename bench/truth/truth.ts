import type { Workload } from './contestant.ts';

/** What the right answers are, by arithmetic. Pure: what comes in are plans and stamps. */

/** How many requests a workload plans: the area under its rate. */
export function planned({
  lastsMs,
  ratePerSecond,
  toPerSecond = ratePerSecond,
}: Pick<Workload, 'lastsMs' | 'ratePerSecond' | 'toPerSecond'>) {
  return Math.round(((ratePerSecond + toPerSecond) / 2) * (lastsMs / 1_000));
}

/**
 * A percentile of the response times, in ms, when requests come evenly for `lastsMs` and nobody is served during `stoppedMs` of it. Who was due
 * `u` into the stop waits for the rest of it, so that a share x / T of all requests waits longer than S − x: the percentile `share` is
 * S − (1 − share) · T. Undefined where that is below zero: those did not see the stop.
 */
export function stallPercentileMs({
  share,
  stoppedMs,
  lastsMs,
}: {
  share: number;
  stoppedMs: number;
  lastsMs: number;
}): number | undefined {
  const ms = stoppedMs - (1 - share) * lastsMs;
  return ms > 0 ? ms : undefined;
}

/** A server that takes `serviceMs` for each, one at a time, and requests that come evenly and too fast for it. */
export type Overload = { ratePerSecond: number; serviceMs: number; lastsMs: number };

/** Request number i, from 0, is done (i + 1) services after the first came, and came i gaps after it: it waits i · (1/μ − 1/λ) + 1/μ. */
export function overloadResponseMs({ ratePerSecond, serviceMs }: Overload, i: number): number {
  return i * (serviceMs - 1_000 / ratePerSecond) + serviceMs;
}

/** Percentile `share` of all of them; the wait grows with every request, so it is the wait of request number share · N. */
export function overloadPercentileMs(overload: Overload, share: number): number {
  return overloadResponseMs(overload, Math.ceil(share * planned(overload)) - 1);
}

/** How many of them wait longer than `timeoutMs`. Who gave up is served all the same. */
export function overloadTimeouts(overload: Overload, timeoutMs: number): number {
  const gapMs = 1_000 / overload.ratePerSecond;
  const inTime = Math.floor((timeoutMs - overload.serviceMs) / (overload.serviceMs - gapMs)) + 1;
  return Math.max(0, planned(overload) - Math.max(0, inTime));
}

/**
 * Index of dispersion: variance by mean of how many arrive in a bin of time. 0 for arrivals like clockwork, 1 for a Poisson process, the size of
 * a volley for volleys (https://en.wikipedia.org/wiki/Index_of_dispersion). The first bin begins half a mean gap before the first arrival,
 * so that those of a clock do not lie on its edge; the last, unfinished one is left out. Undefined where there are fewer than two bins.
 */
export function dispersion(arrivedUs: ArrayLike<number>, binUs = 10_000): number | undefined {
  const [first, last] = [arrivedUs[0], arrivedUs[arrivedUs.length - 1]];
  if (first === undefined || last === undefined || arrivedUs.length < 2) return undefined;
  const startUs = first - (last - first) / (arrivedUs.length - 1) / 2;
  const bins = new Float64Array(Math.floor((last - startUs) / binUs));
  if (bins.length < 2) return undefined;
  for (let i = 0; i < arrivedUs.length; i += 1) {
    const bin = Math.floor(((arrivedUs[i] ?? 0) - startUs) / binUs);
    if (bin < bins.length) bins[bin] = (bins[bin] ?? 0) + 1;
  }
  const mean = bins.reduce((sum, count) => sum + count, 0) / bins.length;
  const variance = bins.reduce((sum, count) => sum + (count - mean) ** 2, 0) / (bins.length - 1);
  return variance / mean;
}

/** The smallest of the values that is not exceeded by a share of them; NaN, for what never came, counts as longer than all. */
export function percentile(values: Iterable<number>, share: number): number | undefined {
  // Typed arrays sort NaN to the end.
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length * (1 - Number.EPSILON)) - 1)];
}

/** What the server itself took for those it answered, in ms. */
export function servedMs({ arrivedUs, answeredUs }: { arrivedUs: Float64Array; answeredUs: Float64Array }): Float64Array {
  return answeredUs.map((us, i) => (us - (arrivedUs[i] ?? Number.NaN)) / 1_000).filter((ms) => !Number.isNaN(ms));
}

/**
 * Response times by the server's log alone, in ms: answer number i against the moment at which request number i was due, when requests come evenly.
 * Nothing in it comes from whoever sent them; their plan is laid as late as no arrival contradicts it, so that it began with the least delay
 * that any request met. Undefined when not all of them came: then nobody knows which is which. What was never answered is Infinity.
 */
export function respondedMs(
  { arrivedUs, answeredUs }: { arrivedUs: Float64Array; answeredUs: Float64Array },
  workload: Pick<Workload, 'lastsMs' | 'ratePerSecond'>,
): Float64Array | undefined {
  if (arrivedUs.length === 0 || arrivedUs.length !== planned(workload)) return undefined;
  const gapUs = 1e6 / workload.ratePerSecond;
  const startUs = arrivedUs.reduce((earliest, us, i) => Math.min(earliest, us - i * gapUs), Number.POSITIVE_INFINITY);
  // The same requests, whoever overtook whom: the order within a moment makes no difference to a percentile.
  const sorted = answeredUs.map((us) => (Number.isNaN(us) ? Number.POSITIVE_INFINITY : us)).sort();
  return sorted.map((us, i) => (us - (startUs + i * gapUs)) / 1_000);
}
