import type { Random } from '../../core/random.ts';
import { type ClockNs, secondNs } from './clock.ts';
import { createWindow } from './window.ts';

/**
 * Keeps a client's retries to a share of its calls, so that an outage is met with little more load than a calm day: the retry budget of the SRE
 * book ("Handling Overload", https://sre.google/sre-book/handling-overload/: a client-wide 10 %) over a sliding window, as Finagle's
 * `RetryBudget` keeps it (https://twitter.github.io/finagle/guide/Clients.html#retries: 10 s). Finagle grants ten retries a second on top, for
 * clients with few calls; here there is nothing on top, so retries <= share x calls in every window that ends with a retry, and in
 * the sum of them.
 */
export type RetryBudget = {
  /** A call is made for the first time. */
  call(): void;
  /** Whether it may be made once more; true counts the retry. */
  retry(): boolean;
};

export function createRetryBudget({ clockNs, share }: { clockNs: ClockNs; share: number }): RetryBudget {
  const window = createWindow<Bucket>({
    size: bucketCount,
    intervalNs: windowNs / bucketCount,
    startNs: clockNs(),
    create: () => ({ calls: 0, retries: 0 }),
    clear(bucket) {
      bucket.calls = 0;
      bucket.retries = 0;
    },
  });
  return {
    call() {
      window.current(clockNs()).calls += 1;
    },
    retry() {
      const nowNs = clockNs();
      let calls = 0;
      let retries = 0;
      window.visit(nowNs, (bucket) => {
        calls += bucket.calls;
        retries += bucket.retries;
      });
      if (retries + 1 > share * calls) return false;
      window.current(nowNs).retries += 1;
      return true;
    },
  };
}

type Bucket = { calls: number; retries: number };
const windowNs = 10 * secondNs;
const bucketCount = 10;

/**
 * Milliseconds to wait before a retry (1 is the first): exponential back-off with full jitter, so that clients whose calls failed together do not
 * come back together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export function backoffMs(
  retry: number,
  { random, firstDelayMs, longestDelayMs }: { random: Random; firstDelayMs: number; longestDelayMs: number },
): number {
  return random() * Math.min(longestDelayMs, firstDelayMs * 2 ** (retry - 1));
}
