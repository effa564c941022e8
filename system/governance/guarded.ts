import { messageOf } from '../../core/errors.ts';
import type { Breaker } from './breaker.ts';

/**
 * Does `work` if the breaker allows it, and tells the breaker how it ended. Where the breaker refuses, nothing is begun and `instead` is asked: it
 * rejects with the refusal, or answers in place of `work`. A rejection of `work` is passed on as it is and never leads there (governance.md 1.4).
 */
export type Guarded = <T>(work: () => Promise<T>, instead: () => Promise<T>) => Promise<T>;

/** A rejection counts as a failure when `hasFailed` says so, and as a success otherwise. */
export function guardedBy(breaker: Breaker, { hasFailed }: { hasFailed: (thrown: unknown) => boolean }): Guarded {
  function succeeded<T>(answer: T): T {
    breaker.success();
    return answer;
  }

  function ended(thrown: unknown): never {
    if (hasFailed(thrown)) breaker.failure(messageOf(thrown));
    else breaker.success();
    throw thrown;
  }

  // Neither async nor with functions made for each call: that would cost as much again as the decision.
  return function guarded(work, instead) {
    return breaker.allow() ? work().then(succeeded, ended) : instead();
  };
}
