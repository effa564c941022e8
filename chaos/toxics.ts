import { toMs } from '../core/units.ts';
import type { Fault } from './faults.ts';

/** A toxic as the control API takes it. All of ours act on answers. */
export type ToxicRequest = { type: string; stream: 'downstream'; attributes: Record<string, number> };

/** The toxic that makes a fault, or `undefined` for `cut`, which is a proxy switched off. */
export function toxicOf(fault: Fault): ToxicRequest | undefined {
  switch (fault.kind) {
    case 'slow':
      return downstream('latency', { latency: wholeMs(fault.by), jitter: wholeMs(fault.jitter ?? '0ms') });
    case 'silent':
      return downstream('timeout', { timeout: wholeMs(fault.closesAfter ?? '0ms') });
    case 'reset':
      return downstream('reset_peer', { timeout: 0 });
    case 'throttle':
      // A rate of 0 would be silence.
      return downstream('bandwidth', { rate: Math.max(1, Math.round(fault.kilobytesPerSecond)) });
    case 'cut':
      return undefined;
    default:
      return fault satisfies never;
  }
}

const downstream = (type: string, attributes: Record<string, number>): ToxicRequest => ({ type, stream: 'downstream', attributes });

/** Toxiproxy takes nothing but integers. */
const wholeMs = (duration: Parameters<typeof toMs>[0]) => Math.round(toMs(duration));
