import { trace } from '@opentelemetry/api';
import type { Logger } from 'pino';
import type { Random } from '../../core/random.ts';
import type { RunClock } from '../../core/time.ts';
import type { ServiceConfig } from '../config.ts';
import { type Breaker, createBreaker } from '../governance/breaker.ts';
import { type ClockNs, millisecondNs } from '../governance/clock.ts';
import { createShedder, type Shedder } from '../governance/shedder.ts';
import type { Alert } from './alerts.ts';
import type { Metrics } from './metrics.ts';
import { spanEvents } from './names.ts';
import { hrTime } from './spans.ts';

/** What it takes to watch governance at work. A `Runtime` is one. */
export type Observing = {
  readonly config: Pick<ServiceConfig, 'tuning'>;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: RunClock;
  readonly clockNs: ClockNs;
  readonly turnNs: ClockNs;
  readonly random: Random;
};

type BreakerKind = 'http' | 'server' | 'client' | 'sql' | 'redis';

/**
 * A breaker as it is tuned, whose doings become metrics, events on the active span and log lines when it starts and stops refusing, and an alert
 * where it refuses.
 */
export function observedBreaker(
  { config, metrics, log, clock, turnNs, random }: Observing,
  { name, kind }: { name: string; kind: BreakerKind },
): Breaker {
  const trips = metrics.breakerTrips.labels(name, kind);
  const breaker = createBreaker({
    clockNs: turnNs,
    random,
    rules: config.tuning.breaker,
    onEvent(event) {
      switch (event.kind) {
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
  metrics.levels.breakers.push({ name, kind, breaker });

  const describe = (): Alert => ({
    title: `The breaker '${name}' refuses calls`,
    details: { breaker: name, kind },
    reasons: breaker.reasons().map(({ atNs, text }) => `${timeOfDay(clock.nowMs() - (turnNs() - atNs) / millisecondNs)} ${text}`),
  });
  return {
    ...breaker,
    get dropRatio() {
      return breaker.dropRatio;
    },
    allow() {
      if (breaker.allow()) return true;
      metrics.levels.alert(describe);
      return false;
    },
  };
}

/** `22:13:20`, in UTC like the times of the log. */
const timeOfDay = (ms: number): string => new Date(ms).toISOString().slice(11, 19);

/**
 * A shedder whose judgements become metrics, an alert, and a log line a second while it turns requests away. `kind` is go-zero's `api` or `rpc`.
 * It sheds from `thresholdMilli` of the CPU on, unless the tuning says otherwise for all: a threshold of 0 there is never.
 * One that is switched off lets everything pass and still counts it, so that what is missing without it can be seen.
 */
export function observedShedder(
  { metrics, log, clock, clockNs, cpuMilli, config }: Observing & { readonly cpuMilli: () => number },
  { kind, thresholdMilli = config.tuning.shedding.cpuThresholdMilli }: { kind: 'api' | 'rpc'; thresholdMilli?: number },
): Shedder {
  const { enabled, cpuThresholdMilli } = config.tuning.shedding;
  let lastLineMs = Number.NEGATIVE_INFINITY;
  const shedder = createShedder({
    clockNs,
    cpu: cpuMilli,
    thresholdMilli: enabled && cpuThresholdMilli > 0 ? thresholdMilli : 0,
    onDrop() {
      metrics.levels.alert(describe);
      if (clock.nowMs() - lastLineMs < 1_000) return;
      lastLineMs = clock.nowMs();
      log.warn({ kind, ...shedder.snapshot() }, 'The shedder turns requests away');
    },
  });
  const describe = (): Alert => ({ title: 'The shedder turns requests away', details: { kind, ...shedder.snapshot() } });
  metrics.levels.shedders.push({ kind, shedder });
  return shedder;
}
