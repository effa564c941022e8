import { experimental } from '@grpc/grpc-js';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import type { Etcd3 } from 'etcd3';
import { isAddress, splitAddress } from '../../core/address.ts';
import type { Random } from '../../core/random.ts';
import type { Tuning } from '../tuning.ts';
import { type Replicas, watchReplicas } from './discovery.ts';

/** How a channel chooses among the replicas it found, and with which options; balancer.ts holds them. */
export type Balancing = Tuning['balancing'];
export const balancingPolicies = ['p2c_ewma', 'p2c_inflight', 'round_robin'] as const satisfies readonly Balancing['policy'][];

/** A replica as it is found in etcd. `address` is the one it registered; `dialled` differs where a proxy stands in between. */
export type Peer = { service: string; instance: string; address: string; dialled: string };

export type Directory = {
  /** Who answers at a dialled address (`host:port`), also for a while after it left etcd. */
  peer(dialled: string): Peer | undefined;
};

export type ResolverEvent =
  | { kind: 'endpoints'; service: string; peers: Peer[] }
  /** Something under the key of a replica that is no address; it is passed over. */
  | { kind: 'malformed'; service: string; instance: string; value: string }
  /** etcd cannot be read; the last known endpoints stay in use. */
  | { kind: 'stale'; service: string; cause: unknown };

/**
 * Makes `etcd:///<service>` a target that grpc-js can dial: the replicas under `<namespace>/<service>/`, kept up to date by a watch.
 * `addresses` maps a registered address to the one to dial. Until etcd has answered once, calls wait; when it answers that there is no
 * replica, they fail with UNAVAILABLE. Call it once per process, before the first channel.
 */
export function registerEtcdResolver({
  etcd,
  namespace,
  addresses,
  balancing,
  random,
  onEvent = () => {},
}: {
  etcd: Etcd3;
  namespace: string;
  addresses: Readonly<Record<string, string>>;
  balancing: Balancing;
  random: Random;
  onEvent?: (event: ResolverEvent) => void;
}): Directory {
  const keys = etcd.namespace(`${namespace}/`);
  const directory = createDirectory();
  const { policy, ...options } = balancing;
  const serviceConfig = experimental.statusOrFromValue({ loadBalancingConfig: [{ [loadBalancer(policy)]: options }], methodConfig: [] });

  class EtcdResolver implements experimental.Resolver {
    static getDefaultAuthority({ path }: experimental.GrpcUri) {
      return path;
    }

    readonly #service: string;
    readonly #listener: experimental.ResolverListener;
    #watch: { stop(): void } | undefined;

    constructor({ path }: experimental.GrpcUri, listener: experimental.ResolverListener) {
      this.#service = path;
      this.#listener = listener;
    }

    /**
     * The watch tells of changes by itself. gRPC asks again whenever it failed to connect; to repeat what it knows would be an update of the
     * list, at which a balancer forgets all it has found out.
     */
    updateResolution() {
      // It outlives the call that happens to dial first, so it has no part in that call's trace and time.
      this.#watch ??= context.with(ROOT_CONTEXT, () =>
        watchReplicas({
          keys,
          service: this.#service,
          onReplicas: (replicas) => this.#update(replicas),
          onStale: (cause) => onEvent({ kind: 'stale', service: this.#service, cause }),
        }),
      );
    }

    destroy() {
      this.#watch?.stop();
      this.#watch = undefined;
    }

    #update(replicas: Replicas) {
      const found = [...replicas].flatMap(([replica, address]): Peer[] => {
        const instance = `${this.#service}.${replica}`;
        if (isAddress(address)) return [{ service: this.#service, instance, address, dialled: addresses[address] ?? address }];
        onEvent({ kind: 'malformed', service: this.#service, instance, value: address });
        return [];
      });
      // Several keys with one address are one replica, known by the first of its names (governance.md 8.2).
      const peers = found.filter(({ dialled }, index) => found.findIndex((peer) => peer.dialled === dialled) === index);
      // In random order, because of two equal replicas p2c prefers the first: not every caller shall prefer the same one.
      const endpoints = shuffled(peers, random).slice(0, mostEndpoints).map(endpointOf);
      for (const peer of peers) directory.add(peer);
      onEvent({ kind: 'endpoints', service: this.#service, peers });
      this.#listener(experimental.statusOrFromValue(endpoints), {}, serviceConfig, `etcd key ${namespace}/${this.#service}/`);
    }
  }

  experimental.registerResolver('etcd', EtcdResolver);
  return directory;
}

function createDirectory(): Directory & { add(peer: Peer): void } {
  const peers = new Map<string, Peer>();
  return {
    peer: (dialled) => peers.get(dialled),
    add(peer) {
      peers.delete(peer.dialled);
      peers.set(peer.dialled, peer);
      const [oldest] = peers.keys();
      if (peers.size > mostPeers && oldest !== undefined) peers.delete(oldest);
    },
  };
}

/** grpc-js has a `round_robin` of its own, which does not tell whom it chose. */
export const loadBalancer = (policy: Balancing['policy']): string => (policy === 'round_robin' ? 'round_robin_counted' : policy);

const endpointOf = ({ dialled }: Peer): experimental.Endpoint => ({ addresses: [splitAddress(dialled)] });

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const rest = [...items];
  return items.flatMap(() => rest.splice(Math.trunc(random() * rest.length), 1));
}

/** As go-zero (governance.md 8.3). */
const mostEndpoints = 32;
const mostPeers = 1_000;
