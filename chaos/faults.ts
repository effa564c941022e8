import type { Duration, Percent } from '../core/units.ts';
import { type Edge, endsOf, type Service } from '../system/topology.ts';

/**
 * `from` counts from the start of the phase; without `lasts` the fault ends with its phase, which it never outlives. With `every` it comes
 * again and again: `{ from: '5s', lasts: '1s', every: '4s' }` is on from 5 s to 6 s, from 9 s to 10 s, and so on.
 */
type When = { from?: Duration; lasts?: Duration; every?: Duration };
/** One replica of the callee; without it, all of them. */
type OneReplica = { replica?: number };
/** `downstream` is what the callee answers, `upstream` what the caller asks. */
export type Direction = 'upstream' | 'downstream' | 'both';
/**
 * `toxicity` is the share of connections that the fault is drawn for, once for each connection and direction; without it, all of them.
 * Without `direction` it is on the answers.
 */
type HowMuch = { direction?: Direction; toxicity?: Percent };
type Where = When & OneReplica & { edge: Edge };

/** What a toxic does to the bytes of a connection. */
export type Toxic =
  | { kind: 'slow'; by: Duration; jitter?: Duration }
  | { kind: 'silent'; closesAfter?: Duration }
  | { kind: 'blackHole' }
  | { kind: 'reset' }
  | { kind: 'throttle'; kilobytesPerSecond: number }
  | { kind: 'slice'; bytes: number; variation?: number; pause?: Duration }
  | { kind: 'closeAfter'; bytes: number }
  | { kind: 'slowClose'; by: Duration };

/** Something done to the network between a caller and a callee. */
export type NetworkFault = Where & ({ kind: 'cut' } | (Toxic & HowMuch));
/** Something done to a process of the mall. */
export type ProcessFault = When & OneReplica & { service: Service; kind: 'kill' | 'pause' | 'restart' };
/** Faults are plain values: `chaos/schedule.ts` plays them, `chaos/network.ts` and `chaos/processes.ts` put them into effect. */
export type Fault = NetworkFault | ProcessFault;

export const isProcessFault = (fault: Fault): fault is ProcessFault => 'service' in fault;

/** Answers on the edge arrive `by` later, give or take `jitter`: `slow('orders->payment', { by: '1s' })`. */
export const slow = (edge: Edge, how: { by: Duration; jitter?: Duration } & HowMuch & When & OneReplica): NetworkFault => ({
  kind: 'slow',
  edge,
  ...how,
});

/** Connections on the edge are closed and new ones refused: `cut('user->redis', { lasts: '5s' })`. */
export const cut = (edge: Edge, how: When & OneReplica = {}): NetworkFault => ({ kind: 'cut', edge, ...how });

/**
 * Answers on the edge are lost; connections stay open, or are closed after `closesAfter` without data. Those that are open when the fault ends
 * are closed then, as their streams have a hole: `silent('orders->payment', { closesAfter: '2s' })`.
 */
export const silent = (edge: Edge, how: { closesAfter?: Duration } & HowMuch & When & OneReplica = {}): NetworkFault => ({
  kind: 'silent',
  edge,
  ...how,
});

/**
 * The edge is partitioned: nothing passes in either direction, not even the end of a connection, and nothing is lost; when the fault ends all
 * of it arrives: `blackHole('orders->inventory', { replica: 2, lasts: '8s' })`.
 */
export const blackHole = (edge: Edge, how: HowMuch & When & OneReplica = {}): NetworkFault => ({
  kind: 'blackHole',
  edge,
  direction: 'both',
  ...how,
});

/** New connections on the edge are reset with their first answer; open ones are closed, so that their owners must connect again. */
export const reset = (edge: Edge, how: HowMuch & When & OneReplica = {}): NetworkFault => ({ kind: 'reset', edge, ...how });

/** Answers on the edge trickle: each connection carries at most this much. `throttle('product->mysql', { kilobytesPerSecond: 20 })`. */
export const throttle = (edge: Edge, how: { kilobytesPerSecond: number } & HowMuch & When & OneReplica): NetworkFault => ({
  kind: 'throttle',
  edge,
  ...how,
});

/** Answers on the edge come in small pieces, `bytes` long give or take `variation`: `slice('user->redis', { bytes: 20, pause: '2ms' })`. */
export const slice = (
  edge: Edge,
  how: { bytes: number; variation?: number; pause?: Duration } & HowMuch & When & OneReplica,
): NetworkFault => ({ kind: 'slice', edge, ...how });

