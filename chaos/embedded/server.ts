import { once } from 'node:events';
import { createServer } from 'node:http';
import { performance } from 'node:perf_hooks';
import { formatAddress } from './address.ts';
import { createApi } from './api.ts';
import { listenOn } from './listen.ts';
import type { Log } from './log.ts';
import { createMetrics } from './metrics.ts';
import { createProxies, type Proxies } from './proxies.ts';
import { createTraffic } from './traffic.ts';

export type ServerOptions = {
  host: string;
  /** 0 chooses a free one. */
  port: number;
  seed: number;
  proxyMetrics: boolean;
  runtimeMetrics: boolean;
  log: Log;
  /** Makes the proxies that are there from the start, before anyone can ask for them. */
  prepare?: (proxies: Proxies) => Promise<void>;
};

/** `close` ends the control API when the calls in progress are answered, at the latest after 30 s, and then every proxy. */
export type Server = { controlUrl: string; close(): Promise<void> };

const closesWithinMs = 30_000;

/** A control API and its proxies within this process. An address that cannot be listened on is thrown in the words of the original. */
export async function openServer({ host, port, seed, proxyMetrics, runtimeMetrics, log, prepare }: ServerOptions): Promise<Server> {
  const traffic = createTraffic();
  const proxies = createProxies({ clock: () => performance.now(), seed, traffic });
  const metrics = await createMetrics({ proxies: proxies.all, traffic, ofProxies: proxyMetrics, ofRuntime: runtimeMetrics });
  const api = createServer(
    { requestTimeout: 15_000, headersTimeout: 15_000, connectionsCheckingInterval: 5_000, keepAliveTimeout: 60_000 },
    createApi(proxies, { metrics, log }),
  );
  // Whoever does not read its answer.
  api.setTimeout(30_000);
  await prepare?.(proxies);
  const address = await listenOn(api, formatAddress({ host, port })).catch(async (error: unknown) => {
    await proxies.close();
    throw error;
  });
  // A connection that cannot be accepted, for want of file descriptors, is the client's to notice.
  api.on('error', (error) => log.say('error', 'Control connection lost', { error: error.message }));
  log.say('info', 'Starting Toxiproxy HTTP server', { address });

  return {
    controlUrl: `http://${address}`,
    async close() {
      const closed = once(api, 'close');
      api.close();
      const force = setTimeout(() => api.closeAllConnections(), closesWithinMs);
      await closed;
      clearTimeout(force);
      await proxies.close();
    },
  };
}
