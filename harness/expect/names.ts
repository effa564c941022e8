import { described } from '../../core/described.ts';
import { UsageError } from '../../core/errors.ts';
import { edges, isEdge, isRoute, isService, routeNames, services } from '../../system/topology.ts';

/*
 * Names are types, but a scenario file is only stripped of its types: at run time a misspelled one arrives here. Each throws a
 * `UsageError` that lists the names there are.
 */

export function checkRoute(route: string): void {
  if (!isRoute(route)) throw new UsageError(`Expected a route (${routeNames.join(', ')}), got ${described(route)}`);
}
export function checkService(service: string): void {
  if (!isService(service)) throw new UsageError(`Expected a service (${services.join(', ')}), got ${described(service)}`);
}

export function checkEdge(edge: string): void {
  if (!isEdge(edge)) throw new UsageError(`Expected an edge the mall has (${edges.join(', ')}), got ${described(edge)}`);
}
