import { readConfig } from '../../config.ts';
import { serve } from '../../rpc/server.ts';
import { startRuntime } from '../../runtime.ts';
import { openBloomFilter } from '../../stores/bloom.ts';
import { openCache } from '../../stores/cache.ts';
import { openRedis } from '../../stores/redis.ts';
import { openSql } from '../../stores/sql.ts';
import { productHandlers } from './handlers.ts';
import { idsOf, productStore } from './store.ts';

const runtime = await startRuntime(readConfig());
const { enabled, withoutRedis, bloomBits: bits } = runtime.config.tuning.cache;
const sql = await openSql(runtime);
const redis = openRedis(runtime, { isVital: enabled && withoutRedis === 'fails' });
const hasFilter = enabled && bits > 0;
const filter = hasFilter ? await openBloomFilter(runtime, redis, { key: 'product:ids', bits, load: () => idsOf(sql) }) : undefined;
await serve(runtime, 'product', productHandlers(productStore({ sql, cache: openCache(runtime, redis), filter })));
