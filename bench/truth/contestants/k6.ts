import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Contestant, Measured, Workload } from '../contestant.ts';
import { contestantFrom, counted, told, versionOf } from './tool.ts';

/** With its executors for open load. Everyone who may be busy at one time is a virtual user; arrivals that find none free are dropped. */
export const k6: Contestant = contestantFrom({
  name: 'k6',
  version: () => versionOf('k6', ['version']),
  cannot: { partsOfRates: true },
  command: async (workload, folder) => {
    const file = join(folder, 'script.js');
    await writeFile(file, scriptFor(workload));
    return { program: 'k6', args: ['run', '--quiet', '--no-usage-report', file] };
  },
  read: (stdout, { workload }) => {
    const { preAllocatedVUs, maxVUs } = virtualUsersFor(workload);
    return { ...measuredByK6(JSON.parse(stdout)), notes: [`preAllocatedVUs ${preAllocatedVUs}, maxVUs ${maxVUs}`] };
  },
});

/** A metric that nothing was counted in is absent. */
const metric = z.object({ values: z.record(z.string(), z.number()) }).optional();
const output = z.object({
  metrics: z.object({
    http_req_duration: metric,
    http_req_failed: metric,
    http_reqs: metric,
    'http_reqs{error_code:1050}': metric,
    dropped_iterations: metric,
  }),
});

/** Of its end-of-test summary: `http_req_duration` is of all requests, from when each was sent. */
export function measuredByK6(json: unknown): Measured {
  const { metrics } = output.parse(json);
  const times = metrics.http_req_duration?.values ?? {};
  const sent = metrics.http_reqs?.values.count ?? 0;
  // `passes` are those for which "failed" is true.
  const failed = metrics.http_req_failed?.values.passes ?? 0;
  const timeouts = metrics['http_reqs{error_code:1050}']?.values.count ?? 0;
  return {
    percentilesMs: told({ p50: times.med, p90: times['p(90)'], p99: times['p(99)'], p999: times['p(99.9)'], max: times.max }),
    sent,
    answered: sent - failed,
    errors: counted({ failed: failed - timeouts }),
    timeouts,
    dropped: metrics.dropped_iterations?.values.count ?? 0,
  };
}

/** A threshold that asks for nothing makes k6 tell what has this tag; 1050 is its code for a request that ran out of time. */
function scriptFor(workload: Workload): string {
  const { url, timeoutMs } = workload;
  const options = {
    discardResponseBodies: true,
    summaryTrendStats: ['med', 'p(90)', 'p(99)', 'p(99.9)', 'max', 'count'],
    thresholds: { 'http_reqs{error_code:1050}': [] },
    scenarios: { load: { ...executorFor(workload), ...virtualUsersFor(workload), gracefulStop: `${timeoutMs}ms` } },
  };
  return [
    `import http from 'k6/http';`,
    `export const options = ${JSON.stringify(options)};`,
    `export default function () { http.get(${JSON.stringify(url)}, { timeout: ${timeoutMs} }); }`,
    `export function handleSummary(data) { return { stdout: JSON.stringify(data) }; }`,
  ].join('\n');
}

function executorFor({ ratePerSecond, toPerSecond, lastsMs }: Workload) {
  const duration = `${lastsMs}ms`;
  return toPerSecond === undefined || toPerSecond === ratePerSecond
    ? { executor: 'constant-arrival-rate', rate: ratePerSecond, timeUnit: '1s', duration }
    : { executor: 'ramping-arrival-rate', startRate: ratePerSecond, timeUnit: '1s', stages: [{ target: toPerSecond, duration }] };
}

/** As many to begin with as others get connections, and room for four times as many: each costs megabytes. */
const virtualUsersFor = ({ connections }: Workload) => ({ preAllocatedVUs: connections, maxVUs: connections * 4 });
