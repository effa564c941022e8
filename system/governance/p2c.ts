import type { Random } from '../../core/random.ts';
import { never, secondNs } from './clock.ts';

/**
 * Power of two choices over an exponentially weighted latency, go-zero's `p2c_ewma` (governance.md 3): draw two, take the one with the
 * lower load. (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing"; latency decay as in Finagle's Peak EWMA.)
 */
export type Node = {
  /** Moving average of the latency in nanoseconds; 0 before the first answer. */
  lagNs: number;
  inflight: number;
  /** Moving average of 1000 per success and 0 per failure. It never enters the load; it only makes `pick` draw again. */
  success: number;
  lastDoneNs: number;
  lastPickedNs: number;
};

export function createNode(): Node {
  return { lagNs: 0, inflight: 0, success: initialSuccess, lastDoneNs: never, lastPickedNs: never };
}

/**
 * Chooses who gets the next call and counts it as in flight; `finish` must follow. Undefined only for an empty list.
 * The order of the nodes matters: of two equal ones the first wins.
 */
export function pick<N extends Node>(nodes: readonly N[], { nowNs, random }: { nowNs: number; random: Random }): N | undefined {
  const picked = draw(nodes, { nowNs, random });
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
  node.success = Math.trunc(node.success * oldWeight + (ok ? initialSuccess : 0) * (1 - oldWeight));
}

/** The square root keeps a slow node from being starved; the two +1 make a new node look nearly free. */
export function loadOf({ lagNs, inflight }: Pick<Node, 'lagNs' | 'inflight'>): number {
  return Math.trunc(Math.sqrt(lagNs + 1)) * (inflight + 1) || penalty;
}

function draw<N extends Node>(nodes: readonly N[], { nowNs, random }: { nowNs: number; random: Random }): N | undefined {
  let [first, second] = nodes;
  if (first === undefined || second === undefined) return first;
  for (let attempt = 0; nodes.length > 2 && attempt < drawAttempts; attempt += 1) {
    const a = Math.trunc(random() * nodes.length);
    let b = Math.trunc(random() * (nodes.length - 1));
    if (b >= a) b += 1;
    first = nodes[a] ?? first;
    second = nodes[b] ?? second;
    if (first.success > healthySuccess && second.success > healthySuccess) break;
  }
  return lighter(first, second, nowNs);
}

/** The lighter of two, unless the heavier has not been asked for a second: then it gets its chance to show that it recovered. */
function lighter<N extends Node>(first: N, second: N, nowNs: number): N {
  const [light, heavy] = loadOf(first) > loadOf(second) ? [second, first] : [first, second];
  return nowNs - heavy.lastPickedNs > forcedPickNs ? heavy : light;
}

// governance.md 3.1
const decayNs = 10 * secondNs;
const forcedPickNs = secondNs;
const initialSuccess = 1000;
const healthySuccess = 500;
const penalty = 2 ** 31 - 1;
const drawAttempts = 3;
