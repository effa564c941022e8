import { bucketCount, bucketOf, valueAt } from '../../core/histogram.ts';
import { answeredWell, type RequestOutcome, servedOutcomes } from '../record.ts';

/** The last second of a running load, for whoever watches. Counts are requests; latencies are of answers that served the shopper. */
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
  /** Absent in a second that served nobody. */
  latencyMsP50?: number;
  latencyMsP99?: number;
  /** How late the latest was sent on their way who came by the plan. */
  lagMsMax: number;
};

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

/** The second of all threads together. */
export function liveSecond(now: { phase: string; atMs: number }, threads: readonly LiveCounts[]): LiveSecond {
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
  const [p50, p99] = [valueAt(served, 0.5), valueAt(served, 0.99)];
  return {
    ...now,
    ...counts,
    ...(p50 === undefined || p99 === undefined ? {} : { latencyMsP50: p50 / 1_000, latencyMsP99: p99 / 1_000 }),
  };
}

const noCounts = (): LiveCounts => ({
  ...{ planned: 0, sent: 0, inFlight: 0, lagMsMax: 0 },
  ...{ outcomes: {}, routes: {}, served: new Uint32Array(bucketCount) },
});
