import { isProcessFault } from '../../chaos/faults.ts';
import { edges, endsOf, instanceName, isService } from '../../system/topology.ts';
import type { PlayedFault } from '../fault-log.ts';
import type { Evidence } from './evidence.ts';

/**
 * Places of a fault that carried no call of the mall while it was on, by the callers' spans. There are none of calls to etcd and of those that
 * carry spans themselves, nor of shoppers' to a gateway: these are never named.
 */
export function idlePlaces(
  { spans, epochMs }: Pick<Evidence, 'spans' | 'epochMs'>,
  { fault, places, fromMs, untilMs }: PlayedFault,
): string[] {
  const window = { fromMs: fromMs - epochMs, untilMs: untilMs - epochMs };
  return places.filter((place) => callsAt(place) === 0);

  /** Undefined where nobody counts. */
  function callsAt(place: string): number | undefined {
    if (isProcessFault(fault)) {
      const calling = edges.filter((edge) => endsOf(edge).callee === fault.service);
      return calling.length === 0 ? undefined : calling.reduce((sum, edge) => sum + (spans.picks(edge, window).get(place) ?? 0), 0);
    }
    const { callee } = endsOf(fault.edge);
    if (callee === 'etcd' || callee === 'otlp') return undefined;
    if (!isService(callee)) return spans.calls(fault.edge, window).count;
    return spans.picks(fault.edge, window).get(instanceName(callee, Number(place.slice(place.lastIndexOf('.') + 1)))) ?? 0;
  }
}
