import { performance } from 'node:perf_hooks';
import { runClock } from '../../core/time.ts';

/**
 * The run's clock in milliseconds since the epoch, without the bigints of `RunClock`: a driver reads it several times for every request. What
 * passes between looking at the two clocks only ever makes the difference smaller, so the largest of some looks is the truest: threads then agree
 * to about a microsecond.
 */
export function clockOf(epochOffsetNs: bigint): () => number {
  const clock = runClock(epochOffsetNs);
  const looks = Array.from({ length: 20 }, () => clock.nowMs() - performance.now());
  const offsetMs = Math.max(...looks);
  return () => performance.now() + offsetMs;
}
