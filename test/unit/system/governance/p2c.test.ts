import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../../core/random.ts';
import { createNode, finish, loadOf, type Node, pick, type Weighing } from '../../../../system/governance/p2c.ts';
import { oracleRandom } from './oracle.ts';

const ms = 1_000_000;

test.each([
  ['no sample', 0, [1, 2, 3, 5, 10]],
  ['99 ns', 99, [10, 20, 30, 50, 100]],
  ['1 ms', ms, [1000, 2000, 3000, 5000, 10000]],
  ['5 ms', 5 * ms, [2236, 4472, 6708, 11180, 22360]],
  ['25 ms', 25 * ms, [5000, 10000, 15000, 25000, 50000]],
  ['100 ms', 100 * ms, [10000, 20000, 30000, 50000, 100000]],
  ['2 s', 2000 * ms, [44721, 89442, 134163, 223605, 447210]],
])('the load of a node with %s grows with its calls in flight', (_name, lagNs, loads) => {
  const node = createNode();
  if (lagNs > 0) finish(node, { startedNs: 0, nowNs: lagNs, ok: true });
  expect([0, 1, 2, 4, 9].map((inflight) => loadOf({ ...node, inflight }))).toEqual(loads);
});

test.each([
  [0, 1000, 123, 5, true, 5_000_000, 1000],
  [5, 1000, 10, 50, true, 5_044_977, 1000],
  [5, 1000, 100, 50, true, 5_447_757, 1000],
  [5, 1000, 1_000, 50, true, 9_282_316, 1000],
  [5, 1000, 10_000, 50, true, 33_445_425, 1000],
  [50, 1000, 30_000, 5, true, 7_240_418, 1000],
  [5, 1000, 1, 5, false, 5_000_000, 999],
  [5, 1000, 1_000, 5, false, 5_000_000, 904],
  [5, 1000, 7_000, 5, false, 5_000_000, 496],
  [5, 0, 10, 5, true, 5_000_000, 0],
  [5, 0, 100, 5, true, 5_000_000, 9],
  [5, 500, 1_000, 5, true, 5_000_000, 547],
  [0, 1000, 123, 2_000, false, 2_000_000_000, 0],
])('lag %d ms, success %d; %d ms later a call of %d ms ended well: %s', (lagMs, success, sinceMs, tookMs, ok, lagNs, newSuccess) => {
  const nowNs = 100_000 * ms;
  const node: Node = { ...createNode(), lagNs: lagMs * ms, success, inflight: 1, lastDoneNs: nowNs - sinceMs * ms };
  finish(node, { startedNs: nowNs - tookMs * ms, nowNs, ok });
  expect(node).toMatchObject({ lagNs, success: newSuccess, inflight: 0, lastDoneNs: nowNs });
});

test.each([
  [10, false, 500],
  [50, false, 124],
  [100, false, 65],
  [1_000, false, 7],
  [5_000, false, 2],
  [50, true, 167],
  [100, true, 75],
  [1_000, true, 8],
  [5_000, true, 2],
  [10, true, Number.POSITIVE_INFINITY],
])('one call every %d ms that ends well (%s) changes its health after %d', (spacingMs, ok, expected) => {
  const node: Node = { ...createNode(), lagNs: 5 * ms, success: ok ? 0 : 1000, lastDoneNs: 0 };
  const isHealthy = () => node.success > 500;
  let calls = 0;
  for (let nowNs = 0; isHealthy() !== ok && calls < 5_000; calls += 1) {
    nowNs += spacingMs * ms;
    finish(node, { startedNs: nowNs - 5 * ms, nowNs, ok });
  }
  expect(isHealthy() === ok ? calls : Number.POSITIVE_INFINITY).toBe(expected);
});

test('nothing can be picked from nothing, and the only one is always picked', () => {
  expect(pick([], { nowNs: 0, random: Math.random })).toBeUndefined();
  const only = createNode();
  expect(pick([only], { nowNs: 7, random: Math.random })).toBe(only);
  expect(only).toMatchObject({ inflight: 1, lastPickedNs: 7 });
});

/** `fails` all the time, or until then. */
type Callee = { tookMs: number; fails?: boolean; untilMs?: number };
const failsAt = ({ fails = false, untilMs = Number.POSITIVE_INFINITY }: Callee, atNs: number) => fails && atNs < untilMs * ms;
const a5: Callee = { tookMs: 5 };
const b50: Callee = { tookMs: 50 };
const failsIn1: Callee = { tookMs: 1, fails: true };
const hangs: Callee = { tookMs: 2_000, fails: true };

