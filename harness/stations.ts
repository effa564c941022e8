import type { Protocol, Station } from '../chaos/canary/canaries.ts';
import type { Fault } from '../chaos/faults.ts';
import type { Target } from '../chaos/target.ts';
import type { Deployment } from '../compose/deployment.ts';
import { endsOf, type Wire } from '../system/topology.ts';

/** Where canaries have to be for these faults: on each wire that one of them is on, with the callee itself beside it, and at each process. */
export function stationsOf({
  faults,
  target,
  wires,
  addressOf,
  deployment,
}: {
  faults: readonly Fault[];
  target: Target;
  wires: readonly Wire[];
  addressOf: (wire: string) => string;
  deployment: Deployment;
}): Station[] {
  const places = new Set(faults.flatMap((fault) => target.placesOf(fault)));
  return [
    ...wires
      .filter(({ name }) => places.has(name))
      .map(({ name, edge, upstream }) => ({
        place: name,
        through: addressOf(name),
        direct: upstream,
        protocol: protocolOf(endsOf(edge).callee, deployment),
      })),
    ...deployment.replicas
      .filter(({ instance }) => places.has(instance))
      .map(({ instance, service, address }) => ({ place: instance, through: address, protocol: protocolOf(service, deployment) })),
  ];
}

function protocolOf(callee: string, { mysql: { user, password } }: Deployment): Protocol {
  switch (callee) {
    case 'mysql':
      return { kind: 'mysql', user, password };
    case 'redis':
      return { kind: 'redis' };
    case 'gateway':
      return { kind: 'http1', path: '/health' };
    case 'etcd':
      // etcd counts pings, and hangs up on whoever sends many.
      return { kind: 'http1', path: '/version' };
    default:
      return { kind: 'http2' };
  }
}
