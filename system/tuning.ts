import { z } from 'zod';
import { anObject, block, byName, choice, complaint, flag, isObject, list, number, whole } from './fields.ts';
import { edges, endsOf, gatewayRoutes, isService, methods, type Service, services, userRoutes } from './topology.ts';

/**
 * Every number and switch of governance, with go-zero's defaults (governance.md 11) and the range it may have. The whole mall has one
 * tuning unless a scenario changes it, for all services or for one. Where go-zero has a weakness (governance.md 12.1) its behaviour is
 * the default and the improvement a switch beside it; `docs/governance.md` lists them.
 */
const fields = z.strictObject(
  {
    breaker: block({
      enabled: flag(true),
      /**
       * What counts against a callee: the `status` of its answer alone, as in go-zero, or its `cause`: then a failure that the callee has
       * considered does not (`paymentTimeout`), nor for a route what was turned away by design further in.
       */
      judges: choice(['status', 'cause'], 'status'),
      /** Whether refused calls make further refusals more likely. go-zero counts them, so a steady share of failures escalates. */
      countsDrops: flag(true),
      windowMs: whole({ from: 1_000, to: 600_000, byDefault: 10_000 }),
      /** The SRE book's K: how many calls are tolerated for each that succeeds. It falls to the least while the recent past only fails. */
      multiplier: number({ from: 1, to: 100, byDefault: 1.5 }),
      leastMultiplier: number({ from: 1, to: 100, byDefault: 1.1 }),
      toleratedCalls: whole({ from: 0, to: 1_000_000, byDefault: 5 }),
      forcedPassMs: whole({ from: 1, to: 600_000, byDefault: 1_000 }),
    }).refine(({ multiplier, leastMultiplier }) => multiplier >= leastMultiplier, {
      error: 'a breaker with a multiplier of at least its leastMultiplier',
    }),

    shedding: block({
      enabled: flag(true),
      /** In thousandths of the CPU that may be used; 0 never sheds. */
      cpuThresholdMilli: whole({ from: 0, to: 999, byDefault: 900 }),
      /** Where the CPU reading comes from (`governance/cpu.ts`); `auto` is what measuring chose. */
      cpu: choice(['auto', 'container', 'machine', 'process', 'saturation', 'pressure'], 'auto'),
      /** How much of the smoothed reading is the reading before, four times a second. 0.95 makes it lag by about 12 s. */
      cpuMemory: number({ from: 0, to: 0.999, byDefault: 0.95 }),
      /** Routes such as `POST /api/v1/orders` with a shedder of their own, which sheds half-way between the threshold and a full CPU. */
      priorityRoutes: list(gatewayRoutes, 'routes of the gateway'),
    }),

    balancing: block({
      policy: choice(['p2c_ewma', 'p2c_inflight', 'round_robin'], 'p2c_ewma'),
      /** Whether what is known of a replica outlives a change to the list of replicas. */
      keepsState: flag(false),
      /** Whether failing calls make a replica heavier, so that one that fails fast attracts no traffic. */
      failuresRaiseLoad: flag(false),
    }),

    /** Milliseconds; 0 is no limit of one's own, the caller's still holds. */
    deadlines: block({
      enabled: flag(true),
      httpMs: whole({ from: 0, to: 600_000, byDefault: 3_000 }),
      /** By route, instead of `httpMs`. */
      routes: byName(gatewayRoutes, whole({ from: 0, to: 600_000 })),
      serverMs: whole({ from: 0, to: 600_000, byDefault: 2_000 }),
      /** By full method (`/orders.Orders/Create`), instead of `serverMs`. */
      methods: byName(methods, whole({ from: 0, to: 600_000 })),
      /** Of a call to another service, by edge. */
      edges: byName(callEdgesOf(), whole({ from: 0, to: 600_000 }), {
        'gateway->user': 1_000,
        'gateway->product': 1_000,
        'gateway->orders': 3_000,
        'orders->user': 1_000,
        'orders->product': 1_000,
        'orders->inventory': 1_000,
        'orders->payment': 500,
      }),
    }),

    /** Of calls that may be repeated without harm, as their contract says. go-zero never retries. */
    retries: block({
      /** How often a call is made at most; 1 is never again. */
      attempts: whole({ from: 1, to: 10, byDefault: 1 }),
      firstDelayMs: whole({ from: 0, to: 60_000, byDefault: 25 }),
      longestDelayMs: whole({ from: 0, to: 60_000, byDefault: 1_000 }),
      /** Retries that a client may add to its calls, as a share of them. */
      budgetShare: number({ from: 0, to: 1, byDefault: 0.1 }),
    }).refine(({ firstDelayMs, longestDelayMs }) => firstDelayMs <= longestDelayMs, {
      error: 'retries with a firstDelayMs of at most their longestDelayMs',
    }),

    limits: block({
      enabled: flag(true),
      /** Requests in progress on each route of the gateway; 0 is no limit. */
      connections: whole({ from: 0, to: 1_000_000, byDefault: 10_000 }),
      /** Of a request's body; 0 is the 8 MiB that go-zero reads of JSON at most. */
      bytes: whole({ from: 0, to: 8 * 1_048_576, byDefault: 1_048_576 }),
      /** Token buckets in Redis, by route. */
      rates: byName(
        gatewayRoutes,
        block({
          ratePerSecond: number({ from: 0.001, to: 1_000_000 }),
          burst: whole({ from: 1, to: 1_000_000 }),
          /** Who shares a bucket: all requests of the `route`, those of one `user`, or those from one `client` address. */
          per: choice(['route', 'user', 'client'], 'route'),
        }).refine(({ ratePerSecond, burst }) => burst >= ratePerSecond / 2, {
          error: 'a limit with a burst of at least half its rate per second (with less the bucket would expire at once)',
        }),
      ),
      /** So many requests in each period, counted in Redis, by route. */
      quotas: byName(
        gatewayRoutes,
        block({
          seconds: whole({ from: 1, to: 31_536_000 }),
          quota: whole({ from: 1, to: 1_000_000_000 }),
          per: choice(['route', 'user', 'client'], 'client'),
          /** Whether periods begin on the clock, such as at every full minute, rather than with the first request. */
          aligned: flag(false),
        }),
      ),
    }).refine(limitsOnlyKnownUsers, { error: `limits 'per' user only on routes that ask for a login (${userRoutes.join(', ')})` }),

    cache: block({
      /** Switched off, every read goes to the database, once for all who ask for the same at the same time. */
      enabled: flag(true),
      expirySeconds: whole({ from: 1, to: 31_536_000, byDefault: 604_800 }),
      /** How long it is remembered that something does not exist. */
      missingSeconds: whole({ from: 1, to: 86_400, byDefault: 60 }),
      /** Without Redis a read `fails`, as in go-zero, or `loads` from the database. */
      withoutRedis: choice(['fails', 'loads'], 'fails'),
      /** A first level in the process itself; 0 entries is none. What another process changes is seen when the entry has expired. */
      local: block({
        entries: whole({ from: 0, to: 10_000_000, byDefault: 0 }),
        expiryMs: whole({ from: 1, to: 3_600_000, byDefault: 1_000 }),
      }),
      /** Bits of a Bloom filter in Redis that answers for ids that never existed; 0 is none. Twenty for each id are wrong less than once in 10,000. */
      bloomBits: whole({ from: 0, to: 2 ** 32, byDefault: 0 }),
    }),

    registration: block({
      /** How long a killed replica stays known. */
      ttlSeconds: whole({ from: 1, to: 3_600, byDefault: 10 }),
    }),

    stop: block({
      /** Between leaving etcd and turning connections away: callers need that long to hear of it. */
      wrapUpMs: whole({ from: 0, to: 60_000, byDefault: 1_000 }),
      /** From the signal to the end, finished or not. */
      waitMs: whole({ from: 0, to: 600_000, byDefault: 5_500 }),
    }).refine(({ wrapUpMs, waitMs }) => wrapUpMs < waitMs, { error: 'a stop with a waitMs above its wrapUpMs' }),

    tracing: block({
      enabled: flag(true),
      /** The share of traces begun here that is recorded. */
      sampledShare: number({ from: 0, to: 1, byDefault: 1 }),
    }),
  },
  { error: anObject },
);

