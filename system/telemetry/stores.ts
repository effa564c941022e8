import { Counter, Gauge, type Registry } from 'prom-client';
import { metricNames as names } from './names.ts';

/** What caches and pools of connections count themselves. It becomes metrics when `/metrics` is asked; before, it costs a call nothing. */
export type StoreLevels = {
  caches: { name: string; read: () => { level: string; result: string; count: number }[] }[];
  redisPools: { address: string; read: () => RedisPool }[];
  sqlPools: { schema: string; hash: string; read: () => SqlPool }[];
};

/** `hits` are commands sent over a connection that was there; `dialled` and `lost` are connections made and broken. */
type RedisPool = { hits: number; dialled: number; lost: number; open: number; idle: number };
/** Of connections; `waits` are loans that had to wait for one. */
type SqlPool = { most: number; open: number; idle: number; waits: number; waitedSeconds: number };

/**
 * The requests of caches, and go-zero's pool collectors (governance.md 9.3). Two kinds of these are always 0 because of how our drivers work:
 * nobody waits for a connection to Redis, as all commands share one, and no SQL connection is closed for being idle or old.
 */
export function collectStores(registry: Registry): StoreLevels {
  const levels: StoreLevels = { caches: [], redisPools: [], sqlPools: [] };

  collect(
    registry,
    {
      kind: 'counter',
      name: names.cacheRequests,
      help: 'What a level of the cache answered: hit, miss or fail.',
      labelNames: ['name', 'level', 'result'],
    },
    () => levels.caches.flatMap(({ name, read }) => read().map(({ count, ...labels }) => ({ labels: { name, ...labels }, value: count }))),
  );
  for (const [kind, name, value, help] of ofRedis) {
    collect(registry, { kind, name, help, labelNames: ['key', 'client_type'] }, () =>
      levels.redisPools.map(({ address, read }) => ({ labels: { key: address, client_type: 'node' }, value: value(read()) })),
    );
  }
  for (const [kind, name, value, help] of ofSql) {
    collect(registry, { kind, name, help, labelNames: ['db_name', 'hash'] }, () =>
      levels.sqlPools.map(({ schema, hash, read }) => ({ labels: { db_name: schema, hash }, value: value(read()) })),
    );
  }
  return levels;
}

type Kind = 'counter' | 'gauge';
type Rows<P> = readonly (readonly [kind: Kind, name: string, value: (pool: P) => number, help: string])[];

const ofRedis: Rows<RedisPool> = [
  ['counter', names.redisPoolHits, ({ hits }) => hits, 'Commands for which a connection to Redis was there.'],
  ['counter', names.redisPoolMisses, ({ dialled }) => dialled, 'Connections to Redis that were made.'],
  ['counter', names.redisPoolTimeouts, () => 0, 'Waits for a connection to Redis that took too long: none, as commands share it.'],
  ['counter', names.redisPoolStale, ({ lost }) => lost, 'Connections to Redis that broke.'],
  ['gauge', names.redisPoolOpen, ({ open }) => open, 'Connections to Redis.'],
  ['gauge', names.redisPoolIdle, ({ idle }) => idle, 'Connections to Redis that owe no answer.'],
  ['counter', names.redisPoolMost, () => 1, 'The most connections to Redis that there may be.'],
];

const ofSql: Rows<SqlPool> = [
  ['gauge', names.sqlPoolMost, ({ most }) => most, 'The most connections to the database that there may be.'],
  ['gauge', names.sqlPoolOpen, ({ open }) => open, 'Connections to the database.'],
  ['gauge', names.sqlPoolInUse, ({ open, idle }) => open - idle, 'Connections to the database that are lent.'],
  ['gauge', names.sqlPoolIdle, ({ idle }) => idle, 'Connections to the database that wait to be lent.'],
  ['counter', names.sqlPoolWaits, ({ waits }) => waits, 'Loans that had to wait for a connection.'],
  ['counter', names.sqlPoolWaitSeconds, ({ waitedSeconds }) => waitedSeconds, 'How long they waited, together.'],
  ['counter', names.sqlPoolIdleClosed, () => 0, 'Connections closed because too many were idle: none.'],
  ['counter', names.sqlPoolIdleTimeClosed, () => 0, 'Connections closed because they were idle for too long: none.'],
  ['counter', names.sqlPoolLifetimeClosed, () => 0, 'Connections closed because they were old: none.'],
];

/** One metric whose series are made anew each time it is asked for. */
function collect(
  registry: Registry,
  { kind, ...named }: { kind: Kind; name: string; help: string; labelNames: string[] },
  read: () => { labels: Record<string, string>; value: number }[],
): void {
  const common = { ...named, registers: [registry] };
  if (kind === 'gauge')
    new Gauge({
      ...common,
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.set(labels, value);
      },
    });
  else
    new Counter({
      ...common,
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.inc(labels, value);
      },
    });
}
