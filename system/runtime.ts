import type { Tracer } from '@opentelemetry/api';
import type { Logger } from 'pino';
import { collectDefaultMetrics } from 'prom-client';
import type { Random } from '../core/random.ts';
import { requireNode } from '../core/runtime.ts';
import { type RunClock, runClock } from '../core/time.ts';
import { serveAdmin } from './admin.ts';
import type { ServiceConfig } from './config.ts';
import { type ClockNs, createTurnClock, monotonicNs } from './governance/clock.ts';
import { automatic, chooseCpuSource, startCpuMeter } from './governance/cpu.ts';
import { registerP2c } from './rpc/balancer.ts';
import { connectEtcd } from './rpc/etcd.ts';
import { publish, type Registration } from './rpc/registration.ts';
import { registerEtcdResolver } from './rpc/resolver.ts';
import { createStops } from './stops.ts';
import { alertLines, createAlerts } from './telemetry/alerts.ts';
import { createLog } from './telemetry/log.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';
import { startStatLines } from './telemetry/stat-lines.ts';
import { otlpExporter, startTracing } from './telemetry/tracing.ts';
import { instanceName, type Service } from './topology.ts';
import type { Tuning } from './tuning.ts';

/** What every part of a process is handed instead of looking for it: configuration, time, chance, telemetry, and the way to be stopped. */
export type Runtime = {
  readonly config: ServiceConfig;
  /** Such as `orders.1`. */
  readonly instance: string;
  readonly clock: RunClock;
  /** The same time for governance, which counts whole nanoseconds. */
  readonly clockNs: ClockNs;
  /** The same, read once in a turn of the event loop: for what counts in buckets. */
  readonly turnNs: ClockNs;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** The smoothed CPU reading, 0..1000. */
  readonly cpuMilli: () => number;
  readonly discovery: Discovery;
  /** What `/ready` asks, by name. */
  readonly checks: ReadonlyMap<string, () => Promise<void>>;
  /** A dependency without which this process is of no use: `probe` rejects when it cannot be reached. */
  addCheck(name: string, probe: () => Promise<void>): void;
  /** To be called when this process answers; until then `/ready` says that it is starting. */
  markStarted(): void;
  /** `leave` is run at SIGTERM at once: whoever calls this process shall turn elsewhere. */
  onLeave(name: string, leave: () => Promise<void>): void;
  /** `stop` is run when callers have had time for that, the last registered first. */
  onStop(name: string, stop: () => Promise<void>): void;
};

/** How services find each other. */
export type Discovery = {
  /** What to dial for a service, whichever of its replicas answers. */
  targetOf(service: Service): string;
  /** Which replica answers at a dialled address: `inventory.2`. */
  instanceAt(dialled: string): string | undefined;
  /** Makes this replica's address known. */
  publish(address: string): Promise<Registration>;
};

/**
 * Starts what every process of the mall has in common. From then on SIGTERM (or Ctrl-C) leaves, stops and exits with 0,
 * and an error that nobody caught is logged and exits with 1. To be called once, from a main file.
 */
