import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Breaker } from '../governance/breaker.ts';
import type { Shedder } from '../governance/shedder.ts';
import type { Alerts } from './alerts.ts';
import { metricNames as names } from './names.ts';
import { collectStores } from './stores.ts';

/** All instruments of a process and the registry that `/metrics` prints. Durations are milliseconds. */
export type Metrics = ReturnType<typeof createMetrics>;

/** What is read when somebody asks for `/metrics`; whoever owns one enters it here. Counting then costs a call nothing but an addition. */
type Levels = {
  breakers: { name: string; kind: string; breaker: Pick<Breaker, 'totals' | 'dropRatio'> }[];
  /** Several of one kind are told of together. */
  shedders: { kind: string; shedder: Pick<Shedder, 'totals'> }[];
  cpuMilli: () => number;
  p2cLoads: () => { target: string; address: string; load: number }[];
  /** Where refusals are reported; to nobody until the process has a log. */
  alert: Alerts;
};

const breakerResults = ['success', 'failure', 'drop'] as const;
const shedderResults = ['pass', 'fail', 'drop'] as const;

const httpBuckets = [5, 10, 25, 50, 100, 250, 500, 750, 1000];
const rpcBuckets = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000];
const storeBuckets = [0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10000, 15000];

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) => new Counter({ name, help, labelNames, registers });
  const levels: Levels = { breakers: [], shedders: [], cpuMilli: () => 0, p2cLoads: () => [], alert: () => {} };
  const histogram = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram({ name, help, buckets, labelNames, registers });

  new Counter({
    name: names.breakerRequests,
    help: 'Calls a breaker saw: success, failure or drop.',
    labelNames: ['name', 'kind', 'result'],
    registers,
    collect() {
      this.reset();
      for (const { name, kind, breaker } of levels.breakers) {
        for (const result of breakerResults) this.inc({ name, kind, result }, breaker.totals[result]);
      }
    },
  });
  new Counter({
    name: names.sheddingRequests,
    help: 'Requests a shedder judged: pass, fail or drop.',
    labelNames: ['kind', 'result'],
    registers,
    collect() {
      this.reset();
      for (const { kind, shedder } of levels.shedders) {
        for (const result of shedderResults) this.inc({ kind, result }, shedder.totals[result]);
      }
    },
  });
  new Gauge({
    name: names.breakerDropRatio,
    help: 'The share of calls that a breaker refuses at the moment.',
    labelNames: ['name', 'kind'],
    registers,
    collect() {
      for (const { name, kind, breaker } of levels.breakers) this.set({ name, kind }, breaker.dropRatio);
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
    stores: collectStores(registry),
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
    breakerTrips: counter(names.breakerTrips, 'First refusals after 10 s without any.', 'name', 'kind'),
    p2cPicks: counter(names.p2cPicks, 'How often the balancer chose a replica.', 'target', 'address'),
    retries: counter(names.retries, 'Failed calls that were retried, or withheld because the budget was used up.', 'edge', 'result'),
    limiterRequests: counter(
      names.limiterRequests,
      'What limiters said: granted, refused or unknown; by redis, in rescue or in the process alone.',
      'name',
      'result',
      'source',
    ),
    spansEnded: counter(names.spansEnded, 'Recorded spans that ended in this process.'),
    spansExported: counter(names.spansExported, 'Spans that the collector acknowledged.'),
  };
}
