import type { RunClock } from '../../../core/time.ts';
import { refused } from '../../errors.ts';
import type { Breaker } from '../../governance/breaker.ts';
import { guarded } from '../../governance/guarded.ts';
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
    const refuse = () => {
      call.span?.setAttribute(attributes.refusedBy, 'breaker');
      return refused('breaker');
    };
    return guarded(guard, { hasFailed, refuse }, () => next(call));
  };
}