/** Each connection on the edge is closed when it has carried so many bytes of answers: `closeAfter('product->mysql', { bytes: 20_000 })`. */
export const closeAfter = (edge: Edge, how: { bytes: number } & HowMuch & When & OneReplica): NetworkFault => ({
  kind: 'closeAfter',
  edge,
  ...how,
});

/** Who closes a connection on the edge is not heard for so long: `slowClose('orders->mysql', { by: '5s' })`. */
export const slowClose = (edge: Edge, how: { by: Duration } & HowMuch & When & OneReplica): NetworkFault => ({
  kind: 'slowClose',
  edge,
  ...how,
});

/** The process is killed without warning, and started again when the fault ends: `kill('payment', { replica: 1, lasts: '5s' })`. */
export const kill = (service: Service, how: When & OneReplica = {}): ProcessFault => ({ kind: 'kill', service, ...how });

/** The process stands still, as on a machine that hangs: its connections stay open and nobody answers. `pause('inventory', { lasts: '3s' })`. */
export const pause = (service: Service, how: When & OneReplica = {}): ProcessFault => ({ kind: 'pause', service, ...how });

/** The process is told to end and started again as soon as it has, as in a deployment: `restart('orders', { from: '5s' })`. */
export const restart = (service: Service, how: Omit<When, 'lasts'> & OneReplica = {}): ProcessFault => ({
  kind: 'restart',
  service,
  ...how,
});

/** Whom a fault speaks of: its edge, or its service. */
export const subjectOf = (fault: Fault): string => (isProcessFault(fault) ? fault.service : fault.edge);

/** The callee that a fault takes something from: `payment`, `mysql`. */
export const calleeOf = (fault: Fault): string => (isProcessFault(fault) ? fault.service : endsOf(fault.edge).callee);

/** What the plan, the console and the report say of a fault. */
export function sentenceOf(fault: Fault): string {
  const place = fault.replica === undefined ? subjectOf(fault) : `${subjectOf(fault)}, replica ${fault.replica} only`;
  return `${place}: ${deedOf(fault)}${extentOf(fault)}`;
}

function deedOf(fault: Fault): string {
  switch (fault.kind) {
    case 'slow':
      return `slowed by ${fault.by}${fault.jitter === undefined ? '' : ` ± ${fault.jitter}`}`;
    case 'cut':
      return 'cut';
    case 'silent':
      return `${vanishing[fault.direction ?? 'downstream']} vanish${fault.closesAfter === undefined ? '' : `, closed after ${fault.closesAfter}`}`;
    case 'blackHole':
      return 'nothing passes';
    case 'reset':
      return 'reset';
    case 'throttle':
      return `throttled to ${fault.kilobytesPerSecond} KB/s`;
    case 'slice':
      return `cut into pieces of ${fault.bytes}${fault.variation === undefined ? '' : ` ± ${fault.variation}`} bytes${fault.pause === undefined ? '' : `, ${fault.pause} apart`}`;
    case 'closeAfter':
      return `closed after ${fault.bytes} bytes`;
    case 'slowClose':
      return `closes ${fault.by} late`;
    case 'kill':
      return 'killed';
    case 'pause':
      return 'stands still';
    case 'restart':
      return 'restarted';
    default:
      return fault satisfies never;
  }
}

const vanishing: Readonly<Record<Direction, string>> = {
  upstream: 'requests',
  downstream: 'answers',
  both: 'requests and answers',
};

/** Direction and share, where they are not the usual ones. */
function extentOf(fault: Fault): string {
  if (isProcessFault(fault) || fault.kind === 'cut') return '';
  const { direction = 'downstream', toxicity } = fault;
  const usual: Direction = fault.kind === 'blackHole' ? 'both' : 'downstream';
  const way =
    direction === usual || fault.kind === 'silent'
      ? ''
      : { upstream: ', on requests', downstream: ', on answers', both: ', both ways' }[direction];
  return `${way}${toxicity === undefined ? '' : `, ${toxicity} of connections`}`;
}

/**
 * Whether connections that are open when a fault begins feel it. Pools live long: gRPC channels, MySQL and Redis connections outlast most
 * faults. `closed`: they are closed, so that their owners must make new ones, which feel it.
 */
export const openConnections: Readonly<Record<Fault['kind'], 'feel it' | 'closed'>> = {
  slow: 'feel it',
  silent: 'feel it',
  blackHole: 'feel it',
  throttle: 'feel it',
  slice: 'feel it',
  closeAfter: 'feel it',
  slowClose: 'feel it',
  pause: 'feel it',
  cut: 'closed',
  // A server can only reset what was opened after the toxic was added (toxiproxy.md 7.5): what is open has to go.
  reset: 'closed',
  kill: 'closed',
  restart: 'closed',
};
