import { MallError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { murmur3 } from './murmur3.ts';
import type { RedisStore } from './redis.ts';
import { luaScript } from './script.ts';

export type BloomFilter = {
  /** False only for what was never among the elements. True also where Redis does not answer, or has lost them. */
  mayContain(element: string): Promise<boolean>;
};

/**
 * A Bloom filter in Redis (governance.md 7.6), of so many bits under `key`. It is filled with the elements that `load` brings, and again when
 * Redis has lost them. Twenty bits for each element are wrong about less than one stranger in 10,000.
 */
export async function openBloomFilter(
  runtime: Runtime,
  redis: RedisStore,
  { key, bits, load }: { key: string; bits: number; load: () => Promise<readonly string[]> },
): Promise<BloomFilter> {
  const { config, clock, instance, log } = runtime;
  // Another number of bits has other offsets.
  const filterKey = `${config.namespace}:${key}:${bits}`;
  const newKey = `${filterKey}:${instance}`;
  let nextFillMs = 0;

  /** Made beside the old one, which it replaces when it is complete: half a filter would deny what exists. */
  async function fill(): Promise<void> {
    const elements = await load();
    await redis.command('DEL', (client) => client.del(newKey));
    for (let from = 0; from < elements.length; from += batchSize) {
      const offsets = elements.slice(from, from + batchSize).flatMap((element) => bloomOffsets(element, bits));
      const done = await redis.command('EVALSHA', (client) => setBits(client, { keys: [newKey], args: [from, ...offsets] }));
      if (done !== 1) throw new MallError('cache', 'Redis lost a filter while it was being filled');
    }
    if (elements.length > 0) await redis.command('RENAME', (client) => client.rename(newKey, filterKey));
  }

  async function fillNowAndThen(): Promise<void> {
    if (clock.nowMs() < nextFillMs) return;
    nextFillMs = clock.nowMs() + refillMs;
    await fill().catch((err) => log.warn({ err, key: filterKey }, 'A Bloom filter could not be filled; it holds everything for possible'));
  }

  await fillNowAndThen();
  return {
    async mayContain(element) {
      const args = bloomOffsets(element, bits);
      const answer = await redis
        .command('EVALSHA', (client) => testBits(client, { keys: [filterKey], args }))
        // The failure has been logged and counted.
        .catch(() => undefined);
      if (answer === 'unfilled') void fillNowAndThen();
      return answer !== 0;
    },
  };
}

/** Which bits stand for an element: 14 hashes, each of the element with one more byte behind it. */
export function bloomOffsets(element: string, bits: number): number[] {
  const data = Buffer.concat([Buffer.from(element), Buffer.alloc(1)]);
  const divisor = BigInt(bits);
  return Array.from({ length: hashes }, (_, index) => {
    data[data.length - 1] = index;
    return Number(murmur3(data) % divisor);
  });
}

const hashes = 14;
const batchSize = 500;
const refillMs = 10_000;

/** Answers 0 without setting any where bits were set before (ARGV[1]) and are no longer there. */
const setBits = luaScript(`
if ARGV[1] ~= '0' and redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for index = 2, #ARGV do redis.call('SETBIT', KEYS[1], ARGV[index], 1) end
return 1`);

const testBits = luaScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 'unfilled' end
for _, offset in ipairs(ARGV) do
  if redis.call('GETBIT', KEYS[1], offset) == 0 then return 0 end
end
return 1`);
