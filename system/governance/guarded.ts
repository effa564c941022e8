import type { Breaker } from './breaker.ts';

/** Does `work` if the breaker allows it, and tells the breaker how it ended; rejects with what `refuse` makes where it does not. */
export async function guarded<T>(
  breaker: Breaker,
  { hasFailed, refuse }: { hasFailed: (thrown: unknown) => boolean; refuse: () => Error },
  work: () => Promise<T>,
): Promise<T> {
  if (!breaker.allow()) throw refuse();
  try {
    const answer = await work();
    breaker.success();
    return answer;
  } catch (error) {
    if (hasFailed(error)) breaker.failure();
    else breaker.success();
    throw error;
  }
}
