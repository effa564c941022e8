import { UsageError } from '../core/errors.ts';
import { type Duration, type Percent, toMs, toShare } from '../core/units.ts';
import { type Edge, edges, isEdge, isRoute, type Route, routeNames } from '../system/topology.ts';
import type { LiveSecond } from './drivers/open.ts';
import type { Calls, Window } from './observe/observations.ts';

/** The blast radius of a scenario: what must not be hurt by it, come what may. */
export type StopCondition = { sentence: string; subject: Edge | Route; aboveShare: number; forMs: number };

/**
 * Ends the run when more than this share of the calls on an edge, or of the requests on a route, fails (or is refused) for so long without a pause.
 * All faults are undone at once, and the run proves nothing: `abortWhen('user->mysql', { errorsAbove: '50%', for: '10s' })`.
 */
export function abortWhen(subject: Edge | Route, { errorsAbove, for: lasting }: { errorsAbove: Percent; for: Duration }): StopCondition {
  if (!isEdge(subject) && !isRoute(subject)) {
    throw new UsageError(
      `Expected abortWhen to watch a route (${routeNames.join(', ')}) or an edge (${edges.join(', ')}), got '${subject}'`,
    );
  }
  const [aboveShare, forMs] = [toShare(errorsAbove), toMs(lasting)];
  const what = isRoute(subject) ? `${subject} requests` : `calls on ${subject}`;
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
    if (isRoute(subject)) {
      const { ended, failed } = routes[subject] ?? { ended: 0, failed: 0 };
      return ended === 0 ? undefined : failed / ended;
    }
    const { count, failed, refused } = callsOn(subject, { fromMs: untilMs - 2 * secondMs, untilMs: untilMs - secondMs });
    return count === 0 ? undefined : (failed + refused) / count;
  }
}

const secondMs = 1_000;
