import {
  ATTR_DB_NAMESPACE,
  ATTR_DB_OPERATION_NAME,
  ATTR_DB_QUERY_TEXT,
  ATTR_DB_SYSTEM_NAME,
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PEER_ADDRESS,
  ATTR_NETWORK_PEER_PORT,
  ATTR_RPC_METHOD,
  ATTR_RPC_STATUS_CODE,
  ATTR_RPC_SYSTEM_NAME,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_NAME,
  ATTR_URL_PATH,
  ATTR_URL_SCHEME,
} from '@opentelemetry/semantic-conventions';

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
  redisPoolHits: 'redis_client_pool_hit_total',
  redisPoolMisses: 'redis_client_pool_miss_total',
  redisPoolTimeouts: 'redis_client_pool_timeout_total',
  redisPoolStale: 'redis_client_pool_conn_stale_total',
  redisPoolOpen: 'redis_client_pool_conn_total_current',
  redisPoolIdle: 'redis_client_pool_conn_idle_current',
  redisPoolMost: 'redis_client_pool_conn_max',
  sqlPoolMost: 'sql_client_max_open_connections',
  sqlPoolOpen: 'sql_client_open_connections',
  sqlPoolInUse: 'sql_client_in_use_connections',
  sqlPoolIdle: 'sql_client_idle_connections',
  sqlPoolWaits: 'sql_client_wait_count_total',
  sqlPoolWaitSeconds: 'sql_client_wait_duration_seconds_total',
  sqlPoolIdleClosed: 'sql_client_max_idle_closed_total',
  sqlPoolIdleTimeClosed: 'sql_client_max_idle_time_closed_total',
  sqlPoolLifetimeClosed: 'sql_client_max_lifetime_closed_total',
  cacheRequests: 'mall_cache_requests_total',
  breakerRequests: 'mall_breaker_requests_total',
  breakerDropRatio: 'mall_breaker_drop_ratio',
  breakerTrips: 'mall_breaker_trips_total',
  sheddingRequests: 'mall_shedding_requests_total',
  cpuUsage: 'mall_cpu_usage_milli',
  p2cPicks: 'mall_p2c_picks_total',
  p2cLoad: 'mall_p2c_load',
  retries: 'mall_retries_total',
  limiterRequests: 'mall_limiter_requests_total',
  spansEnded: 'mall_spans_ended_total',
  spansExported: 'mall_spans_exported_total',
} as const;

/** Attributes of spans: OpenTelemetry's semantic conventions, and ours under `mall.`. */
export const attributes = {
  serviceName: ATTR_SERVICE_NAME,
  serviceInstance: ATTR_SERVICE_INSTANCE_ID,
  httpMethod: ATTR_HTTP_REQUEST_METHOD,
  httpRoute: ATTR_HTTP_ROUTE,
  httpStatus: ATTR_HTTP_RESPONSE_STATUS_CODE,
  urlPath: ATTR_URL_PATH,
  urlScheme: ATTR_URL_SCHEME,
  /** The status in words or figures, on spans of failed calls. */
  errorType: ATTR_ERROR_TYPE,
  rpcSystem: ATTR_RPC_SYSTEM_NAME,
  /** In full: `orders.Orders/Create`. */
  rpcMethod: ATTR_RPC_METHOD,
  /** In words: `OK`, `UNAVAILABLE`. */
  rpcStatus: ATTR_RPC_STATUS_CODE,
  dbSystem: ATTR_DB_SYSTEM_NAME,
  dbNamespace: ATTR_DB_NAMESPACE,
  dbOperation: ATTR_DB_OPERATION_NAME,
  /** The statement with its placeholders, never with values: no personal data in spans. */
  dbQuery: ATTR_DB_QUERY_TEXT,
  serverAddress: ATTR_SERVER_ADDRESS,
  /** Where the chosen replica answers, on the caller's span: `127.0.0.1` and 4001. */
  networkPeerAddress: ATTR_NETWORK_PEER_ADDRESS,
  networkPeerPort: ATTR_NETWORK_PEER_PORT,
  /** `orders->inventory`: who calls whom, on the caller's span. */
  edge: 'mall.edge',
  /** `inventory.2`: the replica that the balancer chose, on the caller's span. */
  peer: 'mall.peer',
  /** 2 for a call that is made for the second time, and so on; absent on the first. */
  attempt: 'mall.attempt',
  /** The business code of the envelope, on spans of failed calls. */
  code: 'mall.code',
  /** `breaker`, `shedding`, `limit`, `connections` or `deadline`: who turned the call away, on the span of whoever did. */
  refusedBy: 'mall.refused_by',
  /** How many open orders a sweep found, and with how many of them it was done. */
  ordersDue: 'mall.orders.due',
  ordersSettled: 'mall.orders.settled',
} as const;

/** Moments within a span. */
export const spanEvents = { breakerOpen: 'breaker.open', breakerClosed: 'breaker.closed' } as const;

/** Trailing metadata of a failed gRPC call. */
export const metadataKeys = { code: 'mall-code', refusedBy: 'mall-refused-by' } as const;

/** Headers of every answer of the gateway, of a refused one, and of what comes from a limited route. */
export const headers = {
  traceId: 'x-trace-id',
  refusedBy: 'x-refused-by',
  /** How many requests the limit lets pass at once or in a period, and how many more it would now. */
  rateLimit: 'x-ratelimit-limit',
  rateRemaining: 'x-ratelimit-remaining',
  /** In whole seconds. */
  retryAfter: 'retry-after',
} as const;
