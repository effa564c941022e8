import { expect, test } from 'vitest';
import { waitUntil } from '../../../core/time.ts';
import { connectTo, createProxy, deadAddress, describeEachServer, roundTripMs, type Server, startUpstream } from './support.ts';

describeEachServer('metrics', (server) => {
  test('C67 the bytes of an echo are counted on each side of both directions', async ({ skip }) => {
    skip(!(await hasMetrics(server())), 'this server was started without -proxy-metrics');
    const { address } = await startUpstream();
    const listener = await createProxy(server(), address, 'counted');
    const client = await connectTo(listener);
    await roundTripMs(client, 'hello');
    client.socket.end();
    await client.ended();
    const wanted = ['received', 'sent'].flatMap((what) =>
      ['downstream', 'upstream'].map(
        (direction) =>
          `toxiproxy_proxy_${what}_bytes_total{direction="${direction}",listener="${listener}",proxy="counted",upstream="${address}"} 5`,
      ),
    );
    let text = '';
    await waitUntil({ timeoutMs: 5_000, describe: () => `Expected 5 bytes in each of four counters, got\n${text}` }, async () => {
      text = await metricsOf(server());
      return wanted.every((line) => text.includes(line));
    });
    expect((await server().call('DELETE', '/metrics')).status).toBe(200);
  });

  test('D-5 bytes count while the connection is open, and so do connections', async ({ skip }) => {
    skip(!server().isEmbedded);
    const listen = await createProxy(server(), (await startUpstream()).address, 'live "1"');
    const failing = await createProxy(server(), await deadAddress(), 'dead');
    await roundTripMs(await connectTo(listen), 'hello');
    await (await connectTo(failing)).ended();
    const text = await metricsOf(server());
    expect(text).toMatch(/toxiproxy_proxy_sent_bytes_total\{direction="downstream",.*proxy="live \\"1\\"".*\} 5\n/);
    expect(text).toContain('stampede_proxy_connections{proxy="live \\"1\\""} 1\n');
    expect(text).toContain('stampede_proxy_accepted_total{proxy="dead"} 1\n');
    expect(text).toContain('stampede_proxy_failed_dials_total{proxy="dead"} 1\n');
  });
});

const metricsOf = async ({ call }: Server) => (await call('GET', '/metrics')).text;
const hasMetrics = async ({ call }: Server) => (await call('GET', '/metrics')).status === 200;
