import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Contestant, Measured, Workload } from '../contestant.ts';
import { contestantFrom, told, versionOf } from './tool.ts';

/** One request for each virtual user, each on a connection of its own, as it does by default. */
export const artillery: Contestant = contestantFrom({
  name: 'artillery',
  version: () => versionOf('artillery', ['--version']),
  cannot: { partsOfSeconds: true },
  command: async (workload, folder) => {
    const script = join(folder, 'script.json');
    await writeFile(script, JSON.stringify(scriptFor(workload)));
    return {
      program: 'artillery',
      args: ['run', '--quiet', '--output', join(folder, reportName), script],
      env: { ARTILLERY_DISABLE_TELEMETRY: 'true' },
    };
  },
  read: async (_stdout, { folder }) => ({
    ...measuredByArtillery(JSON.parse(await readFile(join(folder, reportName), 'utf8'))),
    notes: ['percentiles are of http.response_time: until the first byte'],
  }),
});

const reportName = 'report.json';

/** Milliseconds. Where nothing was answered there is no summary. */
const output = z.object({
  aggregate: z.object({
    counters: z.record(z.string(), z.number()),
    summaries: z.record(z.string(), z.record(z.string(), z.number())).optional(),
  }),
});

export function measuredByArtillery(json: unknown): Measured {
  const { counters, summaries = {} } = output.parse(json).aggregate;
  const times = summaries['http.response_time'] ?? {};
  const codes = countersUnder(counters, 'http.codes.');
  const { ETIMEDOUT: timeouts = 0, ...errors } = Object.fromEntries(countersUnder(counters, 'errors.'));
  return {
    percentilesMs: told({ p50: times.p50 ?? times.median, p90: times.p90, p99: times.p99, p999: times.p999, max: times.max }),
    sent: counters['http.requests'] ?? 0,
    answered: codes.filter(([code]) => isFine(code)).reduce((sum, [, count]) => sum + count, 0),
    errors: { ...errors, ...Object.fromEntries(codes.filter(([code]) => !isFine(code))) },
    timeouts,
  };
}

function scriptFor({ url, lastsMs, ratePerSecond, toPerSecond, timeoutMs }: Workload) {
  const { origin, pathname, search } = new URL(url);
  const phase = { duration: lastsMs / 1_000, arrivalRate: ratePerSecond, ...(toPerSecond === undefined ? {} : { rampTo: toPerSecond }) };
  return {
    config: { target: origin, phases: [phase], http: { timeout: timeoutMs / 1_000 } },
    scenarios: [{ flow: [{ get: { url: pathname + search } }] }],
  };
}

function countersUnder(counters: Readonly<Record<string, number>>, prefix: string): [string, number][] {
  return Object.entries(counters).flatMap(([name, count]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), count]] : []));
}

const isFine = (code: string) => /^[23]/.test(code);
