import { readConfig } from '../../config.ts';
import { serve } from '../../rpc/server.ts';
import { startRuntime } from '../../runtime.ts';
import { openSql } from '../../stores/sql.ts';
import { paymentHandlers } from './handlers.ts';
import { paymentStore } from './store.ts';

const runtime = await startRuntime(readConfig());
await serve(runtime, 'payment', paymentHandlers(paymentStore(await openSql(runtime))));
