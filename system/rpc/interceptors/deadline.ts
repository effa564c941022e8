import type { RunClock } from '../../../core/time.ts';
import { refused } from '../../errors.ts';
import { attributes } from '../../telemetry/names.ts';
import { deadlineOf, hangUpOf, withEarlierDeadline } from '../context.ts';
import type { Call, Interceptor } from './interceptor.ts';

/**
 * Gives the call what is left of its caller's time, and no more than `budgetMs` (Infinity for no limit of its own); a call without time left, or
 * whose caller has gone away, is not begun. The handler is not interrupted when either happens later: its answer is no longer waited for, and what
 * it calls further on finds no time left. `enforcedBelow` leaves the waiting to a transport that keeps the deadline itself; a call for which
 * `isExempt` holds may take as long as it likes.
 */
export function deadline<C extends Call>(
  { clock }: { clock: RunClock },
  {
    budgetMs,
    enforcedBelow = false,
    isExempt = () => false,
  }: { budgetMs: number; enforcedBelow?: boolean; isExempt?: (call: C) => boolean },
): Interceptor<C> {
  return async function deadline(call, next) {
    if (isExempt(call)) return next(call);
    const hangUp = hangUpOf(call.context);
    if (hangUp?.aborted) throw hangUp.reason;
    const nowMs = clock.nowMs();
    const untilMs = Math.min(deadlineOf(call.context), nowMs + budgetMs);
    if (untilMs <= nowMs) throw outOfTime(call);
    call.context = withEarlierDeadline(call.context, untilMs);
    const answer = next(call);
    return enforcedBelow ? answer : whileAwaited(answer, { call, waitMs: untilMs - nowMs, hangUp });
  };
}

function outOfTime(call: Call): Error {
  call.span?.setAttribute(attributes.refusedBy, 'deadline');
  return refused('deadline');
}

type Waiting = { call: Call; waitMs: number; hangUp: AbortSignal | undefined };
function whileAwaited<T>(answer: Promise<T>, { call, waitMs, hangUp }: Waiting): Promise<T> {
  return new Promise((resolve, reject) => {
    const onHangUp = () => {
      end();
      reject(hangUp?.reason);
    };
    // Whole milliseconds, so that the timers of many calls share one list.
    const timer = Number.isFinite(waitMs)
      ? setTimeout(() => reject(outOfTime(call)), Math.min(Math.ceil(waitMs), longestTimerMs))
      : undefined;
    hangUp?.addEventListener('abort', onHangUp);
    const end = () => {
      clearTimeout(timer);
      hangUp?.removeEventListener('abort', onHangUp);
    };
    answer.then(
      (value) => {
        end();
        resolve(value);
      },
      (error) => {
        end();
        reject(error);
      },
    );
  });
}

/** A timer for longer would fire at once. */
const longestTimerMs = 2 ** 31 - 1;
