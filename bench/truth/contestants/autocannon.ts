import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Contestant, Measured, Workload } from '../contestant.ts';
import type { AutocannonOrder } from './autocannon-child.ts';
import { contestantFrom, counted, type Tool, told } from './tool.ts';

/** As its defaults are: latencies are back-filled where an answer came late. */
export const autocannon: Contestant = contestantFrom(autocannonWith({ name: 'autocannon' }));

export const autocannonUncorrected: Contestant = contestantFrom(
  autocannonWith({ name: 'autocannon, uncorrected', ignoreCoordinatedOmission: true }),
);

/** Without a rate: every connection asks again as soon as it is answered. */
export const autocannonClosed: Contestant = contestantFrom(autocannonWith({ name: 'autocannon, closed', isClosed: true }));

function autocannonWith({
  name,
  ignoreCoordinatedOmission = false,
  isClosed = false,
}: {
  name: string;
  ignoreCoordinatedOmission?: boolean;
  isClosed?: boolean;
}): Tool {
  return {
    name,
    version: async () => versionField.parse(createRequire(import.meta.url)('autocannon/package.json')).version,
    cannot: { ramp: true, partsOfRates: true },
    command: ({ url, lastsMs, connections, timeoutMs, ratePerSecond }: Workload) => {
      const order: AutocannonOrder = {
        ...{ url, connections, duration: lastsMs / 1_000, timeout: Math.max(1, timeoutMs / 1_000) },
        ...(isClosed ? {} : { overallRate: ratePerSecond }),
        ...(ignoreCoordinatedOmission ? { ignoreCoordinatedOmission } : {}),
      };
      return { program: process.execPath, args: [childFile, JSON.stringify(order)] };
    },
    read: (stdout) => {
      const notes = [...(isClosed ? ['closed: no rate'] : []), ...(ignoreCoordinatedOmission ? ['with ignoreCoordinatedOmission'] : [])];
      return { ...measuredByAutocannon(JSON.parse(stdout)), ...(notes.length === 0 ? {} : { notes }) };
    },
  };
}

const childFile = fileURLToPath(new URL('./autocannon-child.ts', import.meta.url));
const versionField = z.object({ version: z.string() });

/** Whole milliseconds. Time limits that ran out are among `errors` too, and in no percentile. */
const output = z.object({
  latency: z.object({ p50: z.number(), p90: z.number(), p99: z.number(), p99_9: z.number(), max: z.number(), totalCount: z.number() }),
  requests: z.object({ sent: z.number() }),
  '2xx': z.number(),
  non2xx: z.number(),
  errors: z.number(),
  timeouts: z.number(),
  mismatches: z.number(),
  resets: z.number(),
});

export function measuredByAutocannon(json: unknown): Measured {
  const { latency, requests, '2xx': answered, non2xx, errors, timeouts, mismatches, resets } = output.parse(json);
  const { p50, p90, p99, p99_9: p999, max } = latency;
  return {
    percentilesMs: latency.totalCount === 0 ? {} : told({ p50, p90, p99, p999, max }),
    sent: requests.sent,
    answered,
    errors: counted({ errors: errors - timeouts, 'not 2xx': non2xx, mismatches, resets }),
    timeouts,
  };
}
