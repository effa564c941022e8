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

/** governance.md 9.2 and 9.3; the mall makes no HTTP calls of its own, so it has nothing to say of them. */
test.each([
  ['http_server_requests_duration_ms', 'histogram', ['path', 'method', 'code'], httpEdges],
  ['http_server_requests_code_total', 'counter', ['path', 'method', 'code']],
  ['rpc_server_requests_duration_ms', 'histogram', ['method'], rpcEdges],
  ['rpc_server_requests_code_total', 'counter', ['method', 'code']],
  ['rpc_client_requests_duration_ms', 'histogram', ['method'], rpcEdges],
  ['rpc_client_requests_code_total', 'counter', ['method', 'code']],
  ['redis_client_requests_duration_ms', 'histogram', ['command'], storeEdges],
  ['redis_client_requests_error_total', 'counter', ['command', 'error']],
  ['redis_client_requests_slow_total', 'counter', ['command']],
  ['sql_client_requests_duration_ms', 'histogram', ['command'], storeEdges],
  ['sql_client_requests_error_total', 'counter', ['command', 'error']],
  ['sql_client_requests_slow_total', 'counter', ['command']],
  ['redis_client_pool_hit_total', 'counter', ['key', 'client_type']],
  ['redis_client_pool_miss_total', 'counter', ['key', 'client_type']],
  ['redis_client_pool_timeout_total', 'counter', ['key', 'client_type']],
  ['redis_client_pool_conn_stale_total', 'counter', ['key', 'client_type']],
  ['redis_client_pool_conn_total_current', 'gauge', ['key', 'client_type']],
  ['redis_client_pool_conn_idle_current', 'gauge', ['key', 'client_type']],
  ['redis_client_pool_conn_max', 'counter', ['key', 'client_type']],
  ['sql_client_max_open_connections', 'gauge', ['db_name', 'hash']],
  ['sql_client_open_connections', 'gauge', ['db_name', 'hash']],
  ['sql_client_in_use_connections', 'gauge', ['db_name', 'hash']],
  ['sql_client_idle_connections', 'gauge', ['db_name', 'hash']],
  ['sql_client_wait_count_total', 'counter', ['db_name', 'hash']],
  ['sql_client_wait_duration_seconds_total', 'counter', ['db_name', 'hash']],
  ['sql_client_max_idle_closed_total', 'counter', ['db_name', 'hash']],
  ['sql_client_max_idle_time_closed_total', 'counter', ['db_name', 'hash']],
  ['sql_client_max_lifetime_closed_total', 'counter', ['db_name', 'hash']],
  // Ours, as governance.md 12 names them.
  ['mall_breaker_requests_total', 'counter', ['name', 'kind', 'result']],
  ['mall_breaker_drop_ratio', 'gauge', ['name', 'kind']],
  ['mall_breaker_trips_total', 'counter', ['name', 'kind']],
  ['mall_shedding_requests_total', 'counter', ['kind', 'result']],
  ['mall_cpu_usage_milli', 'gauge', []],
  ['mall_p2c_load', 'gauge', ['target', 'address']],
])('%s is the %s that dashboards expect', async (name, type, labels, edges: number[] = []) => {
  const { registry } = createMetrics();
  const metric = registry.getSingleMetric(name) as unknown as {
    labelNames: string[];
    upperBounds?: number[];
    get(): Promise<{ type: string }>;
  };
  expect({ type: (await metric.get()).type, labels: metric.labelNames.toSorted(), edges: metric.upperBounds ?? [] }).toEqual({
    type,
    labels: labels.toSorted(),
    edges,
  });
});

test('levels are read when they are asked for', async () => {
  const { registry, levels } = createMetrics();
  expect(await registry.getSingleMetricAsString('mall_breaker_requests_total')).not.toContain('{');
  levels.cpuMilli = () => 431;
  levels.breakers.push({ name: 'orders->mysql', kind: 'sql', breaker: { totals: { success: 3, failure: 2, drop: 1 }, dropRatio: 0.25 } });
  let loads = [{ target: 'inventory', address: '127.0.0.1:4001', load: 12 }];
  levels.p2cLoads = () => loads;
  expect(await registry.metrics()).toContain('mall_p2c_load{target="inventory",address="127.0.0.1:4001"} 12');
  loads = [];
  const text = await registry.metrics();
  expect(text).toContain('mall_cpu_usage_milli 431');
  expect(text).toContain('mall_breaker_drop_ratio{name="orders->mysql",kind="sql"} 0.25');
  expect(text).not.toContain('127.0.0.1:4001');
  // Read twice by now, and still the same.
  expect(text).toContain('mall_breaker_requests_total{name="orders->mysql",kind="sql",result="success"} 3');
});
