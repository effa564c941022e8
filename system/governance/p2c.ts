import type { Random } from '../../core/random.ts';
import { never, secondNs } from './clock.ts';

/**
 * Power of two choices over an exponentially weighted latency, go-zero's `p2c_ewma` (governance.md 3): draw two, take the one with the
 * lower load. (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing"; latency decay as in Finagle's Peak EWMA.)
 */
export type Node = {
  /** Moving average of the latency in nanoseconds; 0 before the first answer. */
  lagNs: number;
  /** What a call more weighs: the square root of the latency, so that a slow node is not starved; 1 before the first answer. */
  weight: number;
  inflight: number;
  /** Moving average of 1000 per success and 0 per failure. It never enters go-zero's load; it only makes `pick` draw again. */
  success: number;
  /** The share of calls of about the last second that went well, 0..1: what `failuresRaiseLoad` goes by. */
  health: number;
  lastDoneNs: number;
  lastPickedNs: number;
};

export function createNode(): Node {
  return { lagNs: 0, weight: 1, inflight: 0, success: initialSuccess, health: 1, lastDoneNs: never, lastPickedNs: never };
}

/**
 * What makes a node heavy. `p2c_ewma` is go-zero's; `p2c_inflight` is the plain product of calls in flight and latency, to compare it with.
 * With `failuresRaiseLoad` a load is divided by the share of calls that went well, which makes it the cost of a success rather than of a
 * call: a node that fails fast attracts nothing. And a node that has not answered yet is taken for as fast as the one it is compared with,
 * instead of for nearly free: one that never answers is noticed by the calls that pile up in it.
 */
export type Weighing = { readonly policy: 'p2c_ewma' | 'p2c_inflight'; readonly failuresRaiseLoad: boolean };
const asGoZero: Weighing = { policy: 'p2c_ewma', failuresRaiseLoad: false };

/**
 * Chooses who gets the next call and counts it as in flight; `finish` must follow. Undefined only for an empty list.
 * The order of the nodes matters: of two equal ones the first wins.
 */
export function pick<N extends Node>(
  nodes: readonly N[],
  { nowNs, random, weighing = asGoZero }: { nowNs: number; random: Random; weighing?: Weighing },
): N | undefined {
  const picked = draw(nodes, nowNs, random, weighing);
  if (picked === undefined) return undefined;
  picked.lastPickedNs = nowNs;
  picked.inflight += 1;
  return picked;
}

/** Records the end of a call that was picked at `startedNs`. governance.md 3.4 */
export function finish(node: Node, { startedNs, nowNs, ok }: { startedNs: number; nowNs: number; ok: boolean }): void {
  const sinceLastNs = Math.max(0, nowNs - node.lastDoneNs);
  const oldWeight = node.lagNs === 0 ? 0 : Math.exp(-sinceLastNs / decayNs);
  const latencyNs = Math.max(0, nowNs - startedNs);
  node.inflight -= 1;
  node.lastDoneNs = nowNs;
  node.lagNs = Math.trunc(node.lagNs * oldWeight + latencyNs * (1 - oldWeight));
  node.weight = Math.trunc(Math.sqrt(node.lagNs + 1));
  node.success = Math.trunc(node.success * oldWeight + (ok ? initialSuccess : 0) * (1 - oldWeight));
  // Ten times as quick to forget, and not truncated: a failing node shall be noticed, and forgiven, within about a second.
  const oldHealth = oldWeight === 0 ? 0 : Math.exp(-sinceLastNs / healthDecayNs);
  node.health = node.health * oldHealth + (ok ? 1 - oldHealth : 0);
}

/** The two +1 of go-zero's load make a node without an answer look nearly free. */
export function loadOf(node: Node, { policy, failuresRaiseLoad }: Weighing = asGoZero): number {
  // Where failures count, an idle node of the plain product must not weigh nothing.
  const calls = policy === 'p2c_inflight' && !failuresRaiseLoad ? node.inflight : node.inflight + 1;
  const load = (policy === 'p2c_ewma' ? node.weight : node.lagNs) * calls;
  return failuresRaiseLoad ? load / Math.max(node.health, leastHealth) : load;
}

function draw<N extends Node>(nodes: readonly N[], nowNs: number, random: Random, weighing: Weighing): N | undefined {
  let first = nodes[0];
  let second = nodes[1];
  if (first === undefined || second === undefined) return first;
  for (let attempt = 0; nodes.length > 2 && attempt < drawAttempts; attempt += 1) {
    const a = Math.trunc(random() * nodes.length);
    let b = Math.trunc(random() * (nodes.length - 1));
    if (b >= a) b += 1;
    first = nodes[a] ?? first;
    second = nodes[b] ?? second;
    if (first.success > healthySuccess && second.success > healthySuccess) break;
  }
  // The lighter of the two, unless the heavier has not been asked for a second: then it gets its chance to show that it recovered.
  const [light, heavy] = isHeavier(first, second, weighing) ? [second, first] : [first, second];
  return nowNs - heavy.lastPickedNs > forcedPickNs ? heavy : light;
}

function isHeavier(first: Node, second: Node, weighing: Weighing): boolean {
  const isComparable = first.lagNs > 0 === second.lagNs > 0;
  if (!weighing.failuresRaiseLoad || isComparable) return loadOf(first, weighing) > loadOf(second, weighing);
  return first.lagNs === 0
    ? loadAs(first, second, weighing) > loadOf(second, weighing)
    : loadOf(first, weighing) > loadAs(second, first, weighing);
}

/** The load of a node that has not answered yet, if it were as fast as another one. */
function loadAs(node: Node, { lagNs, weight }: Node, weighing: Weighing): number {
  return loadOf({ ...node, lagNs, weight }, weighing);
}

// governance.md 3.1
const decayNs = 10 * secondNs;
const healthDecayNs = secondNs;
const forcedPickNs = secondNs;
const initialSuccess = 1000;
const healthySuccess = 500;
const drawAttempts = 3;
/** A node that only fails is a thousand times as heavy. */
const leastHealth = 0.001;
