import type { Span } from '../../../../harness/observe/otlp-decode.ts';
import type { Trace } from '../../../../harness/observe/spans.ts';

export const runTag = 'cafe0001';

/** `n` tells the traces of a route apart, and ends the id. Routes: browse 0, view 1, checkout 2. */
export const traceIdOf = (route: 0 | 1 | 2, n: number) => `${runTag}0${route}${n.toString(16).padStart(22, '0')}`;

/** A span with everything that a test does not care about filled in; `instance` tells the service. */
export function aSpan({ instance = 'orders.1', startMs = 0, ...rest }: Partial<Span> = {}): Span {
  return {
    traceId: traceIdOf(2, 1),
    spanId: '00000000000000aa',
    parentId: '0000000000000001',
    service: instance.split('.')[0] ?? '',
    instance,
    name: 'work',
    kind: 'internal',
    startMs,
    endMs: startMs + 1,
    failed: false,
    attributes: {},
    events: [],
    flags: 0,
    ...rest,
  };
}

export const aCall = (edge: string, rest: Partial<Span> = {}, attributes: Span['attributes'] = {}): Span =>
  aSpan({ kind: 'client', ...rest, attributes: { 'mall.edge': edge, ...attributes } });

export const aTrace = (...spans: Span[]): Trace => ({
  traceId: traceIdOf(2, 1),
  route: 'checkout',
  spans,
  gateway: spans.find(({ service, kind }) => service === 'gateway' && kind === 'server'),
  why: 'sampled',
  truncated: false,
});
