import { connectivityState, experimental } from '@grpc/grpc-js';
import type { Random } from '../../core/random.ts';
import type { ClockNs } from '../governance/clock.ts';
import { createNode, finish, loadOf, type Node, pick } from '../governance/p2c.ts';
import type { BalancingPolicy, Peer } from './resolver.ts';
import { loadBalancer } from './resolver.ts';
import { isFailureStatus } from './status.ts';

/** A replica that calls may go to: `target` is its service (`inventory`), `address` its true address, as registered in etcd. */
export type Choice = { target: string; address: string; instance: string };

/**
 * `load` is what p2c weighs: it grows with the square root of the latency and with the calls in flight. `success` is the moving average
 * (1000 at most) below which p2c would rather draw again.
 */
type Load = Choice & { load: number; inflight: number; success: number };

type Balancing = {
  /** How every replica that calls may go to at present is doing, for the gauge `mall_p2c_load`. */
  loads(): Load[];
};

/**
 * Makes two policies known to grpc-js: `p2c_ewma` (governance/p2c.ts) and, to compare it with, `round_robin_counted`. A channel's
 * resolver says which one it uses. `onPick` is told of every call that is handed to a replica. Call it once per process, before the
 * first channel.
 */
export function registerP2c({
  clockNs,
  random,
  peer,
  onPick = () => {},
}: {
  clockNs: ClockNs;
  random: Random;
  /** Who answers at a dialled address: from `registerEtcdResolver`. */
  peer: (dialled: string) => Peer | undefined;
  onPick?: (choice: Choice) => void;
}): Balancing {
  const balancers = new Set<{ ready(): Replica[] }>();

  function register(balancing: BalancingPolicy, createStrategy: () => Strategy) {
    const policy = loadBalancer(balancing);
    class Config implements experimental.TypedLoadBalancingConfig {
      static createFromJson() {
        return new Config();
      }
      getLoadBalancerName() {
        return policy;
      }
      toJsonObject() {
        return { [policy]: {} };
      }
    }

    class Balancer implements experimental.LoadBalancer {
      readonly #helper: experimental.ChannelControlHelper;
      readonly #leafHelper: experimental.ChannelControlHelper;
      readonly #choose = createStrategy();
      /**
       * By dialled address and in the resolver's order. What is known of a replica outlives changes to the list and lost connections.
       * go-zero starts afresh at each of them (governance.md 3.2); an option is to offer both.
       */
      #replicas = new Map<string, Replica>();
      #isUpdating = false;
      #lastError = 'not yet tried';

      constructor(helper: experimental.ChannelControlHelper) {
        this.#helper = helper;
        this.#leafHelper = experimental.createChildChannelControlHelper(helper, {
          updateState: (_state, _picker, error) => {
            this.#lastError = error ?? this.#lastError;
            this.#report();
          },
        });
        balancers.add(this);
      }

      updateAddressList(
        list: experimental.StatusOr<experimental.Endpoint[]>,
        config: experimental.TypedLoadBalancingConfig,
        ...leafOptions: LeafOptions
      ): boolean {
        if (config.getLoadBalancerName() !== policy) return false;
        // Without a new list the old one stays in use.
        if (list.ok) this.#replace(list.value, leafOptions);
        if (this.#replicas.size === 0) this.#lastError = list.ok ? leafOptions[1] : list.error.details;
        this.#report();
        return true;
      }

      #replace(endpoints: readonly experimental.Endpoint[], leafOptions: LeafOptions) {
        const before = this.#replicas;
        const replicas = endpoints.map((endpoint): [string, Replica] => {
          const dialled = endpoint.addresses.map(experimental.subchannelAddressToString).join();
          const known = before.get(dialled);
          const choice = choiceAt(dialled);
          if (known !== undefined) return [dialled, Object.assign(known, { choice })];
          const leaf = new experimental.LeafLoadBalancer(endpoint, this.#leafHelper, ...leafOptions);
          return [dialled, { ...createNode(), leaf, choice }];
        });
        this.#replicas = new Map(replicas);

        this.#isUpdating = true;
        for (const [dialled, { leaf }] of this.#replicas) if (!before.has(dialled)) leaf.startConnecting();
        // Calls in flight on a connection that is given up run to their end.
        for (const [dialled, { leaf }] of before) if (!this.#replicas.has(dialled)) leaf.destroy();
        this.#isUpdating = false;
      }

      /** Tells the channel who can be picked now. */
      #report() {
        if (this.#isUpdating) return;
        const states = new Set([...this.#replicas.values()].map(({ leaf }) => leaf.getConnectivityState()));
        const { READY, CONNECTING, TRANSIENT_FAILURE, IDLE } = connectivityState;
        if (states.has(READY)) {
          this.#helper.updateState(READY, pickerOf(this.ready(), this.#choose), null);
        } else if (states.has(CONNECTING)) {
          this.#helper.updateState(CONNECTING, new experimental.QueuePicker(this), null);
        } else if (states.has(TRANSIENT_FAILURE) || states.size === 0) {
          const known = states.size === 0 ? 'there are no replicas' : `none of ${this.#replicas.size} replicas can be reached`;
          const details = `${policy}: ${known} (${this.#lastError})`;
          this.#helper.updateState(TRANSIENT_FAILURE, new experimental.UnavailablePicker({ details }), details);
        } else {
          this.#helper.updateState(IDLE, new experimental.QueuePicker(this), null);
        }
        this.exitIdle();
      }

      ready(): Replica[] {
        return [...this.#replicas.values()].filter(({ leaf }) => leaf.getConnectivityState() === connectivityState.READY);
      }

      /** Every replica is kept connected, so that p2c has a choice. */
      exitIdle() {
        for (const { leaf } of this.#replicas.values()) if (leaf.getConnectivityState() === connectivityState.IDLE) leaf.exitIdle();
      }

      resetBackoff() {
        // A leaf offers no way to do so.
      }

      destroy() {
        balancers.delete(this);
        for (const { leaf } of this.#replicas.values()) leaf.destroy();
        this.#replicas.clear();
      }

      getTypeName() {
        return policy;
      }
    }

    experimental.registerLoadBalancerType(policy, Balancer, Config);
  }

  function choiceAt(dialled: string): Choice {
    const found = peer(dialled);
    return { target: found?.service ?? dialled, address: found?.address ?? dialled, instance: found?.instance ?? dialled };
  }

  function pickerOf(ready: readonly Replica[], choose: Strategy): experimental.Picker {
    return {
      pick(args) {
        const startedNs = clockNs();
        const replica = choose(ready, startedNs);
        if (replica === undefined) return new experimental.UnavailablePicker().pick(args);
        // A call may end between its pick and its start, when its connection closes; nobody tells us then. Starting takes no longer
        // than the current turn of the event loop.
        let fate: 'picked' | 'started' | 'abandoned' = 'picked';
        setImmediate(() => {
          if (fate !== 'picked') return;
          fate = 'abandoned';
          replica.inflight -= 1;
        });
        const inner = replica.leaf.getPicker().pick(args);
        return {
          ...inner,
          onCallStarted() {
            if (fate === 'abandoned') replica.inflight += 1;
            fate = 'started';
            onPick(replica.choice);
            inner.onCallStarted?.();
          },
          onCallEnded(code, details, metadata) {
            finish(replica, { startedNs, nowNs: clockNs(), ok: !isFailureStatus(code, metadata) });
            inner.onCallEnded?.(code, details, metadata);
          },
        };
      },
    };
  }

  register('p2c_ewma', () => (replicas, nowNs) => pick(replicas, { nowNs, random }));
  register('round_robin', createRoundRobin);
  return {
    loads: () =>
      [...balancers].flatMap((balancer) =>
        balancer.ready().map((node) => ({ ...node.choice, load: loadOf(node), inflight: node.inflight, success: node.success })),
      ),
  };
}

type Replica = Node & { leaf: experimental.LeafLoadBalancer; choice: Choice };
type LeafOptions = [options: ConstructorParameters<typeof experimental.LeafLoadBalancer>[2], resolutionNote: string];
/** Chooses who gets the next call and counts it as in flight. */
type Strategy = (replicas: readonly Replica[], nowNs: number) => Replica | undefined;

function createRoundRobin(): Strategy {
  let turn = 0;
  return function roundRobin(replicas) {
    const replica = replicas[turn % replicas.length];
    turn += 1;
    if (replica !== undefined) replica.inflight += 1;
    return replica;
  };
}
