import { context } from '@opentelemetry/api';
import type { RunClock } from '../../../core/time.ts';
import { refused } from '../../errors.ts';
import { attributes } from '../../telemetry/names.ts';
import { deadlineOf, withDeadline } from '../context.ts';
import type { Call, Interceptor } from './interceptor.ts';

/**
 * Gives the call what is left of its caller's time, and no more than `budgetMs`; a call without time left is not begun.
 * The handler is not interrupted when the time is up: its answer is no longer waited for, and what it calls further on finds no time left.
 * `enforcedBelow` leaves the waiting to a transport that keeps the deadline itself.
 */
export function deadline<C extends Call>(
  { clock }: { clock: RunClock },
  { budgetMs, enforcedBelow = false }: { budgetMs: number; enforcedBelow?: boolean },
): Interceptor<C> {
  return async function deadline(call, next) {
    const nowMs = clock.nowMs();
    const untilMs = Math.min(deadlineOf(call.context), nowMs + budgetMs);
    if (untilMs <= nowMs) throw outOfTime(call);
    call.context = withDeadline(call.context, untilMs);
    const answer = context.with(call.context, next, undefined, call);
    return enforcedBelow ? answer : orOutOfTime(answer, untilMs - nowMs, () => outOfTime(call));
  };
}

function outOfTime(call: Call): Error {
  call.span?.setAttribute(attributes.refusedBy, 'deadline');
  return refused('deadline');
}

function orOutOfTime<T>(answer: Promise<T>, waitMs: number, makeError: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    // Whole milliseconds, so that the timers of many calls share one list.
    const timer = setTimeout(() => reject(makeError()), Math.ceil(waitMs));
    answer.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
