import { bucketCount, bucketOf, totalOf, valueAt } from '../../core/histogram.ts';
import { answeredWell, type RequestOutcome, servedOutcomes } from '../record.ts';

/** The last second of a running load, for whoever watches. Counts are requests; latencies are of those that served the shopper or were given up. */
export type LiveSecond = {
  phase: string;
  /** Milliseconds since the start of the first phase. */
  atMs: number;
  planned: number;
  sent: number;
  inFlight: number;
  outcomes: Partial<Record<RequestOutcome, number>>;
  /** Requests that ended, by route, and those of them that did not serve the shopper. */
  routes: Record<string, { ended: number; failed: number }>;
  /** Absent in a second that nobody was served or gave up in. */
  latencyMs?: { p50: Measured; p99: Measured };
  /** How late the latest was sent on their way who came by the plan. */
  lagMsMax: number;
  /** For how long a thread of the load has not answered: the counts are of the others then. Absent where all answer. */
  silentMs?: number;
};

/** A time that is censored took longer than `ms`, nobody knows by how much. */
export type Measured = { ms: number; isCensored: boolean };

/** What one thread saw in a second, as plain data; `served` are the buckets of response times. */
export type LiveCounts = Pick<LiveSecond, 'planned' | 'sent' | 'inFlight' | 'outcomes' | 'routes' | 'lagMsMax'> & { served: Uint32Array };

/** Counts what happens until it is taken, then starts anew. */
export function createLiveCounts() {
  let counts = noCounts();

  return {
    planned: () => {
      counts.planned += 1;
    },
    sent: () => {
      counts.sent += 1;
    },
    late: (lagMs: number) => {
      if (lagMs > counts.lagMsMax) counts.lagMsMax = lagMs;
    },
    ended: (route: string, outcome: RequestOutcome, responseMs: number) => {
      counts.outcomes[outcome] = (counts.outcomes[outcome] ?? 0) + 1;
      const ofRoute = counts.routes[route] ?? { ended: 0, failed: 0 };
      counts.routes[route] = ofRoute;
      ofRoute.ended += 1;
      if (!answeredWell.includes(outcome)) ofRoute.failed += 1;
      if (servedOutcomes.includes(outcome)) {
        const bucket = bucketOf(responseMs * 1_000);
        counts.served[bucket] = (counts.served[bucket] ?? 0) + 1;
      }
    },
    take: (inFlight: number): LiveCounts => {
      const taken = { ...counts, inFlight };
      counts = noCounts();
      return taken;
    },
  };
}

/** The second of all threads together, whose visitors wait for `timeoutMs`. */
export function liveSecond(
  { timeoutMs, ...now }: Pick<LiveSecond, 'phase' | 'atMs' | 'silentMs'> & { timeoutMs: number },
  threads: readonly LiveCounts[],
): LiveSecond {
  const all = noCounts();
  for (const thread of threads) {
    all.planned += thread.planned;
    all.sent += thread.sent;
    all.inFlight += thread.inFlight;
    all.lagMsMax = Math.max(all.lagMsMax, thread.lagMsMax);
    for (const [outcome, count] of Object.entries(thread.outcomes)) {
      all.outcomes[outcome as RequestOutcome] = (all.outcomes[outcome as RequestOutcome] ?? 0) + count;
    }
    for (const [route, { ended, failed }] of Object.entries(thread.routes)) {
      const ofRoute = all.routes[route] ?? { ended: 0, failed: 0 };
      all.routes[route] = { ended: ofRoute.ended + ended, failed: ofRoute.failed + failed };
    }
    for (const [bucket, count] of thread.served.entries()) all.served[bucket] = (all.served[bucket] ?? 0) + count;
  }
  const { served, ...counts } = all;
  const [p50, p99] = [0.5, 0.99].map((share) => measuredAt(share, { served, timedOut: counts.outcomes.timeout ?? 0, timeoutMs }));
  return { ...now, ...counts, ...(p50 === undefined || p99 === undefined ? {} : { latencyMs: { p50, p99 } }) };
}

/** Whoever gave up would have waited longer than all who were served; without them a percentile would be that of the lucky. */
function measuredAt(
  share: number,
  { served, timedOut, timeoutMs }: { served: Uint32Array; timedOut: number; timeoutMs: number },
): Measured | undefined {
  const servedCount = totalOf(served);
  const count = servedCount + timedOut;
  if (count === 0) return undefined;
  // 7 % of 100 are 7, also in floating point, where they are a little more.
  const rank = Math.max(1, Math.ceil(share * count * (1 - Number.EPSILON)));
  if (rank > servedCount) return { ms: timeoutMs, isCensored: true };
  return { ms: (valueAt(served, rank / servedCount) ?? 0) / 1_000, isCensored: false };
}

/** Of a second in which nothing happened, but that so many are under way. */
export const noCounts = (inFlight = 0): LiveCounts => ({
  ...{ planned: 0, sent: 0, inFlight, lagMsMax: 0 },
  ...{ outcomes: {}, routes: {}, served: new Uint32Array(bucketCount) },
});
