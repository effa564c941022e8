import { connectivityState, experimental } from '@grpc/grpc-js';
import type { Random } from '../../core/random.ts';
import { type ClockNs, secondNs } from '../governance/clock.ts';
import { createNode, finish, loadOf, type Node, pick, type Weighing } from '../governance/p2c.ts';
import { type Balancing, balancingPolicies, loadBalancer, type Peer } from './resolver.ts';
import { type Judges, statusFailures } from './status.ts';

/** A replica that calls may go to: `target` is its service (`inventory`), `address` its true address, as registered in etcd. */
export type Choice = { target: string; address: string; instance: string };

/**
 * `load` is what p2c weighs: it grows with the square root of the latency and with the calls in flight. `success` is the moving average
 * (1000 at most) below which p2c would rather draw again.
 */
type Load = Choice & { load: number; inflight: number; success: number };

/** What a balancer says of its replicas once a minute: how heavy each is, and how many calls it got since the last time. */
export type BalanceReport = { target: string; replicas: { address: string; load: number; requests: number }[] };

type Balancers = {
  /** How every replica that calls may go to at present is doing, for the gauge `mall_p2c_load`. */
  loads(): Load[];
};

/**
 * Makes our policies known to grpc-js by name: `p2c_ewma` and `p2c_inflight` (governance/p2c.ts), and `round_robin_counted` to compare them
 * with. The service config of a channel's resolver says which one it uses, and how: `{ p2c_ewma: { keepsState, failuresRaiseLoad } }`.
 * Call it once per process, before the first channel.
 */
