import { readConfig } from '../../config.ts';
import { serve } from '../../rpc/server.ts';
import { startRuntime } from '../../runtime.ts';
import { openCache } from '../../stores/cache.ts';
import { openRedis } from '../../stores/redis.ts';
import { openSql } from '../../stores/sql.ts';
import { userHandlers } from './handlers.ts';
import { userStore } from './store.ts';

const runtime = await startRuntime(readConfig());
const { enabled, withoutRedis } = runtime.config.tuning.cache;
const redis = openRedis(runtime, { isVital: enabled && withoutRedis === 'fails' });
await serve(runtime, 'user', userHandlers(userStore({ sql: await openSql(runtime), cache: openCache(runtime, redis) })));
