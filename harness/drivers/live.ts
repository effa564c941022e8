import type { Route } from '../../system/topology.ts';
import { answeredWell, type RequestOutcome, servedOutcomes } from '../record.ts';
import { longestUs, msAtPercentile, newHistogram } from '../recording.ts';

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
  routes: Partial<Record<Route, { ended: number; failed: number }>>;
  /** Absent in a second that served nobody. */
  latencyMsP50?: number;
  latencyMsP99?: number;
};

/** Counts what happens until it is taken, then starts anew. */
export function createLiveCounts() {
  let counts = noCounts();
  let latencies = newHistogram(2);

  return {
    planned: () => {
      counts.planned += 1;
    },
    sent: () => {
      counts.sent += 1;
    },
    ended: (route: Route, outcome: RequestOutcome, responseMs = 0) => {
      counts.outcomes[outcome] = (counts.outcomes[outcome] ?? 0) + 1;
      const { ended, failed } = counts.routes[route] ?? { ended: 0, failed: 0 };
      counts.routes[route] = { ended: ended + 1, failed: answeredWell.includes(outcome) ? failed : failed + 1 };
      if (servedOutcomes.includes(outcome)) latencies.recordValue(Math.min(longestUs, Math.max(0, Math.round(responseMs * 1_000))));
    },
    take: (now: { phase: string; atMs: number; inFlight: number }): LiveSecond => {
      const second: LiveSecond = { ...now, ...counts };
      if (latencies.totalCount > 0) {
        second.latencyMsP50 = msAtPercentile(latencies, 50);
        second.latencyMsP99 = msAtPercentile(latencies, 99);
      }
      counts = noCounts();
      latencies = newHistogram(2);
      return second;
    },
  };
}

const noCounts = (): Pick<LiveSecond, 'planned' | 'sent' | 'outcomes' | 'routes'> => ({ planned: 0, sent: 0, outcomes: {}, routes: {} });