/** A complete tuning: what one process of the mall is told. */
export type Tuning = z.output<typeof fields>;
/** What a scenario writes: only what differs. `{ breaker: { judges: 'cause' } }` */
export type TuningChange = DeepPartial<Tuning>;
/** Changes for the whole `mall`, and for single services, which come later and so win. */
export type TuningChanges = Partial<Record<'mall' | Service, TuningChange>>;

type DeepPartial<T> = T extends readonly unknown[] ? T : T extends object ? { [K in keyof T]?: DeepPartial<T[K]> } : T;

/** Mechanisms that a run can switch off in the whole mall, to see what they were good for, and the change that does so. */
const switchedOff = {
  breaker: { breaker: { enabled: false } },
  shedding: { shedding: { enabled: false } },
  p2c: { balancing: { policy: 'round_robin' } },
  deadlines: { deadlines: { enabled: false } },
  retries: { retries: { attempts: 1 } },
  limits: { limits: { enabled: false } },
  cache: { cache: { enabled: false } },
} as const satisfies Record<string, TuningChange>;
export type Mechanism = keyof typeof switchedOff;
export const mechanisms = Object.keys(switchedOff) as Mechanism[];

export const changesWithout = (without: readonly Mechanism[]): TuningChanges[] => without.map((name) => ({ mall: switchedOff[name] }));

