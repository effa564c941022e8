import { requestsPerShopper, type Shoppers } from '../load.ts';
import { type Child, startChild } from './child.ts';
import type { Crowd, CrowdCalls, CrowdRows } from './crowd-worker.ts';
import type { LiveSecond } from './live.ts';

export type ProbeOptions = {
  /** `host:port` of each. */
  gateways: readonly string[];
  /** JWTs of the seeded accounts, in order. */
  tokens: readonly string[];
  shoppers: Shoppers;
  catalogue: { size: number };
  /** 8 hex digits, another than the run's own: the probe's traces are made, for they cost something, but are no part of the story. */
  runTag: string;
  seed: number;
  epochOffsetNs: bigint;
  /** Code that has just started is a third slower: the warm-up uses it until it is not. */
  warmUpMs: number;
  warmUpConnections: number;
  measureMs: number;
  connections: number;
  signal: AbortSignal;
};

export type Capacity = {
  /** `requestsPerSecond` divided by what a shopper of this mix asks for. */
  shoppersPerSecond: number;
  /** Answers that served the shopper, "out of stock" included. */
  requestsPerSecond: number;
  connections: number;
  measuredMs: number;
  /** Answers that did not, and connections that broke, within the measured time. */
  errors: number;
  /** Present when more than 5% were errors: the number is then what the mall could still serve, not what it serves in health. */
  warning?: string;
};

/**
 * How much the mall can do: a closed crowd in which everybody asks again as soon as they are answered. Of autocannon we use the counts
 * only; its latencies are no basis for a verdict (they leave out what waited, and it mixes up answers after a broken connection).
 * Nobody buys the wanted product, so that the stock of the story is untouched. Throws when nothing was answered.
 */
export async function probeCapacity({
  signal,
  shoppers,
  warmUpMs,
  warmUpConnections,
  measureMs,
  connections,
  ...crowd
}: ProbeOptions): Promise<Capacity> {
  const child = startCrowd('capacity probe', signal);
  try {
    const { product = 'sku-1' } = shoppers.wanted ?? {};
    await child.call('start', { ...crowd, shoppers: { ...shoppers, wanted: { product, share: 0 } } });
    if (warmUpMs > 0) await child.call('measure', { connections: warmUpConnections, lastsMs: warmUpMs });
    const { served, errors, lastedMs } = await child.call('measure', { connections, lastsMs: measureMs });
    if (served === 0)
      throw new Error(`Expected the mall to serve the capacity probe, got ${errors} errors and no answer in ${lastedMs} ms`);

    const requestsPerSecond = served / (lastedMs / 1_000);
    const requestsOfOne = Object.values(requestsPerShopper(shoppers)).reduce((sum, requests) => sum + requests, 0);
    const capacity = { requestsPerSecond, shoppersPerSecond: requestsPerSecond / requestsOfOne, connections };
    return { ...capacity, measuredMs: lastedMs, errors, ...warningOf({ served, errors }) };
  } finally {
    await child.close();
  }
}

/**
 * A phase of closed load, for a mall in health: nothing is planned, so nobody is late, and nothing is said of the latency that shoppers would
 * have who come when they like. The signal ends it at once.
 */
export async function playCrowd(
  { name, connections, lastsMs, signal, ...crowd }: Crowd & { name: string; connections: number; lastsMs: number; signal: AbortSignal },
  onSecond: (live: LiveSecond) => void,
): Promise<CrowdRows> {
  const child = startCrowd('crowd', signal, (event) => onSecond(event as LiveSecond));
  try {
    await child.call('start', crowd);
    return await child.call('play', { name, connections, lastsMs });
  } finally {
    await child.close();
  }
}

const startCrowd = (name: string, signal: AbortSignal, onEvent?: (event: unknown) => void): Child<CrowdCalls> =>
  startChild<CrowdCalls>({ name, file: new URL('./crowd-worker.ts', import.meta.url), signal }, onEvent);

function warningOf({ served, errors }: { served: number; errors: number }): { warning?: string } {
  const share = errors / (served + errors);
  if (share <= 0.05) return {};
  return { warning: `${(share * 100).toFixed(1)}% of the probe's requests failed: ${errors} of ${served + errors}` };
}
