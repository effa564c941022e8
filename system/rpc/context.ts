import { type Context, context, createContextKey } from '@opentelemetry/api';
import type { RunClock } from '../../core/time.ts';

/*
 * How long whoever asked for the work at hand waits for it, and whether he still does. It travels in the active context, so that no handler
 * has to pass it on.
 */

/** `deadlineMs` is in milliseconds of the run's clock. `hangUp` is aborted when the asker goes away before his answer, with the failure it is. */
type Asker = { readonly deadlineMs: number; readonly hangUp: AbortController | undefined };
const askerKey = createContextKey('mall.asker');
const askerOf = (current: Context): Asker | undefined => current.getValue(askerKey) as Asker | undefined;

/** For work that begins here, or that has its own time: whoever asked for the work in `parent` has no say in it. */
export const withDeadline = (parent: Context, deadlineMs: number, hangUp?: AbortController): Context =>
  parent.setValue(askerKey, { deadlineMs, hangUp } satisfies Asker);

/** For a part of the work in `parent` that gets less time. Whoever asked for the whole may still go away. */
export const withEarlierDeadline = (parent: Context, deadlineMs: number): Context =>
  withDeadline(parent, deadlineMs, askerOf(parent)?.hangUp);

/** When whoever asked for the work at hand stops waiting; Infinity where nobody set a limit. */
export const deadlineOf = (current: Context = context.active()): number => askerOf(current)?.deadlineMs ?? Number.POSITIVE_INFINITY;

/** Milliseconds until then: 0 or less when it has passed. */
export const remainingMs = (clock: RunClock, current: Context = context.active()): number => deadlineOf(current) - clock.nowMs();

/** Fires when whoever asked for the work at hand has gone away; undefined where that cannot be known. */
export const hangUpOf = (current: Context = context.active()): AbortSignal | undefined => askerOf(current)?.hangUp?.signal;
