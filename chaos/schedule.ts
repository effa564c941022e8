import { setTimeout as sleepFor } from 'node:timers/promises';
import { messageOf } from '../core/errors.ts';
import type { Fault } from './faults.ts';
import { type Occurrence, occurrencesOf } from './occurrences.ts';
import type { Target, Undo } from './target.ts';

/**
 * What became of one occurrence of a fault, at `atMs` of the phase: it was `asked` for, it was `applied` as far as the server knows, its end
 * was `ended` for, and it was `undone`. Changes of one occurrence name the same object.
 */
export type FaultChange = {
  occurrence: Occurrence;
  places: readonly string[];
  kind: 'asked' | 'applied' | 'ended' | 'undone';
  atMs: number;
};

/**
 * Plays the faults of one phase: each is applied at its hour and undone after it `lasts`, or with the phase; none is applied after it. `now`
 * is the phase's own clock, in milliseconds since its start; it may still be negative. Faults of the same hour begin in their order. Returns when all faults are undone. When `signal`
 * fires, or when one cannot be applied or undone, all that are on are undone at once, and then the first trouble is thrown; a fault that
 * stayed on goes first.
 */
export async function playFaults({
  faults,
  target,
  lastsMs,
  signal,
  now,
  onChange,
  sleep = (forMs, until) => sleepFor(forMs, undefined, { signal: until }),
}: {
  faults: readonly Fault[];
  target: Target;
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
  const waits = new Map<number, Promise<void>>();

  await Promise.all(faults.map((fault) => play(fault).catch((error: unknown) => trouble.abort(error))));
  if (stuck.length > 1) throw new AggregateError(stuck, `${stuck.length} faults could not be undone, the first: ${messageOf(stuck[0])}`);
  if (stuck.length === 1) throw stuck[0];
  ending.throwIfAborted();

  async function play(fault: Fault): Promise<void> {
    for (const occurrence of occurrencesOf(fault, lastsMs)) {
      await waitUntil(occurrence.fromMs);
      // The one before it may have taken long to undo: a process that was slow to come back.
      if (now() >= lastsMs) return;
      const places = target.placesOf(fault);
      const tell = (kind: FaultChange['kind']) => onChange({ occurrence, places, kind, atMs: now() });
      tell('asked');
      const undo = await target.apply(fault);
      try {
        tell('applied');
        await waitUntil(occurrence.untilMs);
        tell('ended');
      } finally {
        await undoOrKeep(undo);
        tell('undone');
      }
    }
  }

  async function undoOrKeep(undo: Undo): Promise<void> {
    try {
      await undo();
    } catch (error) {
      stuck.push(error);
      throw error;
    }
  }

  /** Those who wait for the same moment are woken by one timer, in the order in which they asked: timers of their own may fire in any order. */
  async function waitUntil(atMs: number): Promise<void> {
    ending.throwIfAborted();
    const shared = waits.get(atMs) ?? sleepUntil(atMs);
    waits.set(atMs, shared);
    await shared;
  }

  async function sleepUntil(atMs: number): Promise<void> {
    for (let leftMs = atMs - now(); leftMs > 0; leftMs = atMs - now()) await sleep(leftMs, ending);
  }
}
