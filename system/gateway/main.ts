import { randomUUID } from 'node:crypto';
import jwt from '@fastify/jwt';
import fastify from 'fastify';
import { splitAddress } from '../../core/address.ts';
import { readConfig } from '../config.ts';
import { httpChain, unroutedChain } from '../rpc/chain.ts';
import { rpcClient } from '../rpc/client.ts';
import { startRuntime } from '../runtime.ts';
import { addAdminRoutes, addFallbacks } from './hooks.ts';
import { bodyLimit, openLimits } from './limits.ts';
import { addRoutes } from './routes.ts';

const runtime = await startRuntime(readConfig());
const { config } = runtime;

const app = fastify({
  // The runtime writes the log.
  logger: false,
  bodyLimit: bodyLimit(config.tuning.limits),
  // What still arrives on an open connection while the process stops is answered like everything else.
  return503OnClosing: false,
});
await app.register(jwt, { secret: config.jwtSecret });
addAdminRoutes(app, runtime);
addFallbacks(app, unroutedChain(runtime));
addRoutes(app, {
  govern: httpChain(runtime),
  services: {
    user: rpcClient(runtime, 'user'),
    product: rpcClient(runtime, 'product'),
    orders: rpcClient(runtime, 'orders'),
  },
  limitOf: openLimits(runtime),
  newKey: randomUUID,
});

await app.listen(splitAddress(config.listen));
runtime.onStop('http', async () => {
  // A shopper who is answered while the process stops would keep the connection, and with it the process, for over a minute.
  const farewell = setInterval(() => app.server.closeIdleConnections(), 50);
  await app.close();
  clearInterval(farewell);
});
runtime.markStarted();
runtime.log.info({ listen: config.listen }, 'gateway answers');
