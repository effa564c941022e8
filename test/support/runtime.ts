import { trace } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { pino } from 'pino';
import { isAddress } from '../../core/address.ts';
import { seededRandom } from '../../core/random.ts';
import { type RunClock, runClock } from '../../core/time.ts';
import type { ServiceConfig } from '../../system/config.ts';
import type { Runtime } from '../../system/runtime.ts';
import { createMetrics } from '../../system/telemetry/metrics.ts';
import { instanceName, type Service } from '../../system/topology.ts';
import { changesWithout, type Mechanism, type TuningChange, tuningOf } from '../../system/tuning.ts';

/** Spans of this test file, in memory. To be called once per file: OpenTelemetry's provider is global. */
export function recordSpans(): InMemorySpanExporter {
  const exporter = new InMemorySpanExporter();
  new NodeSDK({
    resource: resourceFromAttributes({}),
    autoDetectResources: false,
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
    metricReaders: [],
    logRecordProcessors: [],
  }).start();
  return exporter;
}

/** A clock that stands still until it is told to go on. */
export function standingClock(startMs = 1_700_000_000_000): RunClock & { advance(ms: number): void } {
  let nowMs = startMs;
  return {
    epochOffsetNs: 0n,
    nowMs: () => nowMs,
    nowNs: () => BigInt(Math.round(nowMs * 1_000)) * 1_000n,
    advance(ms) {
      nowMs += ms;
    },
  };
}

export type TestRuntime = Runtime & {
  /** What the log wrote, one object per line. */
  lines: Record<string, unknown>[];
  stop(): Promise<void>;
};

/** A runtime without servers: replicas are found in `replicas` (service → addresses) instead of etcd. */
export function testRuntime(
  service: Service,
  {
    clock = runClock(),
    tuning = {},
    without = [],
    replicas = {},
    listen = '127.0.0.1:0',
    cpuMilli = () => 0,
    config = {},
  }: {
    clock?: RunClock;
    tuning?: TuningChange;
    without?: readonly Mechanism[];
    replicas?: Partial<Record<Service, string>>;
    listen?: string;
    cpuMilli?: () => number;
    config?: Partial<ServiceConfig>;
  } = {},
): TestRuntime {
  const clockNs = () => Math.round(clock.nowMs() * 1_000_000);
  const lines: Record<string, unknown>[] = [];
  const checks = new Map<string, () => Promise<void>>();
  const leaves: (() => Promise<void>)[] = [];
  const stops: (() => Promise<void>)[] = [];
  return {
    config: {
      service,
      replica: 1,
      listen,
      admin: '127.0.0.1:0',
      etcd: '127.0.0.1:1',
      mysql: '127.0.0.1:1',
      redis: '127.0.0.1:1',
      otlp: '127.0.0.1:1',
      mysqlUser: 'root',
      mysqlPassword: '',
      namespace: 'test',
      addresses: {},
      epochOffsetNs: String(clock.epochOffsetNs),
      jwtSecret: 'only-for-tests',
      tuning: tuningOf(service, { mall: tuning }, ...changesWithout(without)),
      ...config,
    },
    instance: instanceName(service, 1),
    clock,
    clockNs,
    turnNs: clockNs,
    random: seededRandom(1),
    log: pino({}, { write: (line) => void lines.push(JSON.parse(line)) }),
    metrics: createMetrics(),
    tracer: trace.getTracer('test'),
    cpuMilli,
    discovery: {
      targetOf: (callee) => replicas[callee] ?? '127.0.0.1:1',
      instanceAt(dialled) {
        // A call that reached nobody names its target instead.
        const [service] = Object.entries(replicas).find(([, address]) => isAddress(address) && address === dialled) ?? [];
        return service?.concat('.1');
      },
      publish: async () => ({ withdraw: async () => undefined }),
    },
    checks,
    addCheck: (name, probe) => void checks.set(name, probe),
    markStarted: () => undefined,
    onLeave: (_name, leave) => void leaves.push(leave),
    onStop: (_name, stop) => void stops.push(stop),
    lines,
    async stop() {
      for (const end of [...leaves, ...stops.reverse()]) await end();
    },
  };
}

/** The value of one series, as `/metrics` would print it; 0 where there is none. */
export async function metricValue(runtime: Runtime, name: string, labels: Record<string, string> = {}): Promise<number> {
  const metric = await runtime.metrics.registry.getSingleMetric(name)?.get();
  const series = metric?.values.filter(
    (value) =>
      (!('metricName' in value) || value.metricName === name) &&
      Object.entries(labels).every(([label, expected]) => value.labels[label] === expected),
  );
  return series?.reduce((sum, { value }) => sum + value, 0) ?? 0;
}