describe('picks over time (governance.md 3.7c)', () => {
  test.each<[string, Callee[], number, number, { picks: number[]; forced: number[] | undefined; first: string }]>([
    ['A, B 5 ms', [a5, a5], 1000, 10, { picks: [990, 10], forced: [0, 10], first: 'BAAAAA' }],
    ['A 5, B 50 ms', [a5, b50], 5000, 2, { picks: [4968, 32], forced: [0, 10], first: 'BAABBBBBBB' }],
    ['A, B, C 5 ms', [a5, a5, a5], 2000, 5, { picks: [642, 676, 682], forced: [0, 1, 0], first: 'BABBCCBBACBB' }],
    ['A, B 5, C 50 ms', [a5, a5, b50], 2000, 5, { picks: [989, 995, 16], forced: [0, 1, 9], first: 'BABBCCCBCCBB' }],
    ['B fails in 1 ms', [a5, failsIn1], 2000, 5, { picks: [10, 1990], forced: [9, 1], first: 'BABBBBBB' }],
    ['C fails in 1 ms', [a5, a5, failsIn1], 2000, 5, { picks: [661, 729, 610], forced: [0, 1, 0], first: 'BABBCBBBBCCA' }],
    ['C hangs 2 s then fails', [a5, a5, hangs], 2000, 5, { picks: [795, 913, 292], forced: undefined, first: 'BABBCCCBCCBB' }],
    ['B hangs 2 s then fails', [a5, hangs], 2000, 5, { picks: [1595, 405], forced: undefined, first: 'BABBBBBB' }],
  ])('%s', (_name, callees, calls, spacingMs, { picks, forced, first }) => {
    const seen = simulate({ callees, calls, spacingMs });
    expect(seen.order.startsWith(first)).toBe(true);
    expect(seen.picks).toEqual(picks);
    if (forced !== undefined) expect(seen.forced).toEqual(forced);
  });

  test('a black hole is found out when its first calls time out', () => {
    const { order } = simulate({ callees: [a5, a5, hangs], calls: 2000, spacingMs: 5 });
    const inSecond = (second: number) => [...order.slice(second * 200, (second + 1) * 200)].filter((name) => name === 'C').length;
    expect([inSecond(0), inSecond(1), inSecond(2)]).toEqual([139, 143, 3]);
  });

  test('with two, nearly all calls fall into the hole', () => {
    const { order } = simulate({ callees: [a5, hangs], calls: 2000, spacingMs: 5 });
    const inSecond = (second: number) => [...order.slice(second * 200, (second + 1) * 200)].filter((name) => name === 'B').length;
    expect([inSecond(0), inSecond(1)]).toEqual([199, 199]);
  });
});

/** Calls at fixed spacing and latency; ends at or before a call's instant are applied first. */
function simulate({
  callees,
  calls,
  spacingMs,
  weighing = { policy: 'p2c_ewma', failuresRaiseLoad: false },
}: {
  callees: readonly Callee[];
  calls: number;
  spacingMs: number;
  weighing?: Weighing;
}) {
  const draw = oracleRandom();
  let draws: number[] = [];
  const random = () => {
    const value = draw();
    draws.push(value);
    return value;
  };
  const nodes = callees.map((callee, index) => ({ ...createNode(), ...callee, name: 'ABC'[index] ?? '?' }));
  type Simulated = (typeof nodes)[number];
  /** Those two whose loads were compared last, in order. */
  const pairOf = (): (Simulated | undefined)[] => {
    const [a = 0, b = 0] = draws.slice(-2).map((value, index) => Math.trunc(value * (nodes.length - index)));
    return nodes.length === 2 ? nodes : [nodes[a], nodes[b >= a ? b + 1 : b]];
  };
  const picked: Simulated[] = [];
  const forced: Simulated[] = [];
  let ends: { endNs: number; startedNs: number; node: Simulated }[] = [];
  for (let call = 0; call < calls; call += 1) {
    const nowNs = call * spacingMs * ms;
    const due = ends.filter(({ endNs }) => endNs <= nowNs).sort((one, other) => one.endNs - other.endNs);
    ends = ends.filter(({ endNs }) => endNs > nowNs);
    for (const { node, startedNs, endNs } of due) finish(node, { startedNs, nowNs: endNs, ok: !failsAt(node, startedNs) });
    draws = [];
    const loads = new Map(nodes.map((node) => [node, loadOf(node, weighing)]));
    const node = pick(nodes, { nowNs, random, weighing });
    if (node === undefined) throw new Error('Expected a pick');
    const [first, second] = pairOf();
    const loadBefore = (one: Simulated | undefined) => (one && loads.get(one)) ?? 0;
    if (node === (loadBefore(first) > loadBefore(second) ? first : second)) forced.push(node);
    picked.push(node);
    // What has recovered answers as fast as the others.
    const tookMs = failsAt(node, nowNs) || node.untilMs === undefined ? node.tookMs : 5;
    ends.push({ node, startedNs: nowNs, endNs: nowNs + tookMs * ms });
  }
  const perNode = (list: readonly Simulated[]) => nodes.map((node) => list.filter((one) => one === node).length);
  return { picks: perNode(picked), forced: perNode(forced), order: picked.map(({ name }) => name).join('') };
}

