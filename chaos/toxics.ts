import { type Duration, toMs, toShare } from '../core/units.ts';
import type { NetworkFault } from './faults.ts';

/** A toxic as the control API takes it; `toxicity` is the share of connections. */
export type ToxicRequest = {
  type: string;
  stream: 'upstream' | 'downstream';
  toxicity: number;
  attributes: Readonly<Record<string, number>>;
};

/** The toxics that make a fault, one for each direction; none for `cut`, which is a proxy switched off. */
export function toxicsOf(fault: NetworkFault): ToxicRequest[] {
  if (fault.kind === 'cut') return [];
  const { direction = 'downstream', toxicity = '100%' } = fault;
  const streams = direction === 'both' ? (['upstream', 'downstream'] as const) : [direction];
  const shape = shapeOf(fault);
  return streams.map((stream) => ({ ...shape, stream, toxicity: toShare(toxicity) }));
}

function shapeOf(fault: Exclude<NetworkFault, { kind: 'cut' }>): Pick<ToxicRequest, 'type' | 'attributes'> {
  switch (fault.kind) {
    case 'slow':
      return { type: 'latency', attributes: { latency: someMs(fault.by), jitter: wholeMs(fault.jitter ?? '0ms') } };
    case 'silent':
      return { type: 'timeout', attributes: { timeout: fault.closesAfter === undefined ? 0 : someMs(fault.closesAfter) } };
    case 'blackHole':
      return { type: 'bandwidth', attributes: { rate: 0 } };
    case 'reset':
      return { type: 'reset_peer', attributes: { timeout: 0 } };
    case 'throttle':
      // A rate of 0 would be a black hole.
      return { type: 'bandwidth', attributes: { rate: Math.max(1, Math.round(fault.kilobytesPerSecond)) } };
    case 'slice': {
      const { bytes, variation = 0, pause = '0ms' } = fault;
      // The slicer halves until nothing is longer than size and variation together, so its pieces are half to all of that (toxiproxy.md 7.6).
      return { type: 'slicer', attributes: { average_size: bytes, size_variation: variation, delay: Math.round(toMs(pause) * 1_000) } };
    }
    case 'closeAfter':
      return { type: 'limit_data', attributes: { bytes: fault.bytes } };
    case 'slowClose':
      return { type: 'slow_close', attributes: { delay: someMs(fault.by) } };
    default:
      return fault satisfies never;
  }
}

/** Toxiproxy takes nothing but integers. */
const wholeMs = (duration: Duration) => Math.round(toMs(duration));

/** Rounded to 0, a fault would do nothing, or never close what it should close at once. */
const someMs = (duration: Duration) => Math.max(1, wholeMs(duration));
