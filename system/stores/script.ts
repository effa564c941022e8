import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script for Redis, sent by its hash; in full where Redis does not know it yet, such as after a restart. */
export function luaScript(text: string): (redis: Redis, given: { keys: string[]; args: (string | number)[] }) => Promise<unknown> {
  const hash = createHash('sha1').update(text).digest('hex');
  return async function run(redis, { keys, args }) {
    try {
      return await redis.evalsha(hash, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return redis.eval(text, keys.length, ...keys, ...args);
    }
  };
}
