import type { Random } from '../../core/random.ts';
import type { Span } from './visits.ts';

/**
 * Makes a new trace for every request, always sampled (https://www.w3.org/TR/trace-context/#traceparent-header). A trace id is the run's tag (8 hex
 * digits), the number of the step (2), and 22 digits of chance: spans tell their run and step without a lookup.
 */
export function createSpans({ runTag, random }: { runTag: string; random: Random }): (step: number) => Span {
  if (!/^[0-9a-f]{8}$/.test(runTag)) throw new TypeError(`Expected 'runTag' to be 8 hex digits, got '${runTag}'`);
  const word = () => hex(Math.floor(random() * 2 ** 32), 8);
  const prefixes: string[] = [];

  return function spanOf(step) {
    prefixes[step] ??= runTag + hex(step, 2);
    const traceId = prefixes[step] + word() + word() + word().slice(0, 6);
    // A span id must not be all zeros.
    const spanId = `${word()}${hex(1 + Math.floor(random() * (2 ** 32 - 1)), 8)}`;
    return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` };
  };
}

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
