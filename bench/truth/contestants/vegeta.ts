import { join } from 'node:path';
import { z } from 'zod';
import type { Contestant, Measured } from '../contestant.ts';
import { runCommand } from './command.ts';
import { contestantFrom, told, versionOf } from './tool.ts';

/** Its command line knows one rate; its workers grow without limit, as they do by default. */
export const vegeta: Contestant = contestantFrom({
  name: 'vegeta',
  version: () => versionOf('vegeta', ['-version']),
  cannot: { ramp: true, partsOfRates: true },
  command: ({ url, lastsMs, ratePerSecond, timeoutMs }, folder) => ({
    program: 'vegeta',
    args: [
      ...['attack', `-rate=${ratePerSecond}/1s`, `-duration=${lastsMs}ms`, `-timeout=${timeoutMs}ms`],
      `-output=${join(folder, 'results.bin')}`,
    ],
    input: `GET ${url}\n`,
  }),
  // Telling is no part of what the load cost.
  read: async (_stdout, { folder, signal }) => {
    const { code, stdout, stderr } = await runCommand(
      { program: 'vegeta', args: ['report', '-type=json', join(folder, 'results.bin')] },
      { signal },
    );
    if (code !== 0) throw new Error(`Expected vegeta to report, it ended with code ${code}: ${stderr.slice(-2_000)}`);
    return measuredByVegeta(JSON.parse(stdout));
  },
});

/** Nanoseconds. Code 0 is whatever got no answer, time limits among them; of the messages each is told once, not how often it came. */
const output = z.object({
  latencies: z.object({ '50th': z.number(), '90th': z.number().optional(), '99th': z.number(), max: z.number() }),
  requests: z.number(),
  status_codes: z.record(z.string(), z.number()).nullish(),
  errors: z.array(z.string()).nullish(),
});

export function measuredByVegeta(json: unknown): Measured {
  const { latencies, requests, status_codes: codes, errors: messages } = output.parse(json);
  const entries = Object.entries(codes ?? {});
  const answered = entries.filter(([code]) => isFine(code)).reduce((sum, [, times]) => sum + times, 0);
  const notes = (messages ?? []).slice(0, mostMessages);
  return {
    percentilesMs: told({
      p50: msOf(latencies['50th']),
      p90: msOf(latencies['90th']),
      p99: msOf(latencies['99th']),
      max: msOf(latencies.max),
    }),
    sent: requests,
    answered,
    errors: Object.fromEntries(
      entries.filter(([code]) => !isFine(code)).map(([code, times]) => [code === '0' ? 'no answer' : code, times]),
    ),
    ...(notes.length === 0 ? {} : { notes }),
  };
}

const mostMessages = 5;
const isFine = (code: string) => /^[23]/.test(code);
const msOf = (ns: number | undefined) => (ns === undefined ? undefined : ns / 1e6);
