import { z } from 'zod';
import { isAddress } from '../core/address.ts';
import { messageOf } from '../core/errors.ts';
import { isObject } from './fields.ts';
import { isService, type Service } from './topology.ts';
import { parseTuning, type Tuning } from './tuning.ts';

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
  tuning: Tuning;
};

/** Reads and checks `MALL_CONFIG`. Throws an error that names the field, what was expected and what came. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): ServiceConfig {
  const text = env.MALL_CONFIG;
  if (text === undefined)
    throw new TypeError('Expected the environment variable MALL_CONFIG to hold the configuration as JSON, got nothing');
  const given = fieldsOf(text);
  const { success, data, error } = fields.safeParse(given);
  if (success) return { ...data, tuning: tuningIn(given.tuning) };
  const [issue] = error.issues;
  const field = String(issue?.path[0]);
  throw new TypeError(`Expected '${field}' of MALL_CONFIG to be ${issue?.message}, got ${JSON.stringify(given[field])}`);
}

const fields = z.object({
  service: z.custom<Service>((value) => typeof value === 'string' && isService(value), 'the name of a service'),
  replica: z.custom<number>((value) => Number.isInteger(value) && Number(value) >= 1, 'a whole number from 1'),
  listen: address(),
  admin: address(),
  etcd: address(),
  mysql: address(),
  redis: address(),
  otlp: address(),
  mysqlUser: z.string('text'),
  mysqlPassword: z.string('text'),
  namespace: z.custom<string>(isNamespace, 'up to 31 lower-case letters, digits and underscores'),
  addresses: z.custom<Record<string, string>>(areAddresses, 'an object of addresses'),
  epochOffsetNs: z.custom<string>((value) => typeof value === 'string' && /^-?\d+$/.test(value), 'nanoseconds as text'),
  jwtSecret: z.custom<string>((value) => typeof value === 'string' && value.length >= 8, 'at least 8 characters'),
});

function tuningIn(value: unknown): Tuning {
  try {
    return parseTuning(value, 'tuning');
  } catch (cause) {
    throw new TypeError(`MALL_CONFIG cannot be used. ${messageOf(cause)}`, { cause });
  }
}

function fieldsOf(text: string): Record<string, unknown> {
  const wrong = (cause?: unknown) => new TypeError(`Expected MALL_CONFIG to hold an object as JSON, got ${text.slice(0, 100)}`, { cause });
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (cause) {
    throw wrong(cause);
  }
  if (!isObject(given)) throw wrong();
  return given;
}

function address() {
  return z.custom<string>(isAddress, "an address such as '127.0.0.1:3306'");
}

function isNamespace(value: unknown): boolean {
  return typeof value === 'string' && /^[a-z][a-z0-9_]{0,30}$/.test(value);
}

function areAddresses(value: unknown): boolean {
  return isObject(value) && [...Object.keys(value), ...Object.values(value)].every(isAddress);
}
