import { type Context, context, createContextKey } from '@opentelemetry/api';
import type { RunClock } from '../../core/time.ts';

const deadlineKey = createContextKey('mall.deadline');

/** The time left for the work at hand travels in the active context, so that no handler has to pass it on. Milliseconds of the run's clock. */
export const withDeadline = (parent: Context, deadlineMs: number): Context => parent.setValue(deadlineKey, deadlineMs);

/** When whoever asked for the work at hand stops waiting; Infinity where nobody set a limit. */
export const deadlineOf = (current: Context = context.active()): number =>
  (current.getValue(deadlineKey) as number | undefined) ?? Number.POSITIVE_INFINITY;

/** Milliseconds until then: 0 or less when it has passed. */
export const remainingMs = (clock: RunClock, current: Context = context.active()): number => deadlineOf(current) - clock.nowMs();
