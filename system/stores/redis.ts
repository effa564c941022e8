import { type Attributes, SpanKind } from '@opentelemetry/api';
import { Redis } from 'ioredis';
import { splitAddress } from '../../core/address.ts';
import { messageOf } from '../../core/errors.ts';
import { codes, MallError, refused } from '../errors.ts';
import { remainingMs } from '../rpc/context.ts';
import type { Runtime } from '../runtime.ts';
import { attributes } from '../telemetry/names.ts';
import { inSpan } from '../telemetry/spans.ts';
import { createGuard } from './guard.ts';

export type RedisStore = {
  /**
   * One command, by its name in capitals: its span, its breaker, its duration. `run` sends it; its answer is awaited for as long as the call
   * at hand has time left, at most 500 ms. Rejects with 'cache' when Redis fails, or with a refusal (`breaker`, `deadline`). For the breaker
   * whatever Redis does not answer as it should is a failure, also a reply that is an error, and an answer that is not there in time.
   */
  command<T>(name: string, run: (redis: Redis) => Promise<T>): Promise<T>;
  ping(): Promise<void>;
};

/** The Redis of this process, over one connection with one breaker. Where it `isVital`, the process is not ready without it. */
export function openRedis(runtime: Runtime, { isVital = true }: { isVital?: boolean } = {}): RedisStore {
  const { config, clock, metrics, log } = runtime;
  const edge = `${config.service}->redis`;
  const redis = connect(config.redis);
  redis.on('error', (err) => log.warn({ err, edge }, 'Redis cannot be reached'));
  const guard = createGuard(runtime, { name: edge, kind: 'redis', hasFailed: isRedisFault });
  const { host } = splitAddress(config.redis);

  const known = new Map<string, Command>();
  function commandOf(name: string): Command {
    const label = name.toLowerCase();
    const spanAttributes = {
      [attributes.dbSystem]: 'redis',
      [attributes.dbOperation]: name,
      [attributes.serverAddress]: host,
      [attributes.edge]: edge,
    };
    const command: Command = {
      label,
      span: { kind: SpanKind.CLIENT, attributes: spanAttributes },
      duration: metrics.redis.duration.labels(label),
      refused: () => metrics.redis.errors.labels(label, 'breaker open').inc(),
    };
    known.set(name, command);
    return command;
  }

  const pool = { hits: 0, dialled: 0, lost: 0 };
  redis.on('connect', () => {
    pool.dialled += 1;
  });
  redis.on('close', () => {
    // An attempt that failed was no connection.
    if (pool.lost < pool.dialled) pool.lost += 1;
  });
  metrics.stores.redisPools.push({
    address: config.redis,
    read: () => {
      const isOpen = redis.status === 'ready';
      return { ...pool, open: isOpen ? 1 : 0, idle: isOpen && redis.commandQueue.length === 0 ? 1 : 0 };
    },
  });

  async function send<T>(label: string, run: (redis: Redis) => Promise<T>): Promise<T> {
    const leftMs = remainingMs(clock);
    if (redis.status === 'ready') pool.hits += 1;
    try {
      return await (leftMs < commandTimeoutMs ? within(leftMs, run(redis)) : run(redis));
    } catch (cause) {
      const error = cause instanceof MallError ? cause : new MallError('cache', undefined, { cause });
      metrics.redis.errors.labels(label, kindOf(error)).inc();
      log.warn({ err: error, edge }, 'Redis failed');
      throw error;
    }
  }

  const store: RedisStore = {
    command(name, run) {
      const command = known.get(name) ?? commandOf(name);
      async function timed() {
        const startMs = clock.nowMs();
        try {
          return await guard(() => send(command.label, run), command.refused);
        } finally {
          const tookMs = Math.trunc(clock.nowMs() - startMs);
          command.duration.observe(tookMs);
          if (tookMs > slowMs) metrics.redis.slow.labels(command.label).inc();
        }
      }
      return inSpan(runtime, name, timed, command.span);
    },
    ping: async () => void (await redis.ping()),
  };
  if (isVital) runtime.addCheck('redis', store.ping);
  runtime.onStop('redis', async () => redis.disconnect());
  return store;
}

/** What is told of a command, bound once: their names are few, because they come from code. */
type Command = {
  label: string;
  span: { kind: SpanKind; attributes: Attributes };
  duration: { observe(value: number): void };
  refused: () => void;
};

const slowMs = 100;
const commandTimeoutMs = 500;

function connect(address: string): Redis {
  const redis = new Redis({
    ...splitAddress(address),
    connectTimeout: 2_000,
    commandTimeout: commandTimeoutMs,
    maxRetriesPerRequest: 1,
    retryStrategy: (attempt) => Math.min(50 * attempt, 500),
  });
  // At the start a command may wait for the first connection. Later a lost one must show at once.
  redis.once('ready', () => {
    redis.options.enableOfflineQueue = false;
  });
  return redis;
}

/** Redis may still answer; then nobody is there any more to hear it. */
async function within<T>(leftMs: number, answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(refused('deadline', 'Redis did not answer in time')), Math.ceil(leftMs));
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

const isRedisFault = (thrown: unknown): boolean =>
  thrown instanceof MallError && (thrown.code === codes.cache || thrown.refusedBy === 'deadline');

/** go-zero's words for how a command failed. */
function kindOf(error: MallError): string {
  if (error.refusedBy === 'deadline') return 'context deadline';
  const message = messageOf(error.cause);
  if (/timed? ?out/i.test(message)) return 'timeout';
  return /closed|ECONNRESET|writeable/i.test(message) ? 'eof' : 'unexpected error';
}
