import { readConfig } from '../../config.ts';
import { serve } from '../../rpc/server.ts';
import { startRuntime } from '../../runtime.ts';
import { openSql } from '../../stores/sql.ts';
import { inventoryHandlers } from './handlers.ts';
import { inventoryStore } from './store.ts';

const runtime = await startRuntime(readConfig());
await serve(runtime, 'inventory', inventoryHandlers(inventoryStore(await openSql(runtime))));
