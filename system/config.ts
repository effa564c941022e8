import { isAddress } from '../core/address.ts';
import { isService, type Service } from './topology.ts';

/** Mechanisms that a run can switch off in the whole mall, to see what they were good for. */
export const mechanisms = ['breaker', 'shedding', 'p2c'] as const;
export type Mechanism = (typeof mechanisms)[number];

/**
 * All that one process of the mall is told. It arrives as JSON in the environment variable `MALL_CONFIG`.
 * Addresses are `host:port`.
 */
export type ServiceConfig = {
  service: Service;
  replica: number;
  /** Where the service answers: gRPC, or HTTP for the gateway. */
  listen: string;
  /** Where `/metrics`, `/health` and `/ready` are answered by a gRPC service; the gateway answers them at `listen`. */
  admin: string;
  etcd: string;
  mysql: string;
  redis: string;
  otlp: string;
  mysqlUser: string;
  mysqlPassword: string;
  /** First part of every schema (`mall_orders`), Redis key (`mall:user:1`) and etcd key (`mall/orders/1`), so that runs can share servers. */
  namespace: string;
  /** What a sidecar would do: an address found in etcd (key) is dialled at another one (value). Absent addresses are dialled as they are. */
  addresses: Readonly<Record<string, string>>;
  /** Wall clock minus monotonic clock in nanoseconds, as text: one clock for all processes of a machine (`core/time.ts`). */
  epochOffsetNs: string;
  jwtSecret: string;
  without: readonly Mechanism[];
};

/** Reads and checks `MALL_CONFIG`. Throws an error that names the field, what was expected and what came. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): ServiceConfig {
  const text = env.MALL_CONFIG;
  if (text === undefined)
    throw new TypeError('Expected the environment variable MALL_CONFIG to hold the configuration as JSON, got nothing');
  const fields = fieldsOf(text);
  const wrong = (field: string, expected: string) =>
    new TypeError(`Expected '${field}' of MALL_CONFIG to be ${expected}, got ${JSON.stringify(fields[field])}`);

  if (typeof fields.service !== 'string' || !isService(fields.service)) throw wrong('service', 'the name of a service');
  if (!Number.isInteger(fields.replica) || Number(fields.replica) < 1) throw wrong('replica', 'a whole number from 1');
  for (const field of ['listen', 'admin', 'etcd', 'mysql', 'redis', 'otlp']) {
    if (!isAddress(fields[field])) throw wrong(field, "an address such as '127.0.0.1:3306'");
  }
  for (const field of ['mysqlUser', 'mysqlPassword']) if (typeof fields[field] !== 'string') throw wrong(field, 'text');
  if (typeof fields.namespace !== 'string' || !/^[a-z][a-z0-9_]{0,30}$/.test(fields.namespace)) {
    throw wrong('namespace', 'up to 31 lower-case letters, digits and underscores');
  }
  const { addresses } = fields;
  if (!isObject(addresses) || ![...Object.keys(addresses), ...Object.values(addresses)].every(isAddress)) {
    throw wrong('addresses', 'an object of addresses');
  }
  if (typeof fields.epochOffsetNs !== 'string' || !/^-?\d+$/.test(fields.epochOffsetNs))
    throw wrong('epochOffsetNs', 'nanoseconds as text');
  if (typeof fields.jwtSecret !== 'string' || fields.jwtSecret.length < 8) throw wrong('jwtSecret', 'at least 8 characters');
  if (!Array.isArray(fields.without) || !fields.without.every((name) => (mechanisms as readonly string[]).includes(name))) {
    throw wrong('without', `a list out of ${mechanisms.join(', ')}`);
  }
  return fields as ServiceConfig;
}

function fieldsOf(text: string): Record<string, unknown> {
  const wrong = (cause?: unknown) => new TypeError(`Expected MALL_CONFIG to hold an object as JSON, got ${text.slice(0, 100)}`, { cause });
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch (cause) {
    throw wrong(cause);
  }
  if (!isObject(fields)) throw wrong();
  return fields;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
