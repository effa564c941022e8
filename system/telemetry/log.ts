import { trace } from '@opentelemetry/api';
import { type DestinationStream, type LogFn, type Logger, pino } from 'pino';
import type { RunClock } from '../../core/time.ts';

/**
 * pino's numbers, and ours for alerts. Of the fatal ones there is one at most, which says why the process ends, and alerts have a throttle of their
 * own (`alerts.ts`): both are always written.
 */
const [warn, fatal, alert] = [40, 60, 70];

/** The log of a process, with a level of its own for what a person should know of at once. */
export type Log = Logger & { readonly alert: LogFn };

/**
 * JSON lines on standard output, with the ids of the active span. Warnings and errors are bounded to `linesPerSecond`: an overload
 * must not drown the process in its own complaints. What was held back is counted on the next line that is written.
 */
export function createLog(
  { service, instance, clock }: { service: string; instance: string; clock: RunClock },
  {
    level = process.env.LOG_LEVEL ?? 'info',
    linesPerSecond = 20,
    destination = pino.destination(1),
  }: { level?: string; linesPerSecond?: number; destination?: DestinationStream } = {},
): Log {
  const bound = lineBound(clock, linesPerSecond);
  return pino(
    {
      level,
      customLevels: { alert },
      base: { service, instance },
      timestamp: () => `,"time":"${new Date(clock.nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      mixin: activeIds,
      hooks: {
        logMethod(args, method, number) {
          if (number < warn || number >= fatal) return method.apply(this, args);
          const { mayWrite, heldBack } = bound();
          if (!mayWrite) return;
          if (heldBack > 0) method.apply(this, [{ heldBack }, 'Lines like the next one were held back']);
          method.apply(this, args);
        },
      },
    },
    destination,
    // By pino's types a log with a level more does not fit where one without is expected.
  ) as unknown as Log;
}

function activeIds(): object {
  const active = trace.getActiveSpan()?.spanContext();
  return active === undefined ? {} : { trace: active.traceId, span: active.spanId };
}

function lineBound(clock: RunClock, linesPerSecond: number): () => { mayWrite: boolean; heldBack: number } {
  let second = 0;
  let written = 0;
  let heldBack = 0;
  return function bound() {
    const now = Math.floor(clock.nowMs() / 1_000);
    if (now !== second) {
      second = now;
      written = 0;
    }
    if (written >= linesPerSecond) {
      heldBack += 1;
      return { mayWrite: false, heldBack };
    }
    written += 1;
    const toReport = heldBack;
    heldBack = 0;
    return { mayWrite: true, heldBack: toReport };
  };
}
