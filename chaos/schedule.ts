import { setTimeout as sleepFor } from 'node:timers/promises';
import { messageOf } from '../core/errors.ts';
import { toMs } from '../core/units.ts';
import type { Fault } from './faults.ts';
import type { AppliedFault, Network } from './network.ts';

/** A fault came into effect, or was undone, at `atMs` of the phase. */
export type FaultChange = { fault: Fault; wires: string[]; kind: 'applied' | 'undone'; atMs: number };

/**
 * Plays the faults of one phase: each is applied at its `from` and undone after it `lasts`, or with the phase. `now` is the phase's own
 * clock, in milliseconds since its start; it may still be negative. Returns when all faults are undone. When `signal` fires, or when one
 * cannot be applied or undone, all that are on are undone at once, and then the first trouble is thrown; a fault that stayed on goes first.
 */
export async function playFaults({
  faults,
  network,
  lastsMs,
  signal,
  now,
  onChange,
  sleep = (forMs, until) => sleepFor(forMs, undefined, { signal: until }),
}: {
  faults: readonly Fault[];
  network: Network;
  lastsMs: number;
  signal: AbortSignal;
  now: () => number;
  onChange: (change: FaultChange) => void;
  /** Rejects when the signal fires. May wake early: the clock decides. */
  sleep?: (forMs: number, signal: AbortSignal) => Promise<void>;
}): Promise<void> {
  const trouble = new AbortController();
  const ending = AbortSignal.any([signal, trouble.signal]);
  const stuck: unknown[] = [];

  await Promise.all(faults.map((fault) => play(fault).catch((error: unknown) => trouble.abort(error))));
  if (stuck.length > 1) throw new AggregateError(stuck, `${stuck.length} faults could not be undone, the first: ${messageOf(stuck[0])}`);
  if (stuck.length === 1) throw stuck[0];
  ending.throwIfAborted();

  async function play(fault: Fault): Promise<void> {
    const { fromMs, untilMs } = timesOf(fault, lastsMs);
    if (fromMs >= lastsMs) return;
    await waitUntil(fromMs);
    const applied = await network.apply(fault);
    try {
      onChange({ fault, wires: applied.wires, kind: 'applied', atMs: now() });
      await waitUntil(untilMs);
    } finally {
      await undo(fault, applied);
    }
  }

  async function undo(fault: Fault, applied: AppliedFault): Promise<void> {
    try {
      await applied.undo();
    } catch (error) {
      stuck.push(error);
      throw error;
    }
    onChange({ fault, wires: applied.wires, kind: 'undone', atMs: now() });
  }

  async function waitUntil(atMs: number): Promise<void> {
    ending.throwIfAborted();
    for (let leftMs = atMs - now(); leftMs > 0; leftMs = atMs - now()) await sleep(leftMs, ending);
  }
}

function timesOf({ from = '0ms', lasts }: Fault, lastsMs: number): { fromMs: number; untilMs: number } {
  const fromMs = toMs(from);
  return { fromMs, untilMs: lasts === undefined ? lastsMs : Math.min(lastsMs, fromMs + toMs(lasts)) };
}
