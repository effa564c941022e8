import { trace } from '@opentelemetry/api';
import type { Logger } from 'pino';
import type { Random } from '../../core/random.ts';
import type { RunClock } from '../../core/time.ts';
import type { ServiceConfig } from '../config.ts';
import { type Breaker, createBreaker } from '../governance/breaker.ts';
import type { ClockNs } from '../governance/clock.ts';
import { createShedder, type Shedder } from '../governance/shedder.ts';
import type { Metrics } from './metrics.ts';
import { spanEvents } from './names.ts';
import { hrTime } from './spans.ts';

/** What it takes to watch governance at work. A `Runtime` is one. */
export type Observing = {
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: RunClock;
  readonly clockNs: ClockNs;
  readonly random: Random;
};

type BreakerKind = 'http' | 'server' | 'client' | 'sql' | 'redis';

/** A breaker whose doings become metrics, events on the span that was active, and log lines when it starts and stops refusing. */
export function observedBreaker(
  { metrics, log, clock, clockNs, random }: Observing,
  { name, kind }: { name: string; kind: BreakerKind },
): Breaker {
  const counter = (result: string) => metrics.breaker.requests.labels(name, kind, result);
  const counters = { success: counter('success'), failure: counter('failure'), drop: counter('drop') };
  const trips = metrics.breaker.trips.labels(name, kind);
  const breaker = createBreaker({
    clockNs,
    random,
    onEvent(event) {
      switch (event.kind) {
        case 'success':
        case 'failure':
        case 'drop':
          return counters[event.kind].inc();
        case 'startedRefusing':
          trips.inc();
          log.warn({ breaker: name, kind }, 'The breaker starts to refuse calls');
          trace.getActiveSpan()?.addEvent(spanEvents.breakerOpen, hrTime(clock));
          return;
        case 'stoppedRefusing':
          log.info({ breaker: name, kind }, 'The breaker has stopped refusing calls');
          trace.getActiveSpan()?.addEvent(spanEvents.breakerClosed, hrTime(clock));
          return;
        default:
          return event.kind satisfies never;
      }
    },
  });
  metrics.levels.dropRatios.push({ name, kind, read: () => breaker.dropRatio });
  return breaker;
}

/**
 * A shedder whose judgements become metrics, and a log line a second while it turns requests away. `kind` is go-zero's `api` or `rpc`.
 * One that is switched off sees a CPU at rest: it lets everything pass and still counts it, so that what is missing without it can be seen.
 */
export function observedShedder(
  {
    metrics,
    log,
    clock,
    clockNs,
    cpuMilli,
    config,
  }: Observing & { readonly cpuMilli: () => number; readonly config: Pick<ServiceConfig, 'tuning'> },
  { kind }: { kind: 'api' | 'rpc' },
): Shedder {
  const counter = (result: string) => metrics.sheddingRequests.labels(kind, result);
  const counters = { pass: counter('pass'), fail: counter('fail'), drop: counter('drop') };
  let lastLineMs = Number.NEGATIVE_INFINITY;
  const shedder = createShedder({
    clockNs,
    cpu: config.tuning.shedding.enabled ? cpuMilli : () => 0,
    onEvent(event) {
      counters[event.kind].inc();
      if (event.kind !== 'drop' || clock.nowMs() - lastLineMs < 1_000) return;
      lastLineMs = clock.nowMs();
      log.warn({ kind, ...shedder.snapshot() }, 'The shedder turns requests away');
    },
  });
  return shedder;
}
