import type { RunClock } from '../../core/time.ts';
import { defaultLimits } from '../visitor-limits.ts';
import { startChild } from './child.ts';
import type { GeneratorCalls, PlayedPhase } from './generator.ts';
import type { JourneyModule } from './io-thread.ts';
import type { LiveSecond } from './live.ts';
import type { OpenRecording } from './recording-from.ts';

export type { PlayedPhase } from './generator.ts';
export type { LiveSecond } from './live.ts';

export type OpenOptions = {
  /** What those who arrive do. */
  journeys: JourneyModule;
  seed: number;
  clock: RunClock;
  /** 8 hex digits: the first 4 bytes of every trace id. Without it requests carry no trace. */
  runTag?: string;
  /** Who arrives when so many are under way is counted as dropped: the generator's limit, not the target's. Each thread has its share of it. */
  maxInFlight?: number;
  /** How long a visitor waits for an answer. */
  timeoutMs?: number;
  /** Threads that visitors live in; their arrivals and recordings add up to those of one. */
  threads?: number;
  /** Gets what journeys write to stdout and stderr, cut anywhere; all of it has come when the driver is closed. */
  onPrinted?: (text: string) => void;
  /** Ends the load at once, with its process. */
  signal: AbortSignal;
};

/**
 * Open load: visitors arrive by a schedule whether or not the target keeps up, and wait from the moment they meant to start. A stalled target
 * therefore shows in the latencies of all who would have come, not only of those who got through.
 */
export type OpenDriver = {
  /** Process id of the generator. */
  pid: number;
  /**
   * Plays a phase to its end; its last visitors may still wait for answers then. Phases follow each other without a gap when the next is
   * asked for before the last one ended.
   */
  play: (phase: PlayedPhase) => Promise<void>;
  /** Nobody arrives from now on, in this phase or another, and who is under way thinks no longer and takes no other step: `play` resolves at once. */
  halt: () => Promise<void>;
  /** Resolves when all who were to come have come, and nobody is under way. */
  drained: () => Promise<void>;
  /** Calls back once a second while there is load. */
  onSecond: (listener: (live: LiveSecond) => void) => void;
  /** All that was seen since the first phase. */
  finish: () => Promise<OpenRecording>;
  close: () => Promise<void>;
};

export async function startOpenDriver({
  clock,
  signal,
  onPrinted,
  maxInFlight = defaultLimits.maxInFlight,
  timeoutMs = defaultLimits.timeoutMs,
  threads = defaultLimits.threads,
  ...load
}: OpenOptions): Promise<OpenDriver> {
  const listeners: ((live: LiveSecond) => void)[] = [];
  const child = startChild<GeneratorCalls>(
    { name: 'load generator', file: new URL('./generator.ts', import.meta.url), signal, onPrinted },
    (event) => {
      for (const listener of listeners) listener(event as LiveSecond);
    },
  );

  try {
    const { epochOffsetNs } = clock;
    await child.call('start', { ...load, maxInFlight, timeoutMs, threads, epochOffsetNs });
  } catch (cause) {
    await child.close();
    throw cause;
  }
  return {
    pid: child.pid,
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
