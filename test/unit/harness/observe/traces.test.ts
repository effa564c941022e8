import { describe, expect, test } from 'vitest';
import type { Span } from '../../../../harness/observe/otlp-decode.ts';
import { passesThrough, problemsOf, recordOf, type TreeNode, treeOf } from '../../../../harness/observe/traces.ts';
import type { Service } from '../../../../system/topology.ts';
import { aCall, aSpan, aTrace } from './a-span.ts';

const shopper = 'shopper';
const server = (instance: string, spanId: string, parentId: string | null, rest: Partial<Span> = {}) =>
  aSpan({ instance, spanId, parentId, kind: 'server', name: `${instance} ${spanId}`, ...rest });
const call = (edge: string, spanId: string, parentId: string, rest: Partial<Span> = {}, attributes: Span['attributes'] = {}) =>
  aCall(edge, { instance: `${edge.split('->')[0]}.1`, spanId, parentId, ...rest }, attributes);

/** gateway → orders → { user, inventory, mysql } */
const checkout = [
  server('gateway.1', 'g', shopper, { startMs: 0, endMs: 20 }),
  call('gateway->orders', 'g-o', 'g', { startMs: 1 }, { 'mall.peer': 'orders.1', 'rpc.status_code': 'OK' }),
  server('orders.1', 'o', 'g-o', { startMs: 2 }),
  call('orders->user', 'o-u', 'o', { startMs: 3 }, { 'mall.peer': 'user.1', 'rpc.status_code': 'OK' }),
  server('user.1', 'u', 'o-u', { startMs: 4 }),
  call('orders->inventory', 'o-i', 'o', { startMs: 5 }, { 'mall.peer': 'inventory.2', 'rpc.status_code': 'OK' }),
  server('inventory.2', 'i', 'o-i', { startMs: 6 }),
  call('orders->mysql', 'o-m', 'o', { startMs: 7 }),
];
const without = (...spanIds: string[]) => aTrace(...checkout.filter(({ spanId }) => !spanIds.includes(spanId)));
const withInstead = (span: Span, ...gone: string[]) =>
  aTrace(...checkout.filter(({ spanId }) => ![span.spanId, ...gone].includes(spanId)), span);
const shape = ({ span, children }: TreeNode): unknown => [span.spanId, ...children.map(shape)];

describe('tree', () => {
  test('puts children below their parents in order of start, whatever the order of arrival', () => {
    const { roots, dangling } = treeOf(aTrace(...checkout.toReversed()));
    expect(roots.map(shape)).toEqual([['g', ['g-o', ['o', ['o-u', ['u']], ['o-i', ['i']], ['o-m']]]]]);
    expect(dangling).toEqual([]);
  });

  test('a missing span leaves what was below it dangling', () => {
    expect(treeOf(without('o')).dangling.map(shape)).toEqual([['o-u', ['u']], ['o-i', ['i']], ['o-m']]);
  });
});