export async function startRuntime(config: ServiceConfig): Promise<Runtime> {
  requireNode();
  const instance = instanceName(config.service, config.replica);
  const clock = runClock(BigInt(config.epochOffsetNs));
  const log = createLog({ service: config.service, instance, clock });
  const metrics = createMetrics();
  collectDefaultMetrics({ register: metrics.registry, eventLoopMonitoringPrecision: eventLoopPrecisionMs });
  const stops = stopsAtSignal(log, config.tuning.stop);

  const tracing = startTracing({
    service: config.service,
    instance,
    metrics,
    exporter: otlpExporter(config.otlp),
    tuning: config.tuning.tracing,
  });
  stops.onStop('tracing', () => tracing.stop(flushMs));
  const { cpu: wanted, cpuMemory } = config.tuning.shedding;
  const cpu = startCpuMeter({ source: chooseCpuSource(wanted), memory: cpuMemory });
  metrics.levels.cpuMilli = cpu.milli;
  log.info({ cpu: cpu.source }, 'CPU is read for shedding');
  if (wanted === 'auto' && cpu.source !== automatic[0])
    log.warn(`This machine does not tell '${automatic[0]}', so '${cpu.source}' is read`);
  metrics.levels.alert = createAlerts({ clock, sink: alertLines(log) });
  const statLines = startStatLines({ log, metrics });
  stops.onStop('readings', async () => {
    cpu.stop();
    statLines.stop();
  });

  const checks = new Map<string, () => Promise<void>>();
  const isNotReady = (name: string, why: string) => void checks.set(name, () => Promise.reject(new Error(why)));
  isNotReady('start', 'The process is starting');
  stops.onLeave('readiness', async () => isNotReady('stop', 'The process is stopping'));
  const runtime: Runtime = {
    config,
    instance,
    clock,
    clockNs: monotonicNs,
    turnNs: createTurnClock(monotonicNs),
    random: Math.random,
    log,
    metrics,
    tracer: tracing.tracer,
    cpuMilli: cpu.milli,
    discovery: discoverByEtcd({ config, log, metrics, checks, onStop: stops.onStop }),
    checks,
    addCheck: (name, probe) => void checks.set(name, probe),
    markStarted: () => void checks.delete('start'),
    onLeave: stops.onLeave,
    onStop: stops.onStop,
  };
  // The gateway answers these paths where it answers shoppers.
  if (config.service !== 'gateway') stops.onStop('admin', await serveAdmin(runtime, config.admin));
  return runtime;
}

const flushMs = 2_000;
/** Every so often the process wakes up to see how late it is. The measure includes it: an idle loop is said to lag by this much. */
const eventLoopPrecisionMs = 20;

function discoverByEtcd({
  config,
  log,
  metrics,
  checks,
  onStop,
}: Pick<Runtime, 'config' | 'log' | 'metrics' | 'onStop'> & { checks: Map<string, () => Promise<void>> }): Discovery {
  const { namespace, service, replica } = config;
  const etcd = connectEtcd(config.etcd);
  onStop('etcd', async () => etcd.close());
  checks.set('etcd', async () => void (await etcd.maintenance.status()));

  const directory = registerEtcdResolver({
    etcd,
    namespace,
    addresses: config.addresses,
    balancing: config.tuning.balancing,
    random: Math.random,
    onEvent(event) {
      switch (event.kind) {
        case 'stale':
          return log.warn({ callee: event.service, err: event.cause }, 'etcd cannot be read; known addresses stay in use');
        case 'malformed':
          return log.warn(
            { callee: event.service, value: event.value },
            `What etcd holds for ${event.instance} is no address; it is passed over`,
          );
        case 'endpoints':
          return log.info(
            { callee: event.service, replicas: event.peers.map((peer) => peer.instance) },
            'The replicas of a service changed',
          );
        default:
          return event satisfies never;
      }
    },
  });
  const balancing = registerP2c({
    clockNs: monotonicNs,
    random: Math.random,
    judges: config.tuning.breaker.judges,
    peer: directory.peer,
    countPicks({ target, address }) {
      const picks = metrics.p2cPicks.labels(target, address);
      return () => picks.inc();
    },
    onReport: (report) => log.info(report, 'How calls were balanced'),
  });
  metrics.levels.p2cLoads = balancing.loads;

  return {
    targetOf: (callee) => `etcd:///${callee}`,
    instanceAt: (dialled) => directory.peer(dialled)?.instance,
    publish: (address) =>
      publish({
        etcd,
        namespace,
        service,
        replica,
        address,
        ttlSeconds: config.tuning.registration.ttlSeconds,
        onEvent(event) {
          if (event.kind === 'lost') log.warn({ err: event.cause }, 'The registration in etcd is lost');
          else log.info({ address }, `The replica is ${event.kind}`);
        },
      }),
  };
}

/** Ends the process at a signal, after what was registered has been run, and at an error that nobody caught. */
function stopsAtSignal(log: Logger, tuning: Tuning['stop']): Pick<Runtime, 'onLeave' | 'onStop'> {
  const { onLeave, onStop, stopAll } = createStops(log, tuning);
  const end = () => stopAll().then(() => process.exit(0));
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('uncaughtException', (err) => {
    log.fatal({ err }, 'An error that nobody caught');
    process.exit(1);
  });
  return { onLeave, onStop };
}
