import { readConfig } from '../../config.ts';
import { serve } from '../../rpc/server.ts';
import { startRuntime } from '../../runtime.ts';
import { openCache } from '../../stores/cache.ts';
import { openSql } from '../../stores/sql.ts';
import { productHandlers } from './handlers.ts';
import { productStore } from './store.ts';

const runtime = await startRuntime(readConfig());
await serve(runtime, 'product', productHandlers(productStore({ sql: await openSql(runtime), cache: openCache(runtime) })));
