import { expect, test } from 'vitest';
import { createMetrics } from '../../../../system/telemetry/metrics.ts';
import { metricNames } from '../../../../system/telemetry/names.ts';

const httpEdges = [5, 10, 25, 50, 100, 250, 500, 750, 1000];
const rpcEdges = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000];
const storeEdges = [0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10000, 15000];

test('every name has an instrument', () => {
  const { registry } = createMetrics();
  const known = registry.getMetricsAsArray().map(({ name }) => name);
  expect(known.toSorted()).toEqual(Object.values(metricNames).toSorted());
});

test.each([
  ['http_server_requests_duration_ms', httpEdges, { path: '/a', method: 'GET', code: '200' }],
  ['rpc_server_requests_duration_ms', rpcEdges, { method: '/a.A/B' }],
  ['rpc_client_requests_duration_ms', rpcEdges, { method: '/a.A/B' }],
  ['redis_client_requests_duration_ms', storeEdges, { command: 'get' }],
  ['sql_client_requests_duration_ms', storeEdges, { command: 'query' }],
])("%s has go-zero's labels and buckets", async (name, edges, labels) => {
  const { registry } = createMetrics();
  const histogram = registry.getSingleMetric(name) as unknown as { observe(labels: object, value: number): void };
  histogram.observe(labels, 1);
  const text = await registry.getSingleMetricAsString(name);
  expect([...text.matchAll(/le="([^"]+)"/g)].map(([, edge]) => edge)).toEqual([...edges.map(String), '+Inf']);
  expect(() => histogram.observe({ ...labels, other: 'x' }, 1)).toThrow();
});

test('levels are read when they are asked for', async () => {
  const { registry, levels } = createMetrics();
  levels.cpuMilli = () => 431;
  levels.dropRatios.push({ name: 'orders->mysql', kind: 'sql', read: () => 0.25 });
  let loads = [{ target: 'inventory', address: '127.0.0.1:4001', load: 12 }];
  levels.p2cLoads = () => loads;
  expect(await registry.metrics()).toContain('mall_p2c_load{target="inventory",address="127.0.0.1:4001"} 12');
  loads = [];
  const text = await registry.metrics();
  expect(text).toContain('mall_cpu_usage_milli 431');
  expect(text).toContain('mall_breaker_drop_ratio{name="orders->mysql",kind="sql"} 0.25');
  expect(text).not.toContain('127.0.0.1:4001');
});
