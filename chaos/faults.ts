import type { Duration } from '../core/units.ts';
import type { Edge } from '../system/topology.ts';

/** `from` counts from the start of the phase; without `lasts` the fault ends with its phase. It never outlives it. */
type When = { from?: Duration; lasts?: Duration };
type OneReplica = { replica?: number };

/** Faults are plain values: `chaos/schedule.ts` applies them at their hour, `chaos/network.ts` turns them into toxics. */
export type Fault = When &
  OneReplica & { edge: Edge } & (
    | { kind: 'slow'; by: Duration; jitter?: Duration }
    | { kind: 'cut' }
    | { kind: 'silent'; closesAfter?: Duration }
    | { kind: 'reset' }
    | { kind: 'throttle'; kilobytesPerSecond: number }
  );

/** Answers on the edge arrive `by` later, give or take `jitter`: `slow('orders->payment', { by: '1s' })`. */
export const slow = (edge: Edge, how: { by: Duration; jitter?: Duration } & When & OneReplica): Fault => ({ kind: 'slow', edge, ...how });

/** Connections on the edge are closed and new ones refused: `cut('user->redis', { lasts: '5s' })`. */
export const cut = (edge: Edge, how: When & OneReplica = {}): Fault => ({ kind: 'cut', edge, ...how });

/** Answers on the edge vanish, as behind a broken switch; connections stay open, or are closed after `closesAfter` without data. */
export const silent = (edge: Edge, how: { closesAfter?: Duration } & When & OneReplica = {}): Fault => ({ kind: 'silent', edge, ...how });

/** New connections on the edge are reset with their first answer; open ones are closed, so that their owners must connect again. */
export const reset = (edge: Edge, how: When & OneReplica = {}): Fault => ({ kind: 'reset', edge, ...how });

/** Answers on the edge trickle: each connection carries at most this much. `throttle('product->mysql', { kilobytesPerSecond: 20 })`. */
export const throttle = (edge: Edge, how: { kilobytesPerSecond: number } & When & OneReplica): Fault => ({
  kind: 'throttle',
  edge,
  ...how,
});

/** What the plan, the console and the report say of a fault. */
export function sentenceOf(fault: Fault): string {
  const place = fault.replica === undefined ? fault.edge : `${fault.edge}, replica ${fault.replica} only`;
  switch (fault.kind) {
    case 'slow':
      return `${place}: slowed by ${fault.by}${fault.jitter === undefined ? '' : ` ± ${fault.jitter}`}`;
    case 'cut':
      return `${place}: cut`;
    case 'silent':
      return `${place}: answers vanish${fault.closesAfter === undefined ? '' : `, closed after ${fault.closesAfter}`}`;
    case 'reset':
      return `${place}: reset`;
    case 'throttle':
      return `${place}: throttled to ${fault.kilobytesPerSecond} KB/s`;
    default:
      return fault satisfies never;
  }
}
