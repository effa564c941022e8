import { randomBytes } from 'node:crypto';
import { readConfig } from '../../config.ts';
import { rpcClient } from '../../rpc/client.ts';
import { serve } from '../../rpc/server.ts';
import { startRuntime } from '../../runtime.ts';
import { openSql } from '../../stores/sql.ts';
import { fulfilment } from './fulfil.ts';
import { ordersHandlers } from './handlers.ts';
import { orderId } from './order-id.ts';
import { placing } from './place.ts';
import { orderStore } from './store.ts';
import { startSweep } from './sweep.ts';

const runtime = await startRuntime(readConfig());
const { clock } = runtime;
const store = orderStore({ sql: await openSql(runtime), clock });

const user = rpcClient(runtime, 'user');
const product = rpcClient(runtime, 'product');
const inventory = rpcClient(runtime, 'inventory');
const payment = rpcClient(runtime, 'payment');

const { fulfil, settle } = fulfilment(runtime, { store, inventory, payment });
const newId = () => orderId({ nowMs: clock.nowMs(), entropy: randomBytes(10) });
const place = placing(runtime, { store, user, product, inventory, fulfil, newId });

// Before it answers, so that at the end it stops after the last answer: stops run in reverse, and leaving etcd must not wait for a sweep.
startSweep(runtime, { store, settle });
await serve(runtime, 'orders', ordersHandlers({ store, place }));
