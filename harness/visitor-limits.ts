import { described } from '../core/described.ts';
import { UsageError } from '../core/errors.ts';
import { type Duration, toMs } from '../core/units.ts';
import { checkFields } from './fields.ts';

/** What a scenario may set of its visitors: `visitors: { timeout: '30s', atMost: 20_000, threads: 2 }`. */
export type VisitorLimits = {
  /** How long a visitor waits for a whole answer, from `10ms` to `60s`; without it `5s`. */
  timeout?: Duration;
  /** Who arrives when so many are under way is dropped: from 1 to 100,000, and one for each thread at least; without it 10,000. */
  atMost?: number;
  /** Threads that visitors live in, from 1 to 16; without it 1. */
  threads?: number;
};

/** The same in numbers, with nothing left out: what the load driver takes. */
export type LoadLimits = { timeoutMs: number; maxInFlight: number; threads: number };

export const defaultLimits: Readonly<LoadLimits> = { timeoutMs: 5_000, maxInFlight: 10_000, threads: 1 };

/** Throws a `UsageError` that names what is out of bounds. */
export function limitsOf(visitors: VisitorLimits = {}): LoadLimits {
  checkFields('visitors', visitors, ['timeout', 'atMost', 'threads']);
  const { timeout, atMost = defaultLimits.maxInFlight, threads = defaultLimits.threads } = visitors;
  const timeoutMs = timeout === undefined ? defaultLimits.timeoutMs : msOf(timeout);
  if (!(timeoutMs >= shortestMs && timeoutMs <= longestMs)) refuse("the 'timeout' of visitors to be a duration from 10ms to 60s", timeout);
  if (!isWhole(atMost, mostInFlight)) refuse(`'atMost' of visitors to be a whole number from 1 to ${mostInFlight}`, atMost);
  if (!isWhole(threads, mostThreads)) refuse(`the 'threads' of visitors to be a whole number from 1 to ${mostThreads}`, threads);
  if (atMost < threads) refuse(`'atMost' of visitors to be one for each of their ${threads} threads at least`, atMost);
  return { timeoutMs, maxInFlight: atMost, threads };
}

/** How many visitors one of the threads (`index` from 0) may have under way: what cannot be shared equally goes to the first of them. */
export const shareOf = (maxInFlight: number, { index, of }: { index: number; of: number }): number => Math.ceil((maxInFlight - index) / of);

/** What differs from the defaults, in words: `time limit 30 s, 2 threads`. Undefined where nothing does. */
export function sentenceOf({ timeoutMs, maxInFlight, threads }: LoadLimits): string | undefined {
  const parts = [
    ...(timeoutMs === defaultLimits.timeoutMs ? [] : [`time limit ${timeoutMs / 1_000} s`]),
    ...(maxInFlight === defaultLimits.maxInFlight ? [] : [`at most ${maxInFlight} under way`]),
    ...(threads === defaultLimits.threads ? [] : [`${threads} threads`]),
  ];
  return parts.length === 0 ? undefined : parts.join(', ');
}

/** Time limits are noticed every 10 ms, and what takes longer than a minute counts as a minute. */
const [shortestMs, longestMs] = [10, 60_000];
const mostInFlight = 100_000;
const mostThreads = 16;

const isWhole = (value: number, most: number) => Number.isInteger(value) && value >= 1 && value <= most;

function msOf(timeout: Duration): number {
  try {
    return toMs(timeout);
  } catch {
    // What is no duration is told in the same words as one that is too long.
    return Number.NaN;
  }
}

function refuse(expected: string, got: unknown): never {
  throw new UsageError(`Expected ${expected}, got ${described(got)}`);
}
