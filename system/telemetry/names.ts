/**
 * Every name under which the mall speaks of itself: what a dashboard, an alert or the harness may look for.
 * Metrics without the prefix `mall_` are go-zero's and keep their labels and buckets; those with it are ours.
 */
export const metricNames = {
  httpServerDuration: 'http_server_requests_duration_ms',
  httpServerCodes: 'http_server_requests_code_total',
  rpcServerDuration: 'rpc_server_requests_duration_ms',
  rpcServerCodes: 'rpc_server_requests_code_total',
  rpcClientDuration: 'rpc_client_requests_duration_ms',
  rpcClientCodes: 'rpc_client_requests_code_total',
  redisDuration: 'redis_client_requests_duration_ms',
  redisErrors: 'redis_client_requests_error_total',
  redisSlow: 'redis_client_requests_slow_total',
  sqlDuration: 'sql_client_requests_duration_ms',
  sqlErrors: 'sql_client_requests_error_total',
  sqlSlow: 'sql_client_requests_slow_total',
  breakerRequests: 'mall_breaker_requests_total',
  breakerDropRatio: 'mall_breaker_drop_ratio',
  breakerTrips: 'mall_breaker_trips_total',
  sheddingRequests: 'mall_shedding_requests_total',
  cpuUsage: 'mall_cpu_usage_milli',
  p2cPicks: 'mall_p2c_picks_total',
  p2cLoad: 'mall_p2c_load',
  spansEnded: 'mall_spans_ended_total',
  spansExported: 'mall_spans_exported_total',
} as const;

/** Attributes of spans: OpenTelemetry's semantic conventions, and ours under `mall.`. */
export const attributes = {
  serviceName: 'service.name',
  serviceInstance: 'service.instance.id',
  httpMethod: 'http.request.method',
  httpRoute: 'http.route',
  httpStatus: 'http.response.status_code',
  rpcSystem: 'rpc.system',
  rpcService: 'rpc.service',
  rpcMethod: 'rpc.method',
  rpcStatus: 'rpc.grpc.status_code',
  dbSystem: 'db.system.name',
  dbNamespace: 'db.namespace',
  dbOperation: 'db.operation.name',
  /** The statement with its placeholders, never with values: no personal data in spans. */
  dbQuery: 'db.query.text',
  serverAddress: 'server.address',
  /** `orders->inventory`: who calls whom, on the caller's span. */
  edge: 'mall.edge',
  /** `inventory.2`: the replica that the balancer chose, on the caller's span. */
  peer: 'mall.peer',
  /** The business code of the envelope, on spans of failed calls. */
  code: 'mall.code',
  /** `breaker`, `shedding`, `limit` or `deadline`: who turned the call away, on the span of whoever did. */
  refusedBy: 'mall.refused_by',
  /** How many open orders a sweep found, and with how many of them it was done. */
  ordersDue: 'mall.orders.due',
  ordersSettled: 'mall.orders.settled',
} as const;

/** Moments within a span. */
export const spanEvents = { breakerOpen: 'breaker.open', breakerClosed: 'breaker.closed' } as const;

/** Trailing metadata of a failed gRPC call. */
export const metadataKeys = { code: 'mall-code', refusedBy: 'mall-refused-by' } as const;

/** Headers of every answer of the gateway, and of a refused one. */
export const headers = { traceId: 'x-trace-id', refusedBy: 'x-refused-by' } as const;