export function registerP2c({
  clockNs,
  random,
  judges = 'status',
  peer,
  countPicks = () => () => {},
  onReport = () => {},
}: {
  clockNs: ClockNs;
  random: Random;
  /** Which answers count against a replica. */
  judges?: Judges;
  /** Who answers at a dialled address: from `registerEtcdResolver`. */
  peer: (dialled: string) => Peer | undefined;
  /** Asked once for each replica; what it returns is told of every call that is handed to the replica. */
  countPicks?: (choice: Choice) => () => void;
  onReport?: (report: BalanceReport) => void;
}): Balancers {
  const isFailure = statusFailures(judges);
  const balancers = new Set<{ loads(): Load[] }>();

  function register(balancing: Balancing['policy'], strategyOf: (options: Options) => Strategy) {
    const policy = loadBalancer(balancing);

    class Config implements experimental.TypedLoadBalancingConfig {
      readonly options: Options;

      constructor(options: Options) {
        this.options = options;
      }
      static createFromJson(json: unknown) {
        return new Config(optionsFrom(json, policy));
      }
      getLoadBalancerName() {
        return policy;
      }
      toJsonObject() {
        return { [policy]: this.options };
      }
    }

    class Balancer implements experimental.LoadBalancer {
      readonly #helper: experimental.ChannelControlHelper;
      readonly #leafHelper: experimental.ChannelControlHelper;
      #options: Options = optionsFrom({}, policy);
      #strategy: Strategy = strategyOf(this.#options);
      /** By dialled address and in the resolver's order. */
      #replicas = new Map<string, Replica>();
      /** Who can be picked, and what is known of them. */
      #seats: readonly Seat[] = [];
      #isUpdating = false;
      #lastError = 'not yet tried';
      #reportedNs = Number.NEGATIVE_INFINITY;

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
        if (!(config instanceof Config)) return false;
        this.#options = config.options;
        this.#strategy = strategyOf(config.options);
        // Without a new list the old one stays in use.
        if (list.ok) this.#replace(list.value, leafOptions);
        if (this.#replicas.size === 0) this.#lastError = list.ok ? leafOptions[1] : list.error.details;
        this.#seats = [];
        this.#report();
        return true;
      }

      #replace(endpoints: readonly experimental.Endpoint[], leafOptions: LeafOptions) {
        const before = this.#replicas;
        const replicas = endpoints.map((endpoint): [string, Replica] => {
          const dialled = endpoint.addresses.map(experimental.subchannelAddressToString).join();
          const known = before.get(dialled);
          const choice = choiceAt(dialled);
          if (known !== undefined) return [dialled, Object.assign(known, { choice, countPick: countPicks(choice) })];
          const leaf = new experimental.LeafLoadBalancer(endpoint, this.#leafHelper, ...leafOptions);
          return [dialled, { leaf, choice, countPick: countPicks(choice) }];
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
          this.#seat();
          this.#helper.updateState(READY, this.#pickerOf(this.#seats, this.#strategy), null);
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

      /**
       * Whenever a connection becomes ready or is lost, and at every update of the list, go-zero forgets all it knows of its replicas
       * (governance.md 3.2). `keepsState` remembers; then a replica that is restarting does not make all the others look new.
       */
      #seat() {
        const ready = [...this.#replicas.values()].filter(({ leaf }) => leaf.getConnectivityState() === connectivityState.READY);
        if (ready.length === this.#seats.length && ready.every((replica, index) => this.#seats[index]?.replica === replica)) return;
        this.#seats = ready.map((replica) => {
          const seat = (this.#options.keepsState ? replica.seat : undefined) ?? { ...createNode(), replica, requests: 0 };
          replica.seat = seat;
          return seat;
        });
      }

      #pickerOf(seats: readonly Seat[], choose: Strategy): experimental.Picker {
        return {
          pick: (args) => {
            const startedNs = clockNs();
            const seat = choose(seats, startedNs);
            if (seat === undefined) return new experimental.UnavailablePicker().pick(args);
            // A call may end between its pick and its start, when its connection closes; nobody tells us then. Starting takes no longer
            // than the current turn of the event loop.
            let fate: 'picked' | 'started' | 'abandoned' = 'picked';
            setImmediate(() => {
              if (fate !== 'picked') return;
              fate = 'abandoned';
              seat.inflight -= 1;
            });
            const inner = seat.replica.leaf.getPicker().pick(args);
            return {
              ...inner,
              onCallStarted: () => {
                if (fate === 'abandoned') seat.inflight += 1;
                fate = 'started';
                seat.requests += 1;
                seat.replica.countPick();
                inner.onCallStarted?.();
              },
              onCallEnded: (code, details, metadata) => {
                const nowNs = clockNs();
                finish(seat, { startedNs, nowNs, ok: !isFailure(code, metadata) });
                this.#tellOfBalance(nowNs);
                inner.onCallEnded?.(code, details, metadata);
              },
            };
          },
        };
      }

      /** governance.md 3.5 */
      #tellOfBalance(nowNs: number) {
        if (nowNs - this.#reportedNs < reportEveryNs) return;
        this.#reportedNs = nowNs;
        const replicas = this.#seats.map(({ replica, requests }, index) => ({
          address: replica.choice.address,
          load: this.loads()[index]?.load ?? 0,
          requests,
        }));
        for (const seat of this.#seats) seat.requests = 0;
        onReport({ target: this.#seats[0]?.replica.choice.target ?? '', replicas });
      }

      loads(): Load[] {
        const weighing = weighingOf(balancing, this.#options);
        return this.#seats.map((seat) => ({
          ...seat.replica.choice,
          load: loadOf(seat, weighing),
          inflight: seat.inflight,
          success: seat.success,
        }));
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
        this.#seats = [];
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

  function strategyOf(policy: Balancing['policy'], options: Options): Strategy {
    if (policy === 'round_robin') return createRoundRobin();
    const weighing = weighingOf(policy, options);
    return (seats, nowNs) => pick(seats, { nowNs, random, weighing });
  }

  for (const policy of balancingPolicies) register(policy, (options) => strategyOf(policy, options));
  return { loads: () => [...balancers].flatMap((balancer) => balancer.loads()) };
}

type Options = Omit<Balancing, 'policy'>;
type Replica = { leaf: experimental.LeafLoadBalancer; choice: Choice; countPick: () => void; seat?: Seat };
/** What is known of a replica while it can be picked. */
type Seat = Node & { readonly replica: Replica; requests: number };
type LeafOptions = [options: ConstructorParameters<typeof experimental.LeafLoadBalancer>[2], resolutionNote: string];
/** Chooses who gets the next call and counts it as in flight. */
type Strategy = (seats: readonly Seat[], nowNs: number) => Seat | undefined;

const reportEveryNs = 60 * secondNs;

/** For round robin, which weighs nothing, the load that p2c would see. */
function weighingOf(policy: Balancing['policy'], { failuresRaiseLoad }: Options): Weighing {
  return { policy: policy === 'round_robin' ? 'p2c_ewma' : policy, failuresRaiseLoad };
}

function optionsFrom(json: unknown, policy: string): Options {
  const { keepsState = false, failuresRaiseLoad = false, ...rest } = Object(json) as Record<string, unknown>;
  const [stray] = Object.keys(rest);
  if (typeof keepsState !== 'boolean' || typeof failuresRaiseLoad !== 'boolean' || stray !== undefined) {
    throw new TypeError(
      `Expected the load balancing config of ${policy} to be { keepsState, failuresRaiseLoad }, got ${JSON.stringify(json)}`,
    );
  }
  return { keepsState, failuresRaiseLoad };
}

function createRoundRobin(): Strategy {
  let turn = 0;
  return function roundRobin(seats) {
    const seat = seats[turn % seats.length];
    turn += 1;
    if (seat !== undefined) seat.inflight += 1;
    return seat;
  };
}
