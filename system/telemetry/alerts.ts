import { hostname } from 'node:os';
import type { RunClock } from '../../core/time.ts';
import type { Log } from './log.ts';

/** Something that a person should know of: `Calls are refused by the breaker 'orders->payment'`, and the last failures that led to it. */
export type Alert = { readonly title: string; readonly details: object; readonly reasons?: readonly string[] };

/** Reports an alert unless there was one lately. `describe` is asked only then: in an outage there are thousands a second. */
export type Alerts = (describe: () => Alert) => void;

/**
 * One throttle for all alerts of a process, as in go-zero (governance.md 1.7): at most one is handed to `sink` in `everyMs`; those suppressed are
 * counted, and the count goes with the next one.
 */
export function createAlerts({
  clock,
  sink,
  everyMs = 5 * 60_000,
}: {
  clock: Pick<RunClock, 'nowMs'>;
  sink: (alert: Alert & { readonly suppressed: number }) => void;
  everyMs?: number;
}): Alerts {
  let lastMs = Number.NEGATIVE_INFINITY;
  let suppressed = 0;
  return function report(describe) {
    const nowMs = clock.nowMs();
    if (nowMs - lastMs <= everyMs) {
      suppressed += 1;
      return;
    }
    lastMs = nowMs;
    sink({ ...describe(), suppressed });
    suppressed = 0;
  };
}

/** Writes alerts as lines of the level `alert`. The log says which service and replica it is, the line the rest of where to look. */
export function alertLines(
  log: Log,
  {
    pid = process.pid,
    host = hostname(),
    cluster = process.env.CLUSTER_NAME,
  }: { pid?: number; host?: string; cluster?: string | undefined } = {},
): Parameters<typeof createAlerts>[0]['sink'] {
  const origin = { pid, host, ...(cluster !== undefined && { cluster }) };
  return function write({ title, details, reasons, suppressed }) {
    log.alert({ ...origin, ...details, ...(reasons !== undefined && { reasons }), suppressed }, title);
  };
}