/**
 * The tuning of one service: the defaults, changed by each of the changes in turn. Throws a `TypeError` that names the field, what was
 * expected and what came: `Expected 'gateway.shedding.cpuThresholdMilli' to be a whole number from 0 to 999, got 1200`.
 */
export function tuningOf(service: Service, ...changes: readonly TuningChanges[]): Tuning {
  checkNames(changes);
  let tuning = byDefault;
  // One after the other, so that a complaint names who wrote what is wrong.
  for (const change of changes) {
    for (const part of ['mall', service] as const) tuning = parseTuning(merged(tuning, change[part] ?? {}), part);
  }
  return tuning;
}

/** A tuning as it comes from outside; `place` is what a complaint puts before the field. Throws a `TypeError` as above. */
export function parseTuning(value: unknown, place: string): Tuning {
  const parsed = fields.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new TypeError(issue === undefined ? `Expected '${place}' to be a tuning` : complaint(issue, { place, value }));
}

function checkNames(changes: readonly unknown[]): void {
  for (const change of changes) {
    if (!isObject(change)) throw new TypeError(`Expected a tuning to be an object, got ${JSON.stringify(change)}`);
    const stray = Object.keys(change).find((name) => name !== 'mall' && !isService(name));
    if (stray !== undefined) throw new TypeError(`Expected a tuning of 'mall' or a service (${services.join(', ')}), got '${stray}'`);
  }
}

function merged(base: unknown, change: unknown): unknown {
  if (!isObject(base) || !isObject(change)) return change === undefined ? base : change;
  const names = new Set([...Object.keys(base), ...Object.keys(change)]);
  return Object.fromEntries([...names].map((name) => [name, merged(base[name], change[name])]));
}

/** What every field is where nobody changes it. */
const byDefault = fields.parse({});

type PerRoute = Record<string, { per: string }>;
function limitsOnlyKnownUsers({ rates, quotas }: { rates: PerRoute; quotas: PerRoute }): boolean {
  const limits = [...Object.entries(rates), ...Object.entries(quotas)];
  return limits.every(([route, { per }]) => per !== 'user' || (userRoutes as readonly string[]).includes(route));
}

/** Edges that are calls of a service to another one. */
function callEdgesOf() {
  return edges.filter((edge) => isService(endsOf(edge).callee));
}
