import { LRUCache } from 'lru-cache';
import { codes, MallError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { cacheRequests } from './cache-requests.ts';
import { createDeletions } from './deletions.ts';
import { singleFlight } from './flight.ts';
import type { RedisStore } from './redis.ts';

export type Cache = {
  /**
   * The value under `key`, loaded and kept when it is not there. Callers that ask for the same key at the same time share one answer, which
   * is therefore not to be changed, and the time that the first of them has left. What does not exist is remembered too, for a minute, unless
   * `keepsMissing` is false. Rejects with whatever `load` rejects with, and with 'cache' or the refusal 'breaker' when Redis fails: then the
   * database is left alone, as in go-zero, because it could not bear what the cache normally keeps away from it.
   *
   * Where `cache.withoutRedis` is `loads` such a read asks the database instead. What it has to bear then is bounded by one query for each
   * key and process at a time, by the pool's connections and the number that may wait for them, and by the breaker before it.
   */
  read<T>(key: string, load: () => Promise<T | undefined>, options?: { keepsMissing?: boolean }): Promise<T | undefined>;
  /**
   * A row by another key than its primary one: `indexKey` holds only the row's id, so that a row is kept once. When that is not known,
   * `byIndex` brings the whole row, which is kept first, for 5 s longer than its id, so that an id leads to a row as long as it is known.
   */
  readByIndex<Row, Id>(indexKey: string, row: IndexedRow<Row, Id>): Promise<Row | undefined>;
  /**
   * To be called after every write to what is cached, with all keys of the row: its primary one and those of its indexes. What this process
   * was reading meanwhile is neither shared nor kept any more; another process may still keep what it read just before, until it expires.
   * Never rejects: where Redis does not delete them now, it is asked again later.
   */
  forget(...keys: string[]): Promise<void>;
};

export type IndexedRow<Row, Id> = {
  idOf: (row: Row) => Id;
  /** The primary key in the cache. */
  keyOf: (id: Id) => string;
  byIndex: () => Promise<Row | undefined>;
  byId: (id: Id) => Promise<Row | undefined>;
};

/**
 * Cache-aside as in go-zero (governance.md 7), tuned by `tuning.cache`: at most a level in the process itself, then Redis, under keys of this
 * namespace (`mall:user:1`), then the database. Values are JSON. Expiries vary by 5 %, lest all run out at once. Switched off, every read
 * goes to the database, still once for all who ask at the same time.
 */
export function openCache(runtime: Runtime, redis: RedisStore): Cache {
  const { config, clock, metrics, log, random } = runtime;
  const tuning = config.tuning.cache;
  const flight = singleFlight();
  const requests = cacheRequests();
  const { counts } = requests;
  const local = localLevel();
  const fullKey = (key: string) => `${config.namespace}:${key}`;
  const jittered = (base: number) => base * (1.05 - 0.1 * random());

  async function take<T>(key: string, load: Load<T>, { keepsMissing = true } = {}): Promise<T | undefined> {
    const held = local?.get(key);
    if (held !== undefined) {
      counts.local.hit += 1;
      return held.value as T | undefined;
    }
    if (local !== undefined) counts.local.miss += 1;
    let isFirst = false;
    const value = await flight.share(key, (isCurrent) => {
      isFirst = true;
      return fetch(key, load, { isCurrent, keepsMissing });
    });
    if (!isFirst) counts.shared.hit += 1;
    return value;
  }

  async function fetch<T>(
    key: string,
    load: Load<T>,
    { isCurrent, keepsMissing }: { isCurrent: () => boolean; keepsMissing: boolean },
  ): Promise<T | undefined> {
    const answer = tuning.enabled ? await lookUp(key) : unreachable;
    if (answer.kind === 'found') {
      if (isCurrent()) keepLocally(key, answer.value);
      return answer.value as T | undefined;
    }

    const expirySeconds = Math.ceil(jittered(tuning.expirySeconds));
    const value = await loaded(() =>
      load(async (rowKey, row) => {
        if (!isCurrent()) return;
        keepLocally(rowKey, row);
        if (answer.kind === 'absent') await write(rowKey, row, expirySeconds + indexGapSeconds).catch(failUnlessLoading);
      }),
    );
    if (!isCurrent() || (value === undefined && !keepsMissing)) return value;
    keepLocally(key, value);
    // The value is at hand; that it was not kept costs the next reader a query. The failure has been logged and counted.
    if (answer.kind === 'absent') await (value === undefined ? writeMissing(key) : write(key, value, expirySeconds)).catch(() => undefined);
    return value;
  }

  async function lookUp(key: string): Promise<Answer> {
    let text: string | null;
    try {
      text = await redis.command('GET', (client) => client.get(key));
    } catch (error) {
      counts.redis.fail += 1;
      if (tuning.withoutRedis === 'loads' && isWithoutRedis(error)) return unreachable;
      throw error;
    }
    if (text === null || text === '') {
      counts.redis.miss += 1;
      return absent;
    }
    counts.redis.hit += 1;
    if (text === missing) return { kind: 'found', value: undefined };
    try {
      return { kind: 'found', value: JSON.parse(text) };
    } catch (err) {
      log.error({ err, alert: true, keys: kindsOf([key]) }, 'The cache holds what is not JSON; it is deleted and loaded anew');
      await redis.command('DEL', (client) => client.del(key)).catch(() => undefined);
      return absent;
    }
  }

  async function loaded<T>(load: () => Promise<T | undefined>): Promise<T | undefined> {
    try {
      const value = await load();
      counts.database[value === undefined ? 'miss' : 'hit'] += 1;
      return value;
    } catch (error) {
      counts.database.fail += 1;
      throw error;
    }
  }

  /** In go-zero the row that an id leads to must be written, or the read fails. */
  function failUnlessLoading(error: unknown): void {
    if (tuning.withoutRedis === 'fails') throw error;
  }

  const write = (key: string, value: unknown, expirySeconds: number) =>
    redis.command('SET', (client) => client.set(key, JSON.stringify(value), 'EX', expirySeconds));

  /** Only where nothing is: a value written in the meantime must survive. */
  const writeMissing = (key: string) =>
    redis.command('SET', (client) => client.set(key, missing, 'EX', Math.ceil(jittered(tuning.missingSeconds)), 'NX'));

  function localLevel(): LRUCache<string, Held> | undefined {
    const { entries, expiryMs } = tuning.local;
    if (!tuning.enabled || entries === 0) return undefined;
    return new LRUCache({ max: entries, ttl: expiryMs, perf: { now: clock.nowMs } });
  }

  const keepLocally = (key: string, value: unknown) => void local?.set(key, { value }, { ttl: jittered(tuning.local.expiryMs) });

  const remove = async (keys: readonly string[]) => void (await redis.command('DEL', (client) => client.del(...keys)));
  const deletions = createDeletions({
    nowMs: clock.nowMs,
    remove,
    onGivenUp: (keys) =>
      log.error(
        { alert: true, keys: kindsOf(keys) },
        `The cache may hold ${keys.length} rows that have changed: they could not be deleted`,
      ),
  });

  const timers = [
    setInterval(() => void deletions.tick(), tickMs),
    setInterval(() => {
      const line = requests.lastMinute();
      if (line !== undefined) log.info({ cache: config.service, ...line }, 'What the cache answered in the last minute');
    }, 60_000),
  ];
  for (const timer of timers) timer.unref();
  metrics.stores.caches.push({ name: config.service, read: requests.rows });
  runtime.onStop('cache', async () => {
    for (const timer of timers) clearInterval(timer);
    await deletions.runAll();
  });

  return {
    read: (key, load, options) => take(fullKey(key), load, options),

    async readByIndex<Row, Id>(indexKey: string, { idOf, keyOf, byIndex, byId }: IndexedRow<Row, Id>): Promise<Row | undefined> {
      let row: Row | undefined;
      const id = await take<Id>(fullKey(indexKey), async (keepRow) => {
        row = await byIndex();
        if (row === undefined) return undefined;
        await keepRow(fullKey(keyOf(idOf(row))), row);
        return idOf(row);
      });
      return row === undefined && id !== undefined ? take(fullKey(keyOf(id)), () => byId(id)) : row;
    },

    async forget(...keys) {
      const fullKeys = keys.map(fullKey);
      for (const key of fullKeys) {
        flight.drop(key);
        local?.delete(key);
      }
      // The write to the database stands, whatever becomes of this.
      if (tuning.enabled) await remove(fullKeys).catch(() => deletions.add(fullKeys));
    },
  };
}

/** Brings a value; on its way it may have a whole row kept under the row's own key. */
type Load<T> = (keepRow: (key: string, row: unknown) => Promise<void>) => Promise<T | undefined>;

/** What Redis says of a key: a value, perhaps that of what does not exist; nothing; or that it cannot be asked. */
type Answer = { kind: 'found'; value: unknown } | { kind: 'absent' } | { kind: 'unreachable' };
const absent: Answer = { kind: 'absent' };
const unreachable: Answer = { kind: 'unreachable' };

/** Boxed, because what does not exist is kept, too. */
type Held = { value: unknown };

/** Stands for what does not exist. It is not JSON, so no value looks like it. */
const missing = '*';
const indexGapSeconds = 5;
const tickMs = 1_000;

const isWithoutRedis = (thrown: unknown): boolean =>
  thrown instanceof MallError && (thrown.code === codes.cache || thrown.refusedBy === 'breaker');

/** Keys without their last part, which may be a mobile number: `mall:user:mobile`. */
function kindsOf(keys: readonly string[]): string[] {
  return [...new Set(keys.map((key) => key.slice(0, key.lastIndexOf(':'))))];
}
