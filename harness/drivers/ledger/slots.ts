import { bucketCount } from '../../../core/histogram.ts';

/** What is measured, in µs; a writer names a measure by its place in this list. */
export const measures = ['response', 'service', 'firstByte', 'queue', 'lag', 'hiccup'] as const;
export type Measure = (typeof measures)[number];
export const measure = placesOf(measures);

/** What is counted in every window; a writer names a counter by its place in this list. */
export const counters = ['arrivals', 'planned', 'sent', 'dropped'] as const;
export type Counter = (typeof counters)[number];
export const counter = placesOf(counters);

/** What a writer tells its reader: memory, once, and later which slots of it (numbered from 0 over all memory) are no longer written to. */
export type LedgerMessage = { kind: 'memory'; memory: SharedArrayBuffer } | { kind: 'sealed'; slots: readonly number[] };

/**
 * A piece of shared memory that counts one measure of one route and outcome in one window, or the window's counters:
 *
 *     window │ measure │ route │ outcome │ total │ max (µs) │ counts …
 *
 * Whose `total` is zero is empty. A slot of counters has `countersMark` for a measure and route, and its first counts are the counters.
 */
export type Slot = { number: number; words: Uint32Array<SharedArrayBuffer> };
export const word = { window: 0, measure: 1, route: 2, outcome: 3, total: 4, max: 5, counts: 6 } as const;
export const countersMark = 0xffff_ffff;

/** A writer gets memory in pieces of this many slots: 650 kB, of which the system provides what is touched. */
export const slotsPerMemory = 64;
const wordsPerSlot = word.counts + bucketCount;

export const newMemory = () => new SharedArrayBuffer(slotsPerMemory * wordsPerSlot * Uint32Array.BYTES_PER_ELEMENT);

/** The slots in a piece of memory, the first of which has the number `from`. */
export function slotsIn(memory: SharedArrayBuffer, from: number): Slot[] {
  const bytesPerSlot = wordsPerSlot * Uint32Array.BYTES_PER_ELEMENT;
  return Array.from({ length: slotsPerMemory }, (_, index) => ({
    number: from + index,
    words: new Uint32Array(memory, index * bytesPerSlot, wordsPerSlot),
  }));
}

function placesOf<Name extends string>(names: readonly Name[]): Readonly<Record<Name, number>> {
  return Object.fromEntries(names.map((name, place) => [name, place])) as Record<Name, number>;
}
