import { SpanKind } from '@opentelemetry/api';
import { Redis } from 'ioredis';
import { splitAddress } from '../../core/address.ts';
import { messageOf } from '../../core/errors.ts';
import { codes, MallError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { attributes } from '../telemetry/names.ts';
import { inSpan } from '../telemetry/spans.ts';
import { singleFlight } from './flight.ts';
import { createGuard } from './guard.ts';

export type Cache = {
  /**
   * The value under `key`, loaded and kept when it is not there. Callers that ask for the same key at the same time share one answer. What does
   * not exist is remembered too, for a minute, unless `keepsMissing` is false. Rejects with 'cache' when Redis fails: then the database is
   * left alone, as in go-zero, because it could not bear what the cache normally keeps away from it.
   */
  read<T>(key: string, load: () => Promise<T | undefined>, options?: { keepsMissing?: boolean }): Promise<T | undefined>;
  /**
   * To be called after every write to what is cached. What this process was reading meanwhile is neither shared nor kept any more; another
   * process may still keep what it read just before, until it expires. Never rejects.
   */
  forget(key: string): Promise<void>;
  ping(): Promise<void>;
};

/** Redis as a cache, under keys of this namespace (`mall:user:1`). Values are JSON. Expiries vary by 5 %, lest all run out at once. */
export function openCache(
  runtime: Runtime,
  { expirySeconds = 60, missingSeconds = 60 }: { expirySeconds?: number; missingSeconds?: number } = {},
): Cache {
  const { config, clock, metrics, log, random } = runtime;
  const edge = `${config.service}->redis`;
  const redis = connect(config.redis);
  redis.on('error', (err) => log.warn({ err, edge }, 'Redis cannot be reached'));
  const guard = createGuard(runtime, { name: edge, kind: 'redis', hasFailed: isCacheFault });
  const flight = singleFlight();
  const { host } = splitAddress(config.redis);

  /** One command: its span, its breaker, its duration. */
  function command<T>(name: string, run: () => Promise<T>): Promise<T> {
    const lowerCase = name.toLowerCase();
    return inSpan(
      runtime,
      name,
      async () => {
        const startMs = clock.nowMs();
        try {
          return await guard(
            () => run().catch(explain),
            () => metrics.redis.errors.labels(lowerCase, 'breaker open').inc(),
          );
        } catch (error) {
          if (isCacheFault(error)) {
            metrics.redis.errors.labels(lowerCase, kindOf(error)).inc();
            log.warn({ err: error, edge }, 'The cache failed');
          }
          throw error;
        } finally {
          const tookMs = Math.trunc(clock.nowMs() - startMs);
          metrics.redis.duration.labels(lowerCase).observe(tookMs);
          if (tookMs > slowMs) metrics.redis.slow.labels(lowerCase).inc();
        }
      },
      {
        kind: SpanKind.CLIENT,
        attributes: {
          [attributes.dbSystem]: 'redis',
          [attributes.dbOperation]: name,
          [attributes.serverAddress]: host,
          [attributes.edge]: edge,
        },
      },
    );
  }

  const jittered = (seconds: number) => Math.ceil(seconds * (1.05 - 0.1 * random()));

  async function loadAndKeep<T>(
    key: string,
    load: () => Promise<T | undefined>,
    { isCurrent, keepsMissing }: { isCurrent: () => boolean; keepsMissing: boolean },
  ): Promise<T | undefined> {
    const value = await load();
    if (!isCurrent() || (value === undefined && !keepsMissing)) return value;
    const kept =
      value === undefined
        ? // Only where nothing is: a value written in the meantime must survive.
          command('SET', () => redis.set(key, missing, 'EX', jittered(missingSeconds), 'NX'))
        : command('SET', () => redis.set(key, JSON.stringify(value), 'EX', jittered(expirySeconds)));
    // The value is at hand; that it was not kept costs the next reader a query. The failure has been logged and counted.
    await kept.catch(() => undefined);
    return value;
  }

  const cache: Cache = {
    read: <T>(key: string, load: () => Promise<T | undefined>, { keepsMissing = true } = {}) => {
      const fullKey = `${config.namespace}:${key}`;
      return flight.share(fullKey, async (isCurrent) => {
        const text = await command('GET', () => redis.get(fullKey));
        if (text === missing) return undefined;
        const known = text === null ? undefined : parsed<T>(text);
        return known ?? loadAndKeep(fullKey, load, { isCurrent, keepsMissing });
      });
    },
    forget: async (key) => {
      const fullKey = `${config.namespace}:${key}`;
      flight.drop(fullKey);
      // The write to the database stands, whatever becomes of this; the expiry bounds how long the old value can be read.
      await command('DEL', () => redis.del(fullKey)).catch(() => undefined);
    },
    ping: async () => void (await redis.ping()),
  };
  runtime.addCheck('redis', cache.ping);
  runtime.onStop('redis', async () => redis.disconnect());
  return cache;
}

/** Stands for what does not exist. It is not JSON, so no value looks like it. */
const missing = '*';
const slowMs = 100;

function connect(address: string): Redis {
  const redis = new Redis({
    ...splitAddress(address),
    connectTimeout: 2_000,
    commandTimeout: 500,
    maxRetriesPerRequest: 1,
    retryStrategy: (attempt) => Math.min(50 * attempt, 500),
  });
  // At the start a command may wait for the first connection. Later a lost one must show at once.
  redis.once('ready', () => {
    redis.options.enableOfflineQueue = false;
  });
  return redis;
}

function explain(cause: unknown): never {
  throw new MallError('cache', undefined, { cause });
}

const isCacheFault = (thrown: unknown): boolean => thrown instanceof MallError && thrown.code === codes.cache;

/** go-zero's words for how a command failed. */
function kindOf(thrown: unknown): string {
  const message = messageOf(thrown instanceof Error ? thrown.cause : thrown);
  if (/timed? ?out/i.test(message)) return 'timeout';
  return /closed|ECONNRESET|writeable/i.test(message) ? 'eof' : 'unexpected error';
}

/** Undefined for what cannot be read; it is then loaded and written anew. */
function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
