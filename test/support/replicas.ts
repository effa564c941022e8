import { experimental } from '@grpc/grpc-js';
import { splitAddress } from '../../core/address.ts';
import { seededRandom } from '../../core/random.ts';
import { monotonicNs } from '../../system/governance/clock.ts';
import { registerP2c } from '../../system/rpc/balancer.ts';
import { type Balancing, loadBalancer } from '../../system/rpc/resolver.ts';

/** Balances calls as the mall does, among replicas that are given instead of found in etcd. To be called once per file: gRPC's registry is global. */
export function balanceGivenReplicas() {
  class GivenReplicas implements experimental.Resolver {
    static getDefaultAuthority() {
      return 'replicas';
    }

    readonly #tell: () => void;

    constructor({ path }: experimental.GrpcUri, listener: experimental.ResolverListener) {
      const [policy = '', addresses = ''] = path.split('/');
      const endpoints = addresses.split(',').map((address) => ({ addresses: [splitAddress(address)] }));
      const config = { loadBalancingConfig: [{ [policy]: {} }], methodConfig: [] };
      this.#tell = () => listener(experimental.statusOrFromValue(endpoints), {}, experimental.statusOrFromValue(config), 'given replicas');
    }

    updateResolution() {
      // Never before it has returned.
      process.nextTick(this.#tell);
    }

    destroy() {}
  }
  experimental.registerResolver('replicas', GivenReplicas);

  const picks = new Map<string, number>();
  const { loads } = registerP2c({
    clockNs: monotonicNs,
    random: seededRandom(1),
    peer: () => undefined,
    countPicks:
      ({ address }) =>
      () =>
        picks.set(address, (picks.get(address) ?? 0) + 1),
  });
  return {
    target: (policy: Balancing['policy'], ...addresses: string[]) => `replicas:///${loadBalancer(policy)}/${addresses.join(',')}`,
    picksOf: (address: string) => picks.get(address) ?? 0,
    /** What p2c holds of a replica's answers, 1000 at most. */
    successOf: (address: string) => loads().find((load) => load.address === address)?.success,
  };
}
