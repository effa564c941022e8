import { messageOf } from '../../../core/errors.ts';
import type { RunClock } from '../../../core/time.ts';
import { refused } from '../../errors.ts';
import type { Breaker } from '../../governance/breaker.ts';
import { attributes } from '../../telemetry/names.ts';
import { deadlineOf, hangUpOf } from '../context.ts';
import type { Call, Interceptor } from './interceptor.ts';

/**
 * Refuses what `guard` does not allow, and tells it how the rest ended. `hasFailed` says which rejections count against the callee,
 * `reasonOf` what the guard remembers of them.
 */
export function breaker<C extends Call>(
  { clock }: { clock: RunClock },
  {
    guard,
    hasFailed,
    reasonOf = messageOf,
  }: { guard: Breaker; hasFailed: (thrown: unknown) => boolean; reasonOf?: (thrown: unknown) => string },
): Interceptor<C> {
  return async function breaker(call, next) {
    // A call that comes without time left, or whose caller has gone, will not be begun, so it says nothing about the callee.
    if (deadlineOf(call.context) <= clock.nowMs() || hangUpOf(call.context)?.aborted) return next(call);
    if (!guard.allow()) {
      call.span?.setAttribute(attributes.refusedBy, 'breaker');
      throw refused('breaker');
    }
    try {
      const answer = await next(call);
      guard.success();
      return answer;
    } catch (error) {
      if (hasFailed(error)) guard.failure(reasonOf(error));
      else guard.success();
      throw error;
    }
  };
}
