import type { Contestant, Measured, Workload } from '../contestant.ts';
import { contestantFrom, counted, told, versionOf } from './tool.ts';

/** Closed: every connection asks again as soon as it is answered. */
export const wrk: Contestant = contestantFrom({
  name: 'wrk',
  version: () => versionOf('wrk', ['--version']),
  cannot: { ramp: true, partsOfSeconds: true },
  command: (workload) => ({ program: 'wrk', args: [...argumentsFor(workload), workload.url] }),
  read: (stdout) => ({ ...measuredByWrk(stdout), notes: ['closed: no rate'] }),
});

/** wrk with a rate, whose percentiles count from when a request was due. */
export const wrk2: Contestant = contestantFrom({
  name: 'wrk2',
  version: () => versionOf('wrk2', ['--version']),
  cannot: { ramp: true, partsOfSeconds: true, partsOfRates: true },
  command: (workload) => ({ program: 'wrk2', args: [...argumentsFor(workload), '--rate', String(workload.ratePerSecond), workload.url] }),
  read: (stdout) => ({ ...measuredByWrk(stdout), notes: ['throws its first 10 s away'] }),
});

/** What either prints with `--latency`. */
export function measuredByWrk(text: string): Measured {
  const percentiles = new Map([...text.matchAll(/^ +([\d.]+)% +(\S+)$/gm)].map(([, share, time = '']) => [Number(share), msOf(time)]));
  const [, max = ''] = /^ +Latency +\S+ +\S+ +(\S+) /m.exec(text) ?? [];
  const responses = Number(numberAfter(/(\d+) requests in/, text));
  const refused = Number(numberAfter(/Non-2xx or 3xx responses: (\d+)/, text) ?? 0);
  const [, connect, read, write, timeout] = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text) ?? [];
  if (!Number.isFinite(responses)) throw new Error(`Expected wrk to tell how many requests it made, got:\n${text.slice(0, 1_000)}`);
  const percentilesMs = told({
    p50: percentiles.get(50),
    p90: percentiles.get(90),
    p99: percentiles.get(99),
    p999: percentiles.get(99.9),
    max: max === '' ? undefined : msOf(max),
  });
  return {
    // Of nothing it prints zeros.
    percentilesMs: responses === 0 ? {} : percentilesMs,
    answered: responses - refused,
    errors: counted({ 'not 2xx or 3xx': refused, connect: Number(connect ?? 0), read: Number(read ?? 0), write: Number(write ?? 0) }),
    timeouts: Number(timeout ?? 0),
  };
}

/** One thread: the other core is the server's. Time limits are whole seconds. */
function argumentsFor({ connections, lastsMs, timeoutMs }: Workload): string[] {
  const timeout = `${Math.max(1, Math.round(timeoutMs / 1_000))}s`;
  return ['--threads', '1', '--connections', String(connections), '--duration', `${lastsMs / 1_000}s`, '--timeout', timeout, '--latency'];
}

const numberAfter = (pattern: RegExp, text: string) => pattern.exec(text)?.[1];

function msOf(time: string): number {
  const [, amount = '', unit = ''] = /^([\d.]+)(us|ms|s|m|h)$/.exec(time) ?? [];
  return Number(amount) * (msPerUnit[unit] ?? Number.NaN);
}

const msPerUnit: Record<string, number> = { us: 0.001, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
