import { randomUUID } from 'node:crypto';
import jwt from '@fastify/jwt';
import fastify from 'fastify';
import { readConfig } from '../config.ts';
import { httpChain } from '../rpc/chain.ts';
import { rpcClient } from '../rpc/client.ts';
import { startRuntime } from '../runtime.ts';
import { addAdminRoutes, addFallbacks } from './hooks.ts';
import { addRoutes } from './routes.ts';

const runtime = await startRuntime(readConfig());
const { config } = runtime;
const govern = httpChain(runtime);

// The runtime writes the log; a body larger than a full basket is a mistake.
const app = fastify({ logger: false, bodyLimit: 64 * 1_024 });
await app.register(jwt, { secret: config.jwtSecret });
addAdminRoutes(app, runtime);
addFallbacks(app, govern);
addRoutes(app, {
  govern,
  services: {
    user: rpcClient(runtime, 'user', { timeoutMs: 1_000 }),
    product: rpcClient(runtime, 'product', { timeoutMs: 1_000 }),
    orders: rpcClient(runtime, 'orders', { timeoutMs: 3_000 }),
  },
  newKey: randomUUID,
});

const [host = '', port = ''] = config.listen.split(':');
await app.listen({ host, port: Number(port) });
runtime.onStop('http', () => app.close());
