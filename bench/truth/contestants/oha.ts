import { z } from 'zod';
import type { Contestant, Measured } from '../contestant.ts';
import { contestantFrom, told, versionOf } from './tool.ts';

/** With `--latency-correction`, which counts from when a request was due, and waiting for what is under way at the end: its most honest way. */
export const oha: Contestant = contestantFrom({
  name: 'oha',
  version: () => versionOf('oha', ['--version']),
  cannot: { ramp: true, partsOfRates: true },
  command: ({ url, lastsMs, ratePerSecond, connections, timeoutMs }) => ({
    program: 'oha',
    args: [
      ...['--no-tui', '--output-format', 'json', '--latency-correction', '--wait-ongoing-requests-after-deadline'],
      ...['-z', `${lastsMs}ms`, '-q', String(ratePerSecond), '-c', String(connections), '-t', `${timeoutMs}ms`, url],
    ],
  }),
  read: (stdout) => ({ ...measuredByOha(JSON.parse(stdout)), notes: ['with --latency-correction'] }),
});

/** Seconds; its percentiles are of requests that were answered, null when none was. */
const counts = z.record(z.string(), z.number());
const seconds = z.number().nullish();
const output = z.object({
  summary: z.object({ slowest: seconds }),
  latencyPercentiles: z.object({ p50: seconds, p90: seconds, p99: seconds, 'p99.9': seconds }),
  statusCodeDistribution: counts,
  errorDistribution: counts,
});

export function measuredByOha(json: unknown): Measured {
  const { summary, latencyPercentiles, statusCodeDistribution, errorDistribution } = output.parse(json);
  const { timeout = 0, ...errors } = errorDistribution;
  const codes = Object.entries(statusCodeDistribution);
  const answered = sumOf(codes.filter(([code]) => isFine(code)));
  return {
    percentilesMs: told({
      p50: msOf(latencyPercentiles.p50),
      p90: msOf(latencyPercentiles.p90),
      p99: msOf(latencyPercentiles.p99),
      p999: msOf(latencyPercentiles['p99.9']),
      max: msOf(summary.slowest),
    }),
    sent: sumOf(codes) + sumOf(Object.entries(errorDistribution)),
    answered,
    errors: { ...errors, ...Object.fromEntries(codes.filter(([code]) => !isFine(code))) },
    timeouts: timeout,
  };
}

const isFine = (code: string) => /^[23]/.test(code);
const msOf = (value: number | null | undefined) => (typeof value === 'number' ? value * 1_000 : undefined);
const sumOf = (entries: readonly (readonly [string, number])[]) => entries.reduce((sum, [, times]) => sum + times, 0);
