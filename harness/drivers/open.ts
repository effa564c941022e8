import type { RunClock } from '../../core/time.ts';
import type { Arrivals } from '../pace.ts';
import type { Recording } from '../recording.ts';
import { startChild } from './child.ts';
import type { Population } from './journey.ts';
import type { LiveSecond } from './live.ts';
import type { OpenCalls, PlayedPhase } from './open-worker.ts';

export type { LiveSecond } from './live.ts';

export type OpenOptions = Population & {
  /** `host:port` of each; shoppers' requests go round them. */
  gateways: readonly string[];
  seed: number;
  clock: RunClock;
  /** 8 hex digits: the first 4 bytes of every trace id, and the beginning of every idempotency key. */
  runTag: string;
  /** `uniform` is for tests that predict a result by arithmetic. */
  arrivals?: Arrivals;
  /** A shopper who arrives when so many are waiting is counted as dropped: the generator's limit, not the mall's. */
  maxInFlight?: number;
  timeoutMs?: number;
  /** Share of the checkouts that were made which are made once more at once with the same idempotency key, as impatient software does. */
  repeatShare?: number;
  /** Ends the load at once, with its process. */
  signal: AbortSignal;
};

/**
 * Open load: shoppers arrive by a schedule whether or not the mall keeps up, and wait from the moment they meant to start. A stalled mall
 * therefore shows in the latencies of all who would have come, not only of those who got through.
 */
export type OpenDriver = {
  /** Process id of the generator. */
  pid: number;
  /** Logs in every account; needed before shoppers check out. Throws for the first that fails. */
  logIn: () => Promise<void>;
  /** JWTs of the accounts, in order, after `logIn`. */
  tokens: () => string[];
  /**
   * Plays a phase to its end; its last shoppers may still wait for answers then. Phases follow each other without a gap when the next is
   * asked for before the last one ended. `startAtMs` is on the run's clock.
   */
  play: (phase: PlayedPhase) => Promise<void>;
  /** Nobody arrives from now on, in this phase or another: `play` resolves at once. */
  halt: () => Promise<void>;
  /** Resolves when nobody waits for an answer. */
  drained: () => Promise<void>;
  /** Calls back once a second while there is load. */
  onSecond: (listener: (live: LiveSecond) => void) => void;
  /** All that was seen since the first phase. */
  finish: () => Promise<Recording>;
  close: () => Promise<void>;
};

export async function startOpenDriver({
  clock,
  signal,
  arrivals = 'poisson',
  maxInFlight = 5_000,
  timeoutMs = 5_000,
  repeatShare = 0.02,
  ...load
}: OpenOptions): Promise<OpenDriver> {
  const listeners: ((live: LiveSecond) => void)[] = [];
  const file = new URL('./open-worker.ts', import.meta.url);
  const child = startChild<OpenCalls>({ name: 'load generator', file, signal }, (event) => {
    for (const listener of listeners) listener(event as LiveSecond);
  });
  let tokens: string[] = [];

  await child.call('start', { ...load, arrivals, maxInFlight, timeoutMs, repeatShare, epochOffsetNs: clock.epochOffsetNs });
  return {
    pid: child.pid,
    logIn: async () => {
      tokens = await child.call('logIn');
    },
    tokens: () => tokens,
    play: (phase) => child.call('play', phase),
    halt: () => child.call('halt'),
    drained: () => child.call('drained'),
    onSecond: (listener) => {
      listeners.push(listener);
    },
    finish: () => child.call('finish'),
    close: child.close,
  };
}