describe.each(['p2c_ewma', 'p2c_inflight'] as const)('where failures raise the load of %s', (policy) => {
  const weighing: Weighing = { policy, failuresRaiseLoad: true };
  const inSecond = (order: string, second: number, name: string) =>
    [...order.slice(second * 200, (second + 1) * 200)].filter((one) => one === name).length;

  test.each<[string, Callee[], string, number]>([
    ['of two, one that fails in 1 ms', [a5, failsIn1], 'B', 2],
    ['of three, one that fails in 1 ms', [a5, a5, failsIn1], 'C', 2],
    ['of two, one that hangs', [a5, hangs], 'B', 6],
    ['of three, one that hangs', [a5, a5, hangs], 'C', 6],
  ])('%s gets hardly more than its chance once a second', (_name, callees, bad, most) => {
    const { order } = simulate({ callees, calls: 2000, spacingMs: 5, weighing });
    for (let second = 1; second < 10; second += 1) expect(inSecond(order, second, bad)).toBeLessThanOrEqual(most);
  });

  test('one that hangs is given only a few calls before it is known', () => {
    const { order } = simulate({ callees: [a5, a5, hangs], calls: 400, spacingMs: 5, weighing });
    expect([...order].filter((name) => name === 'C').length).toBeLessThanOrEqual(8);
  });

  test('one that has recovered is back within a few seconds', () => {
    const recovers = { tookMs: 1, fails: true, untilMs: 3_000 };
    const { order } = simulate({ callees: [a5, a5, recovers], calls: 2000, spacingMs: 5, weighing });
    expect(inSecond(order, 2, 'C')).toBeLessThanOrEqual(2);
    expect(inSecond(order, 7, 'C')).toBeGreaterThan(40);
  });

  test('healthy nodes are picked as without it', () => {
    expect(simulate({ callees: [a5, a5, b50], calls: 2000, spacingMs: 5, weighing }).picks[2]).toBeLessThan(60);
  });
});

test('the plain product of calls in flight and latency avoids who is slow and busy', () => {
  const weighing: Weighing = { policy: 'p2c_inflight', failuresRaiseLoad: false };
  const node = createNode();
  finish(node, { startedNs: 0, nowNs: 50 * ms, ok: true });
  expect([0, 1, 3].map((inflight) => loadOf({ ...node, inflight }, weighing))).toEqual([0, 50 * ms, 150 * ms]);
  const { picks } = simulate({ callees: [a5, a5, { tookMs: 500 }], calls: 2000, spacingMs: 2, weighing });
  expect(picks[2]).toBeLessThan(400);
});

const weighings: Weighing[] = (['p2c_ewma', 'p2c_inflight'] as const).flatMap((policy) =>
  [false, true].map((failuresRaiseLoad) => ({ policy, failuresRaiseLoad })),
);

test('whatever latencies and failures, a healthy node is asked again within seconds, only given nodes are picked, and all calls in flight are counted', () => {
  const callees = fc.array(fc.record({ tookMs: fc.integer({ min: 1, max: 3_000 }), fails: fc.boolean() }), { minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(callees, fc.constantFrom(...weighings), fc.integer(), (callees, weighing, seed) => {
      const random = seededRandom(seed);
      const nodes = callees.map((callee) => ({ ...createNode(), ...callee }));
      let flying: { node: (typeof nodes)[number]; startedNs: number; endNs: number }[] = [];
      const lastPickMs = new Map(nodes.map((node) => [node, 0]));
      for (let nowMs = 0; nowMs < 30_000; nowMs += 20) {
        const nowNs = nowMs * ms;
        for (const { node, startedNs, endNs } of flying.filter(({ endNs }) => endNs <= nowNs)) {
          finish(node, { startedNs, nowNs: endNs, ok: !node.fails });
        }
        flying = flying.filter(({ endNs }) => endNs > nowNs);
        const node = pick(nodes, { nowNs, random, weighing });
        if (node === undefined || !nodes.includes(node)) throw new Error('Expected one of the nodes');
        lastPickMs.set(node, nowMs);
        flying.push({ node, startedNs: nowNs, endNs: nowNs + node.tookMs * ms });
        for (const one of nodes) expect(one.inflight).toBe(flying.filter(({ node }) => node === one).length);
        for (const [one, pickedMs] of lastPickMs) if (!one.fails) expect(nowMs - pickedMs).toBeLessThan(starvedMs);
      }
    }),
    { numRuns: 25 },
  );
});

/** The chance comes after 1 s, but only when the node is drawn: a healthy one of six at least one time in three, fifty times a second. */
const starvedMs = 4_000;
