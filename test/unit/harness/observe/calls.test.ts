import { expect, test } from 'vitest';
import { createCallCounts } from '../../../../harness/observe/calls.ts';
import type { Span } from '../../../../harness/observe/otlp-decode.ts';
import { aCall, aSpan } from './a-span.ts';

const edge = 'orders->payment';
const always = { fromMs: -1e9, untilMs: 1e9 };
const refusedAt = (startMs: number, rest: Partial<Span> = {}) =>
  aCall(edge, { startMs, failed: true, ...rest }, { 'mall.refused_by': 'breaker' });

function counting(...spans: Span[]) {
  const counts = createCallCounts();
  for (const span of spans) counts.count(span);
  return counts;
}

test('a business answer is no failure of the edge', () => {
  const counts = counting(aCall(edge, { failed: true }, { 'mall.code': 3004 }), aCall(edge, { failed: true }, { 'mall.code': 1007 }));
  expect(counts.calls(edge, always)).toMatchObject({ count: 2, failed: 1 });
});

test('calls, failures and refusals of an edge are told apart', () => {
  const counts = counting(
    aCall(edge, { startMs: 10, endMs: 14 }),
    aCall(edge, { startMs: 20, endMs: 30, failed: true }),
    refusedAt(30),
    aCall(edge, { startMs: 40, endMs: 41, failed: true }, { 'mall.refused_by': 'deadline' }),
    aCall('orders->user', { startMs: 10 }),
  );
  expect(counts.calls(edge, always)).toMatchObject({ count: 4, failed: 2, refused: 1 });
  expect(counts.edges().get(edge)).toEqual([{ atMs: 0, calls: 4, failed: 2, refused: 1, picked: new Map() }]);
});

test('only client spans on an edge of the mall are calls', () => {
  const counts = counting(aSpan({ kind: 'server', attributes: { 'mall.edge': edge } }), aSpan({ kind: 'client' }), aCall('user->payment'));
  expect([...counts.edges().values()].flat()).toEqual([]);
  expect(() => counts.calls('user->payment' as typeof edge, always)).toThrow(/Expected an edge of the mall/);
});

test('a refusal that came back from a replica is a failure of this edge, for its own breaker let it through', () => {
  const counts = counting(aCall(edge, { failed: true }, { 'mall.refused_by': 'breaker', 'mall.peer': 'payment.1' }));
  expect(counts.calls(edge, always)).toMatchObject({ count: 1, failed: 1, refused: 0 });
});

test('a backing server has no replicas to pick, so its refusals count whatever the peer is called', () => {
  const counts = counting(aCall('orders->mysql', { failed: true }, { 'mall.refused_by': 'breaker', 'mall.peer': 'mysql' }));
  expect(counts.calls('orders->mysql', always)).toMatchObject({ refused: 1, failed: 0 });
});

test('seconds are counted from the origin that is asked for', () => {
  const counts = counting(...[50, 650, 1_050, 1_650].map((startMs) => aCall(edge, { startMs })));
  const seconds = (originMs: number) =>
    counts
      .edges(originMs)
      .get(edge)
      ?.map(({ atMs, calls }) => [atMs, calls]);
  expect(seconds(0)).toEqual([
    [0, 2],
    [1_000, 2],
  ]);
  expect(seconds(600)).toEqual([
    [-400, 1],
    [600, 2],
    [1_600, 1],
  ]);
});

test('the order in which spans arrive does not matter', () => {
  const counts = counting(aCall(edge, { startMs: 2_500 }), aCall(edge, { startMs: -700 }), aCall(edge, { startMs: 400 }));
  expect(
    counts
      .edges()
      .get(edge)
      ?.map(({ atMs }) => atMs),
  ).toEqual([-1_000, 0, 2_000]);
});

test('refusals of a window are counted, with the first and the last of them', () => {
  const counts = counting(refusedAt(905), refusedAt(110), refusedAt(190), aCall(edge, { startMs: 950 }));
  expect(counts.calls(edge, always)).toMatchObject({ refused: 3, firstRefusalMs: 110, lastRefusalMs: 905 });
  expect(counts.calls(edge, { fromMs: 0, untilMs: 500 })).toMatchObject({ refused: 2, lastRefusalMs: 190 });
  expect(counts.calls(edge, { fromMs: 300, untilMs: 500 })).toEqual({
    count: 0,
    failed: 0,
    refused: 0,
    sentSinceLastRefusal: 0,
    retried: 0,
  });
});

test('the first and last refusal never lie outside the window', () => {
  const counts = counting(refusedAt(101), refusedAt(299));
  expect(counts.calls(edge, { fromMs: 120, untilMs: 280 })).toMatchObject({
    refused: 2,
    firstRefusalMs: 120,
    lastRefusalMs: 280,
  });
});

test('failures have their times by when they ended', () => {
  const counts = counting(
    ...[
      [100, 130],
      [140, 2_020],
      [150, 2_070],
    ].map(([startMs = 0, endMs = 0]) => aCall(edge, { startMs, endMs, failed: true })),
  );
  expect(counts.calls(edge, { fromMs: 0, untilMs: 1_000 })).toMatchObject({ failed: 3, firstFailureMs: 130, lastFailureMs: 130 });
  expect(counts.calls(edge, { fromMs: 1_000, untilMs: 2_050 })).toMatchObject({ failed: 0, firstFailureMs: 2_020, lastFailureMs: 2_020 });
  expect(counts.calls(edge, { fromMs: 2_030, untilMs: 3_000 })).toMatchObject({ firstFailureMs: 2_070, lastFailureMs: 2_070 });
  expect(counts.calls(edge, { fromMs: 2_071, untilMs: 3_000 })).not.toHaveProperty('firstFailureMs');
});

test('calls since the last refusal are those that were sent later', () => {
  const counts = counting(aCall(edge, { startMs: 100 }), refusedAt(500), aCall(edge, { startMs: 900 }), aCall(edge, { startMs: 1_500 }));
  expect(counts.calls(edge, always)).toMatchObject({ sentSinceLastRefusal: 2, firstRefusalMs: 500, lastRefusalMs: 500 });
  expect(counting(aCall(edge), aCall(edge)).calls(edge, always)).toEqual({
    count: 2,
    failed: 0,
    refused: 0,
    sentSinceLastRefusal: 2,
    retried: 0,
  });
});

test('picks count the calls of each replica within the window', () => {
  const picked = (startMs: number, instance: string) => aCall('orders->inventory', { startMs }, { 'mall.peer': instance });
  const counts = counting(picked(0, 'inventory.1'), picked(20, 'inventory.2'), picked(30, 'inventory.2'), picked(5_000, 'inventory.1'));
  expect(counts.picks('orders->inventory', { fromMs: 0, untilMs: 1_000 })).toEqual(
    new Map(Object.entries({ 'inventory.1': 1, 'inventory.2': 2 })),
  );
  expect(counts.picks('orders->inventory', always).get('inventory.1')).toBe(2);
});

test('times that lie absurdly far apart do not grow the store without end, and are counted as left out', () => {
  const counts = createCallCounts();
  for (let index = 0; index < 20_010; index++) counts.count(aCall(edge, { startMs: index * 100 }));
  expect(counts.left()).toBe(10);
  expect(counts.calls(edge, always).count).toBe(20_000);
});
