import type { RunClock } from '../../../core/time.ts';
import { refused } from '../../errors.ts';
import type { Breaker } from '../../governance/breaker.ts';
import { attributes } from '../../telemetry/names.ts';
import { deadlineOf } from '../context.ts';
import type { Call, Interceptor } from './interceptor.ts';

/** Refuses what `guard` does not allow, and tells it how the rest ended. `hasFailed` says which rejections count against the callee. */
export function breaker<C extends Call>(
  { clock }: { clock: RunClock },
  { guard, hasFailed }: { guard: Breaker; hasFailed: (thrown: unknown) => boolean },
): Interceptor<C> {
  return async function breaker(call, next) {
    // A call that comes without time left will not be begun, so it says nothing about the callee.
    if (deadlineOf(call.context) <= clock.nowMs()) return next(call);
    if (!guard.allow()) {
      call.span?.setAttribute(attributes.refusedBy, 'breaker');
      throw refused('breaker');
    }
    try {
      const answer = await next(call);
      guard.success();
      return answer;
    } catch (error) {
      if (hasFailed(error)) guard.failure();
      else guard.success();
      throw error;
    }
  };
}
