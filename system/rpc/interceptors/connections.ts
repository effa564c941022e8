import { refused } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import { attributes } from '../../telemetry/names.ts';
import type { Call, Interceptor } from './interceptor.ts';

/**
 * Lets at most `most` calls be in progress on a route, and turns away whoever comes beyond that without waiting: go-zero's MaxConns
 * (governance.md 4.3). It stands outside the breaker and the shedder, which learn nothing of what was turned away here.
 */
export function connections<C extends Call>(
  { log, metrics }: Pick<Runtime, 'log' | 'metrics'>,
  { route, most }: { route: string; most: number },
): Interceptor<C> {
  const counter = (result: string) => metrics.limiterRequests.labels(`connections:${route}`, result, 'process');
  const counters = { granted: counter('granted'), refused: counter('refused') };
  let inProgress = 0;
  return async function connections(call, next) {
    if (inProgress >= most) {
      counters.refused.inc();
      log.error({ route, most }, 'A request was turned away: too many are in progress on its route');
      call.span?.setAttribute(attributes.refusedBy, 'connections');
      throw refused('connections');
    }
    counters.granted.inc();
    inProgress += 1;
    try {
      return await next(call);
    } finally {
      inProgress -= 1;
    }
  };
}
