import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { metricNames as names } from './names.ts';

/** All instruments of a process and the registry that `/metrics` prints. Durations are milliseconds. */
export type Metrics = ReturnType<typeof createMetrics>;

/** Levels that are read when somebody asks for `/metrics`; whoever owns one enters it here. */
type Levels = {
  /** By breaker: the share of calls that it would refuse now. */
  dropRatios: { name: string; kind: string; read: () => number }[];
  cpuMilli: () => number;
  p2cLoads: () => { target: string; address: string; load: number }[];
};

const httpBuckets = [5, 10, 25, 50, 100, 250, 500, 750, 1000];
const rpcBuckets = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000];
const storeBuckets = [0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10000, 15000];

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) => new Counter({ name, help, labelNames, registers });
  const levels: Levels = { dropRatios: [], cpuMilli: () => 0, p2cLoads: () => [] };
  const histogram = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram({ name, help, buckets, labelNames, registers });

  new Gauge({
    name: names.breakerDropRatio,
    help: 'The share of calls that a breaker refuses at the moment.',
    labelNames: ['name', 'kind'],
    registers,
    collect() {
      for (const { name, kind, read } of levels.dropRatios) this.set({ name, kind }, read());
    },
  });
  new Gauge({
    name: names.cpuUsage,
    help: 'The CPU reading that decides about shedding, of 1000.',
    registers,
    collect() {
      this.set(levels.cpuMilli());
    },
  });
  new Gauge({
    name: names.p2cLoad,
    help: 'What the balancer weighs: latency and calls in flight of each replica.',
    labelNames: ['target', 'address'],
    registers,
    collect() {
      // A replica that has left must not keep its last value.
      this.reset();
      for (const { target, address, load } of levels.p2cLoads()) this.set({ target, address }, load);
    },
  });

  return {
    registry,
    levels,
    httpServer: {
      duration: histogram(names.httpServerDuration, 'HTTP requests answered, whole milliseconds.', httpBuckets, 'path', 'method', 'code'),
      codes: counter(names.httpServerCodes, 'HTTP requests by status.', 'path', 'method', 'code'),
    },
    rpcServer: {
      duration: histogram(names.rpcServerDuration, 'RPCs answered, whole milliseconds.', rpcBuckets, 'method'),
      codes: counter(names.rpcServerCodes, 'RPCs answered, by gRPC status.', 'method', 'code'),
    },
    rpcClient: {
      duration: histogram(names.rpcClientDuration, 'RPCs made, whole milliseconds.', rpcBuckets, 'method'),
      codes: counter(names.rpcClientCodes, 'RPCs made, by gRPC status.', 'method', 'code'),
    },
    redis: {
      duration: histogram(names.redisDuration, 'Redis commands, whole milliseconds.', storeBuckets, 'command'),
      errors: counter(names.redisErrors, 'Redis commands that failed.', 'command', 'error'),
      slow: counter(names.redisSlow, 'Redis commands over 100 ms.', 'command'),
    },
    sql: {
      duration: histogram(names.sqlDuration, 'SQL statements, milliseconds.', storeBuckets, 'command'),
      errors: counter(names.sqlErrors, 'SQL statements that the breaker refused.', 'command', 'error'),
      slow: counter(names.sqlSlow, 'SQL statements over 500 ms.', 'command'),
    },
    breaker: {
      requests: counter(names.breakerRequests, 'Calls a breaker saw: success, failure or drop.', 'name', 'kind', 'result'),
      trips: counter(names.breakerTrips, 'First refusals after 10 s without any.', 'name', 'kind'),
    },
    sheddingRequests: counter(names.sheddingRequests, 'Requests a shedder judged: pass, fail or drop.', 'kind', 'result'),
    p2cPicks: counter(names.p2cPicks, 'How often the balancer chose a replica.', 'target', 'address'),
    spansEnded: counter(names.spansEnded, 'Recorded spans that ended in this process.'),
    spansExported: counter(names.spansExported, 'Spans that the collector acknowledged.'),
  };
}
