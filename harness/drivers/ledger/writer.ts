import { bucketOf, longestUs } from '../../../core/histogram.ts';
import { counters, countersMark, type LedgerMessage, measures, newMemory, type Slot, slotsIn, slotsPerMemory, word } from './slots.ts';

/** Writes down what happens in the windows of one thread. Windows are whole numbers from 0 to 2³² − 1 that grow with time. */
export type LedgerWriter = {
  /** One measurement in µs, under the places of its measure, route and outcome. More than `longestUs` counts as that, below zero as zero. */
  record: (window: number, measure: number, route: number, outcome: number, us: number) => void;
  count: (window: number, counter: number, times?: number) => void;
  /** Hands all that was written about earlier windows to the reader. Who writes about one of them later opens it anew: nothing is lost. */
  sealBefore: (window: number) => void;
  sealAll: () => void;
  /** The reader has taken what was in these slots, and emptied them. */
  released: (slots: readonly number[]) => void;
};

/**
 * A writer's memory grows with the windows that are open, or on their way to the reader and back, and both have a bound: the number of records plays
 * no part in it. `post` takes plain data to the reader, in order; shared memory travels once.
 */
export function createLedgerWriter({
  routes,
  outcomes,
  post,
  mostOpenWindows = 1_024,
  mostSlots = 65_536,
}: {
  routes: number;
  outcomes: number;
  post: (message: LedgerMessage) => void;
  /** When more are open, the one that was opened first is sealed early. */
  mostOpenWindows?: number;
  mostSlots?: number;
}): LedgerWriter {
  const slots: Slot[] = [];
  const free: Slot[] = [];
  const open = new Map<number, Page>();
  // Where a window is looked for first: a record is about one of the last few almost always.
  const ring = new Array<Page>(ringMask + 1).fill(nowhere);

  return {
    record: (window, measure, route, outcome, us) => {
      // What is out of range would be counted as something else.
      if (!(isPlace(measure, measures.length) && isPlace(route, routes) && isPlace(outcome, outcomes))) {
        throw new RangeError(`The ledger has no measure ${measure}, route ${route}, outcome ${outcome}`);
      }
      const likely = ring[window & ringMask];
      const page = likely?.window === window ? likely : pageOf(window);
      const { words } = page.slots[1 + (measure * routes + route) * outcomes + outcome] ?? openSlot(page, measure, route, outcome);
      const place = word.counts + bucketOf(us);
      words[place] = (words[place] ?? 0) + 1;
      words[word.total] = (words[word.total] ?? 0) + 1;
      if (us > (words[word.max] ?? 0)) words[word.max] = us < longestUs ? us : longestUs;
    },

    count: (window, counter, times = 1) => {
      if (!isPlace(counter, counters.length)) throw new RangeError(`The ledger has no counter ${counter}`);
      const likely = ring[window & ringMask];
      const page = likely?.window === window ? likely : pageOf(window);
      const { words } = page.slots[0] ?? openCounters(page);
      const place = word.counts + counter;
      words[place] = (words[place] ?? 0) + times;
      words[word.total] = (words[word.total] ?? 0) + times;
    },

    sealBefore: (window) => seal([...open.values()].filter((page) => page.window < window)),
    sealAll: () => seal([...open.values()]),

    released: (numbers) => {
      for (const number of numbers) {
        const slot = slots[number];
        if (slot === undefined) throw new RangeError(`Expected one of the ledger's ${slots.length} slots to be given back, got ${number}`);
        free.push(slot);
      }
    },
  };

  function pageOf(window: number): Page {
    const page = open.get(window) ?? openPage(window);
    ring[window & ringMask] = page;
    return page;
  }

  function openPage(window: number): Page {
    if (open.size >= mostOpenWindows) seal([...open.values()].slice(0, 1));
    const page: Page = { window, slots: new Array(1 + measures.length * routes * outcomes).fill(undefined) };
    open.set(window, page);
    return page;
  }

  function openSlot(page: Page, measure: number, route: number, outcome: number): Slot {
    const slot = takeSlot({ window: page.window, measure, route, outcome });
    page.slots[1 + (measure * routes + route) * outcomes + outcome] = slot;
    return slot;
  }

  function openCounters(page: Page): Slot {
    const slot = takeSlot({ window: page.window, measure: countersMark, route: countersMark, outcome: 0 });
    page.slots[0] = slot;
    return slot;
  }

  function takeSlot({ window, measure, route, outcome }: SlotKey): Slot {
    if (!Number.isInteger(window) || window < 0 || window > lastWindow) {
      throw new RangeError(`Expected a window to be a whole number from 0 to ${lastWindow}, got ${window}`);
    }
    const slot = free.pop() ?? addMemory();
    slot.words[word.window] = window;
    slot.words[word.measure] = measure;
    slot.words[word.route] = route;
    slot.words[word.outcome] = outcome;
    return slot;
  }

  /** More slots, of which the first is taken. */
  function addMemory(): Slot {
    if (slots.length + slotsPerMemory > mostSlots) {
      throw new RangeError(
        `The ledger's ${slots.length} slots are all in use: windows must be sealed, and what is sealed be read, in time`,
      );
    }
    const memory = newMemory();
    const [first, ...rest] = slotsIn(memory, slots.length);
    if (first === undefined) throw new RangeError('A piece of memory has no slots');
    slots.push(first, ...rest);
    free.push(...rest);
    post({ kind: 'memory', memory });
    return first;
  }

  function seal(pages: readonly Page[]) {
    const sealed: number[] = [];
    for (const page of pages) {
      for (const slot of page.slots) if (slot !== undefined) sealed.push(slot.number);
      open.delete(page.window);
      if (ring[page.window & ringMask] === page) ring[page.window & ringMask] = nowhere;
    }
    if (sealed.length > 0) post({ kind: 'sealed', slots: sealed });
  }
}

/** An open window, and its slots as far as they are in use: the counters first, then by measure, route and outcome. */
type Page = { window: number; slots: (Slot | undefined)[] };
type SlotKey = { window: number; measure: number; route: number; outcome: number };

const isPlace = (place: number, of: number) => place >= 0 && place < of;

const nowhere: Page = { window: -1, slots: [] };
const ringMask = 127;
const lastWindow = 0xffff_ffff;
