import { setTimeout as sleep } from 'node:timers/promises';
import type { RunClock } from '../../../core/time.ts';
import type { RetryBudget } from '../../governance/retry.ts';
import { deadlineOf, hangUpOf, remainingMs, withEarlierDeadline } from '../context.ts';
import type { Call, Interceptor } from './interceptor.ts';

/** `retried`: made once more; `withheld`: it could have been, but the budget is used up. */
export type RetryEvent = 'retried' | 'withheld';

/**
 * Makes a failed call again, at most `attempts` times in all, if `isWorthIt` holds for the failure, the `budget` allows it, and the wait before it
 * (`delayMs`, by the number of the retry) leaves time. All attempts share one limit of `budgetMs`. Each goes through the layers further in as a
 * call of its own.
 */
export function retry(
  { clock }: { clock: RunClock },
  {
    attempts,
    budgetMs,
    budget,
    isWorthIt,
    delayMs,
    onEvent,
    pause = (ms, signal) => sleep(ms, undefined, { signal }),
  }: {
    attempts: number;
    budgetMs: number;
    budget: RetryBudget;
    isWorthIt: (thrown: unknown) => boolean;
    delayMs: (retry: number) => number;
    onEvent: (event: RetryEvent) => void;
    pause?: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>;
  },
): Interceptor {
  return async function retry({ request, context: parent }, next) {
    const context = withEarlierDeadline(parent, Math.min(deadlineOf(parent), clock.nowMs() + budgetMs));
    budget.call();
    for (let attempt = 1; ; attempt += 1) {
      // The layers write into the call, so each attempt has its own.
      const call: Call = attempt === 1 ? { request, context } : { request, context, attempt };
      try {
        return await next(call);
      } catch (error) {
        if (attempt === attempts || !isWorthIt(error)) throw error;
        const waitMs = delayMs(attempt);
        if (waitMs >= remainingMs(clock, context) || hangUpOf(context)?.aborted) throw error;
        if (!budget.retry()) {
          onEvent('withheld');
          throw error;
        }
        onEvent('retried');
        // A caller who goes away meanwhile gets what failed.
        await pause(waitMs, hangUpOf(context)).catch(() => Promise.reject(error));
      }
    }
  };
}
