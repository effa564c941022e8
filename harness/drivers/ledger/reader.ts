import { bucketCount } from '../../../core/histogram.ts';
import { type Counter, counters, countersMark, type LedgerMessage, type Slot, slotsIn, word } from './slots.ts';

/**
 * What was measured in one window, added up over all writers. `total` values in µs, of which `max` is the greatest; the counts are sparse:
 * `buckets` ascend, and `times` says how often each of them was met.
 */
export type LedgerRow = {
  window: number;
  measure: number;
  route: number;
  outcome: number;
  counts: SparseCounts;
  total: number;
  max: number;
};
export type SparseCounts = { buckets: Uint16Array; times: Uint32Array };
export type LedgerCounters = { window: number } & Record<Counter, number>;

export type LedgerReader = {
  /** A message of the writer that the reader's user knows by this number; `giveBack` takes the slots that were read back to that writer. */
  accept: (writer: number, message: LedgerMessage, giveBack: (slots: readonly number[]) => void) => void;
  /** By window, measure, route and outcome. */
  rows: () => LedgerRow[];
  /** By window; windows in which nothing was counted are absent. */
  counters: () => LedgerCounters[];
};

/** Adds up the ledgers of any number of writers. It grows with the windows of a run, never with what happens in them. */
export function createLedgerReader(): LedgerReader {
  const slotsOf = new Map<number, Slot[]>();
  const rows = new Map<number, Map<number, LedgerRow>>();
  const counted = new Map<number, LedgerCounters>();

  return {
    accept: (writer, message, giveBack) => {
      const slots = slotsOf.get(writer) ?? [];
      slotsOf.set(writer, slots);
      if (message.kind === 'memory') {
        slots.push(...slotsIn(message.memory, slots.length));
        return;
      }
      for (const number of message.slots) {
        const words = slots[number]?.words;
        if (words === undefined)
          throw new RangeError(`Writer ${writer} of the ledger sealed slot ${number}, but has ${slots.length} slots`);
        if (words[word.measure] === countersMark) addCounters(words);
        else addRow(words);
        words.fill(0);
      }
      giveBack(message.slots);
    },

    rows: () => inOrder(rows).flatMap((ofWindow) => inOrder(ofWindow)),
    counters: () => inOrder(counted).map((row) => ({ ...row })),
  };

  function addRow(words: Uint32Array) {
    const head = headOf(words);
    const ofWindow = rows.get(head.window) ?? new Map<number, LedgerRow>();
    rows.set(head.window, ofWindow);
    const row = ofWindow.get(keyOf(head));
    const counts = words.subarray(word.counts);
    if (row === undefined) ofWindow.set(keyOf(head), { ...head, counts: sparse(counts) });
    else {
      addHead(row, head);
      row.counts = sparse(added(row.counts, counts));
    }
  }

  function addCounters(words: Uint32Array) {
    const window = words[word.window] ?? 0;
    const row = counted.get(window) ?? { window, ...noCounts() };
    counted.set(window, row);
    addCounts(row, words);
  }
}

type Head = Omit<LedgerRow, 'counts'>;

const headOf = (words: Uint32Array): Head => ({
  window: words[word.window] ?? 0,
  measure: words[word.measure] ?? 0,
  route: words[word.route] ?? 0,
  outcome: words[word.outcome] ?? 0,
  total: words[word.total] ?? 0,
  max: words[word.max] ?? 0,
});

function addHead(sum: Pick<Head, 'total' | 'max'>, { total, max }: Pick<Head, 'total' | 'max'>) {
  sum.total += total;
  sum.max = Math.max(sum.max, max);
}

const noCounts = () => Object.fromEntries(counters.map((name) => [name, 0])) as Record<Counter, number>;

function addCounts(sum: Record<Counter, number>, words: Uint32Array) {
  for (const [place, name] of counters.entries()) sum[name] += words[word.counts + place] ?? 0;
}

/** In the order of measure, route and outcome. Routes and outcomes are far fewer than 2²⁰. */
const keyOf = ({ measure, route, outcome }: Pick<Head, 'measure' | 'route' | 'outcome'>) => (measure * 2 ** 20 + route) * 2 ** 20 + outcome;

const inOrder = <Value>(byNumber: ReadonlyMap<number, Value>): Value[] =>
  [...byNumber].sort(([one], [other]) => one - other).map(([, value]) => value);

function sparse(counts: Uint32Array): SparseCounts {
  let met = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) if (counts[bucket] !== 0) met += 1;
  const buckets = new Uint16Array(met);
  const times = new Uint32Array(met);
  let place = 0;
  for (let bucket = 0; place < met; bucket++) {
    const here = counts[bucket] ?? 0;
    if (here === 0) continue;
    buckets[place] = bucket;
    times[place] = here;
    place += 1;
  }
  return { buckets, times };
}

function added({ buckets, times }: SparseCounts, counts: Uint32Array): Uint32Array {
  const sum = new Uint32Array(bucketCount);
  sum.set(counts);
  for (let place = 0; place < buckets.length; place++) {
    const bucket = buckets[place] ?? 0;
    sum[bucket] = (sum[bucket] ?? 0) + (times[place] ?? 0);
  }
  return sum;
}
