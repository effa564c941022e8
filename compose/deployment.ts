import type { Service, Wire } from '../system/topology.ts';

/** One process of the mall. Addresses are `host:port`. */
export type Replica = { service: Service; replica: number; instance: string; pid: number; address: string; admin: string };

/** A mall that is laid out but not started: its addresses are known, so that proxies can be put in front of them. */
export type DeploymentPlan = {
  replicas: Readonly<Record<Service, number>>;
  /** Every stretch of network between a caller and a callee. */
  wires: readonly Wire[];
};

/** What a running mall offers to whoever runs a scenario against it. */
export type Deployment = {
  /** `host:port` of each gateway: shoppers go round them. */
  gateways: readonly string[];
  replicas: readonly Replica[];
  /** The database itself, past every proxy, for the audit at the end. */
  mysql: { host: string; port: number; user: string; password: string };
  /** First part of every schema, `mall` for `mall_orders`. */
  namespace: string;
};