describe('wholeness', () => {
  test('a trace with all its spans has no problems', () => {
    expect(problemsOf(aTrace(...checkout))).toEqual([]);
  });

  test.each<[string, ReturnType<typeof aTrace>, string[]]>([
    ['without the span of the gateway', without('g'), ['rootless', 'dangling g-o']],
    ['with a server span missing in the middle', without('o'), ['dangling o-u', 'dangling o-i', 'dangling o-m', 'unanswered g-o']],
    ['with a server span missing at the end', without('u'), ['unanswered o-u']],
    ['with a client span missing', without('o-u'), ['dangling u']],
    ['where a service lost the context', withInstead(server('user.1', 'u', null)), ['parentless u', 'unanswered o-u']],
    ['where the server span is that of another service', withInstead(server('product.1', 'u', 'o-u')), ['unanswered o-u']],
    ['with a span that came twice', aTrace(...checkout, server('user.1', 'u', 'o-u')), ['duplicate u']],
    ['without any span', aTrace(), ['rootless']],
  ])('a trace %s says so', (_, trace, expected) => {
    const found = problemsOf(trace).map(({ kind, span }) => (span === undefined ? kind : `${kind} ${span.spanId}`));
    expect(found.sort()).toEqual(expected.sort());
  });

  test('a problem is told in a sentence that names the instance and the span', () => {
    expect(problemsOf(without('u'))[0]?.sentence).toBe("orders.1's client span 'work' (o-u) has no server span of user");
  });

  test.each<[string, Partial<Span>, Span['attributes'], boolean]>([
    ['was answered', {}, { 'mall.peer': 'user.1', 'rpc.status_code': 'OK' }, true],
    ['was answered, and says no status', {}, {}, true],
    ['was answered with a business error', {}, { 'mall.peer': 'user.1', 'rpc.status_code': 'FAILED_PRECONDITION' }, true],
    ['was shed by the callee', { failed: true }, { 'mall.peer': 'user.1', 'rpc.status_code': 'RESOURCE_EXHAUSTED' }, true],
    ['was refused by its own breaker', { failed: true }, { 'mall.refused_by': 'breaker', 'rpc.status_code': 'UNAVAILABLE' }, false],
    ['had no time left', { failed: true }, { 'mall.refused_by': 'deadline', 'rpc.status_code': 'DEADLINE_EXCEEDED' }, false],
    ['failed before it was sent', { failed: true }, {}, false],
    ['ran out of time', { failed: true }, { 'mall.peer': 'user.1', 'rpc.status_code': 'DEADLINE_EXCEEDED' }, false],
    ['lost its connection', { failed: true }, { 'mall.peer': 'user.1', 'rpc.status_code': 'UNAVAILABLE' }, false],
    ['was cancelled, which is no failure', {}, { 'mall.peer': 'user.1', 'rpc.status_code': 'CANCELLED' }, false],
  ])('a call that %s needs a server span: see table', (_, rest, attributes, needsServer) => {
    const trace = withInstead(call('orders->user', 'o-u', 'o', rest, attributes), 'u');
    expect(problemsOf(trace).map(({ kind }) => kind)).toEqual(needsServer ? ['unanswered'] : []);
  });

  test('two attempts of the shopper in one trace are two roots, not a broken trace', () => {
    expect(problemsOf(aTrace(...checkout, server('gateway.2', 'g2', shopper)))).toEqual([]);
  });
});

test.each<[Service[], boolean]>([
  [['gateway', 'orders', 'user'], true],
  [['gateway', 'user'], true],
  [['orders', 'inventory'], true],
  [['gateway'], true],
  [['user', 'orders'], false],
  [['gateway', 'user', 'inventory'], false],
  [['gateway', 'payment'], false],
])('a path through %s: %s', (services, passes) => {
  expect(passesThrough(aTrace(...checkout), services)).toBe(passes);
});

test('spans that are cut off from the shopper are on no path', () => {
  expect(passesThrough(without('g-o'), ['gateway', 'orders'])).toBe(false);
  expect(passesThrough(without('g-o'), ['orders', 'user'])).toBe(false);
});

describe('record', () => {
  test("holds each span once, in order of start, below the shopper's own", () => {
    const trace = aTrace(...checkout.toReversed(), server('user.1', 'u', 'o-u', { startMs: 4 }));
    const records = recordOf(trace, { spanId: shopper, startMs: 0, durationMs: 21.00049 });
    expect(records.map(({ spanId }) => spanId)).toEqual([shopper, 'g', 'g-o', 'o', 'o-u', 'u', 'o-i', 'i', 'o-m']);
    expect(records[0]).toEqual({
      spanId: shopper,
      parentId: null,
      instance: 'shopper',
      name: 'checkout',
      kind: 'client',
      startMs: 0,
      durationMs: 21,
      failed: false,
      attributes: {},
      events: [],
    });
    expect(records[1]).toMatchObject({ parentId: shopper, instance: 'gateway.1', kind: 'server', durationMs: 20 });
  });

  test('rounds times to microseconds', () => {
    const events = [{ name: 'breaker.open', atMs: 1.23456789 }];
    const [record] = recordOf(aTrace(aSpan({ startMs: 1.0004999, endMs: 2.0009, events })));
    expect(record).toMatchObject({ startMs: 1, durationMs: 1, events: [{ name: 'breaker.open', atMs: 1.235 }] });
  });

  test('without what the load driver knows, the trace is told as the mall told it', () => {
    expect(recordOf(aTrace(...checkout)).map(({ parentId }) => parentId)).not.toContain(null);
  });
});
