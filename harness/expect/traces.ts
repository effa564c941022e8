import { type Percent, toShare } from '../../core/units.ts';
import type { Route, Service } from '../../system/topology.ts';
import type { Expectation } from './expectation.ts';
import { checkRoute, checkService } from './names.ts';
import { met, missedUnlessLost, unknown } from './verdicts.ts';

/** The traces that the mall's processes reported for a route: `traces('checkout').passThrough('gateway', 'orders', 'payment')`. */
export function traces(route: Route) {
  checkRoute(route);
  return {
    complete(least: Percent): Expectation {
      const share = toShare(least);
      return {
        sentence: `${least} of ${route} traces have no missing span`,
        judge(seen) {
          const { looked, whole, broken } = seen.traces(route);
          if (looked === 0) return unknown(`no ${route} trace was seen`);
          const observed = `${whole} of ${looked} traces are whole${broken.length === 0 ? '' : `; ${broken.join('; ')}`}`;
          return whole / looked >= share ? met(observed) : missedUnlessLost(seen, observed);
        },
      };
    },
    /** In this order, one calling the next, perhaps through others. Only requests that were served in full count. */
    passThrough(...path: [Service, ...Service[]]): Expectation {
      for (const service of path) checkService(service);
      return {
        sentence: `${route} traces pass through ${path.join(' → ')}`,
        judge(seen) {
          const found = seen.traces(route);
          if (found.answered === 0) return unknown(`no trace of an answered ${route} was seen`);
          const { passed, strayed } = found.through(path);
          const observed = `${passed} of ${found.answered}${strayed.length === 0 ? '' : `; not ${strayed.join(', ')}`}`;
          return passed === found.answered ? met(observed) : missedUnlessLost(seen, observed);
        },
      };
    },
  };
}
