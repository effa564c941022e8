import type { Service, Wire } from '../system/topology.ts';

/** One copy of a service. Addresses are `host:port`, and stay the same when it is started again; `pid` is that of its first process. */
export type Replica = { service: Service; replica: number; instance: string; pid: number; address: string; admin: string };

/** A mall that is laid out but not started: its addresses are known, so that proxies can be put in front of them. */
export type DeploymentPlan = {
  replicas: Readonly<Record<Service, number>>;
  /** Every stretch of network between a caller and a callee. */
  wires: readonly Wire[];
};

/** The end of a process that had been ready and that nobody told to stop. */
export type Death = {
  /** `orders.1`; the servers behind the mall are `MariaDB`, `Redis` and `etcd`. */
  instance: string;
  /** `exit 1`, or the signal that ended it: `SIGKILL`. */
  how: string;
  /** On the clock of the run. */
  atMs: number;
};

/**
 * What can be done to single processes of the mall. Each takes an instance such as `orders.1` (a `RangeError` where there is none), waits for those
 * before it on the same instance, resolves when it is done, and does nothing where it is done already. None of it counts as a death.
 */
export type ProcessControl = {
  /** SIGKILL, also to all it has started. */
  kill: (instance: string) => Promise<void>;
  /** SIGTERM, and SIGKILL when its time is up. */
  stop: (instance: string) => Promise<void>;
  /** Starts it again as it was, on its own addresses, and waits until it is ready. Throws a sentence when it does not get there. */
  start: (instance: string) => Promise<void>;
  /** SIGSTOP: it keeps its connections and answers nothing. */
  pause: (instance: string) => Promise<void>;
  /** SIGCONT. */
  resume: (instance: string) => Promise<void>;
};

/** What a running mall offers to whoever runs a scenario against it. */
export type Deployment = {
  /** `host:port` of each gateway: shoppers go round them. */
  gateways: readonly string[];
  replicas: readonly Replica[];
  processes: ProcessControl;
  /** The database itself, past every proxy, for the audit at the end. */
  mysql: { host: string; port: number; user: string; password: string };
  /** First part of every schema, `mall` for `mall_orders`. */
  namespace: string;
  /** Processes that have died since they were ready, those of the servers we started included. A mall in which one died was not the one measured. */
  deaths: () => readonly Death[];
};
