import { UsageError } from '../core/errors.ts';
import { type Duration, type Percent, toMs, toShare } from '../core/units.ts';
import { type Edge, edges, isEdge, isRoute, type Route, routeNames } from '../system/topology.ts';
import type { LiveSecond } from './drivers/open.ts';
import { checkFields, named } from './fields.ts';
import type { Calls, Window } from './observe/observations.ts';

/** The blast radius of a scenario: what must not be hurt by it, come what may. */
export type StopCondition = { sentence: string; subject: Subject; aboveShare: number; forMs: number };
/** Calls on an edge of the mall, or what visitors ask for: a route of the mall, or a step of a journey. */
export type Subject = { kind: 'edge'; edge: Edge } | { kind: 'route'; route: string };

/** What is too much: such a share of errors, for so long without a pause. */
export type StopLimit = { errorsAbove: Percent; for: Duration };

/**
 * Ends the run when more than this share of the calls on an edge, or of the requests on a route, fails (or is refused) for so long without a pause.
 * All faults are undone at once, and the run proves nothing: `abortWhen('user->mysql', { errorsAbove: '50%', for: '10s' })`.
 */
export function abortWhen(subject: Edge | Route, limit: StopLimit): StopCondition {
  if (isEdge(subject)) return conditionOn({ kind: 'edge', edge: subject }, limit);
  if (isRoute(subject)) return abortWhenOf(subject, limit);
  throw new UsageError(`Expected abortWhen to watch a route (${routeNames.join(', ')}) or an edge (${edges.join(', ')}), got '${subject}'`);
}

/** The same for a route of any target. */
export const abortWhenOf = (route: string, limit: StopLimit) => conditionOn({ kind: 'route', route }, limit);

function conditionOn(subject: Subject, limit: StopLimit): StopCondition {
  checkFields('the limit of abortWhen', limit, ['errorsAbove', 'for']);
  const { errorsAbove, for: lasting } = limit;
  const [aboveShare, forMs] = [named('errorsAbove', () => toShare(errorsAbove)), named('for', () => toMs(lasting))];
  if (forMs === 0) throw new UsageError(`Expected abortWhen to have a time above 0 in 'for', got '${lasting}'`);
  const what = subject.kind === 'route' ? `${subject.route} requests` : `calls on ${subject.edge}`;
  return { sentence: `more than ${errorsAbove} of ${what} fail for ${lasting}`, subject, aboveShare, forMs };
}

/**
 * Looks at each second of a running timeline and answers the first condition that has come true. A second in which nothing was asked neither
 * begins trouble nor ends it. Spans come a little late: edges are judged a second behind. `nowMs` and the windows of `callsOn` are on one clock.
 */
export function watchConditions({
  conditions,
  callsOn,
  nowMs,
}: {
  conditions: readonly StopCondition[];
  callsOn: (edge: Edge, window: Window) => Calls;
  nowMs: () => number;
}): (live: Pick<LiveSecond, 'routes'>) => StopCondition | undefined {
  const troubledSinceMs = new Map<StopCondition, number>();

  return function look(live) {
    const untilMs = nowMs();
    return conditions.find((condition) => {
      const share = failingShare(condition, live, untilMs);
      if (share !== undefined && share <= condition.aboveShare) troubledSinceMs.delete(condition);
      if (share !== undefined && share > condition.aboveShare && !troubledSinceMs.has(condition)) {
        troubledSinceMs.set(condition, untilMs - secondMs);
      }
      return untilMs - (troubledSinceMs.get(condition) ?? untilMs) >= Math.max(condition.forMs, secondMs);
    });
  };

  /** Undefined where nothing was asked. */
  function failingShare({ subject }: StopCondition, { routes }: Pick<LiveSecond, 'routes'>, untilMs: number): number | undefined {
    if (subject.kind === 'route') {
      const { ended, failed } = routes[subject.route] ?? { ended: 0, failed: 0 };
      return ended === 0 ? undefined : failed / ended;
    }
    const { count, failed, refused } = callsOn(subject.edge, { fromMs: untilMs - 2 * secondMs, untilMs: untilMs - secondMs });
    return count === 0 ? undefined : (failed + refused) / count;
  }
}

const secondMs = 1_000;
