import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bucketOf, longestUs } from '../../../../../core/histogram.ts';
import {
  counter,
  counters,
  createLedgerReader,
  createLedgerWriter,
  type LedgerMessage,
  type LedgerReader,
  type LedgerRow,
  measure,
  measures,
} from '../../../../../harness/drivers/ledger/ledger.ts';

const routes = 3;
const outcomes = 4;
const { response, service, lag } = measure;

/** A writer whose messages wait until they are read. */
function writing(reader: LedgerReader, { number = 0, ...bounds }: { number?: number; mostOpenWindows?: number; mostSlots?: number } = {}) {
  const underway: LedgerMessage[] = [];
  let memories = 0;
  const writer = createLedgerWriter({
    routes,
    outcomes,
    post: (message) => {
      if (message.kind === 'memory') memories += 1;
      // What a thread would get.
      underway.push(message.kind === 'memory' ? message : structuredClone(message));
    },
    ...bounds,
  });
  const readOne = () => {
    const message = underway.shift();
    if (message !== undefined) reader.accept(number, message, writer.released);
  };
  const read = () => {
    while (underway.length > 0) readOne();
  };
  return { ...writer, read, readOne, underway, memories: () => memories };
}

/** Buckets and how often each was met. */
const spread = ({ counts }: LedgerRow) => [...counts.buckets].map((bucket, place) => [bucket, counts.times[place]]);
const totalsOf = (reader: LedgerReader) => reader.rows().map(({ window, total }) => [window, total]);

test('a window that was sealed is told by measure, route and outcome, with counts, total and maximum', () => {
  const reader = createLedgerReader();
  const { record, sealBefore, read } = writing(reader);
  record(7, response, 2, 3, 1_000);
  record(7, response, 2, 3, 1_001);
  record(7, response, 2, 3, 50);
  record(7, lag, 0, 0, 12);
  record(8, response, 0, 0, 99);
  sealBefore(8);
  read();
  const rows = reader.rows();
  expect(rows.map(({ counts: _, ...row }) => row)).toEqual([
    { window: 7, measure: response, route: 2, outcome: 3, total: 3, max: 1_001 },
    { window: 7, measure: lag, route: 0, outcome: 0, total: 1, max: 12 },
  ]);
  expect(rows.map(spread)).toEqual([
    [
      [50, 1],
      [bucketOf(1_000), 2],
    ],
    [[12, 1]],
  ]);
});

test('counters are told by window', () => {
  const reader = createLedgerReader();
  const { count, sealAll, read } = writing(reader);
  count(3, counter.planned);
  count(3, counter.planned, 4);
  count(3, counter.dropped);
  count(1, counter.sent, 2);
  sealAll();
  read();
  expect(reader.counters()).toEqual([
    { window: 1, arrivals: 0, planned: 0, sent: 2, dropped: 0 },
    { window: 3, arrivals: 0, planned: 5, sent: 0, dropped: 1 },
  ]);
  expect(reader.rows()).toEqual([]);
});

test('a record for a window that was sealed is added to it', () => {
  const reader = createLedgerReader();
  const { record, sealBefore, sealAll, read } = writing(reader);
  record(1, service, 0, 0, 500);
  sealBefore(2);
  record(1, service, 0, 0, 90);
  record(1, service, 0, 0, 500);
  sealAll();
  read();
  const [row, ...others] = reader.rows();
  expect(others).toEqual([]);
  expect(row).toMatchObject({ total: 3, max: 500 });
  expect(row && spread(row)).toEqual([
    [90, 1],
    [bucketOf(500), 2],
  ]);
});

test('slots that were read are used again, empty', () => {
  const reader = createLedgerReader();
  const { record, count, sealAll, read, memories } = writing(reader);
  for (let window = 0; window < 1_000; window++) {
    record(window, response, 0, 0, window === 0 ? 1_000_000 : 10);
    count(window, counter.sent);
    sealAll();
    read();
  }
  expect(memories()).toBe(1);
  expect(reader.rows().every(({ total, max }, window) => total === 1 && max === (window === 0 ? 1_000_000 : 10))).toBe(true);
  expect(reader.counters().every(({ sent, planned }) => sent === 1 && planned === 0)).toBe(true);
});

test('until slots come back others are used, and when there are none, memory is added', () => {
  const reader = createLedgerReader();
  const { record, sealAll, read, memories } = writing(reader);
  for (let window = 0; window < 65; window++) {
    record(window, response, 0, 0, 10);
    sealAll();
  }
  expect(memories()).toBe(2);
  read();
  expect(totalsOf(reader)).toEqual(Array.from({ length: 65 }, (_, window) => [window, 1]));
});

test('windows that are far apart are open side by side', () => {
  const reader = createLedgerReader();
  const { record, sealAll, read } = writing(reader);
  const windows = [0, 128, 256, 1, 129, 2 ** 31, 2 ** 31 - 128, 2 ** 32 - 1];
  for (let round = 0; round < 5; round++) for (const window of windows) record(window, response, 0, 0, 10);
  sealAll();
  read();
  expect(totalsOf(reader)).toEqual(windows.sort((one, other) => one - other).map((window) => [window, 5]));
});

test('when too many windows are open, the one that was opened first is sealed', () => {
  const reader = createLedgerReader();
  const { record, read, sealAll } = writing(reader, { mostOpenWindows: 3 });
  for (const window of [5, 4, 6, 4, 9]) record(window, response, 0, 0, 10);
  read();
  expect(totalsOf(reader)).toEqual([[5, 1]]);
  sealAll();
  read();
  expect(totalsOf(reader)).toEqual([
    [4, 2],
    [5, 1],
    [6, 1],
    [9, 1],
  ]);
});

test('memory that nobody reads has a bound', () => {
  const { record, sealAll } = writing(createLedgerReader(), { mostSlots: 128 });
  const write = (window: number) => {
    record(window, response, 0, 0, 10);
    sealAll();
  };
  for (let window = 0; window < 128; window++) write(window);
  expect(() => write(128)).toThrow("The ledger's 128 slots are all in use");
});

test.each([
  { what: 'a route', window: 0, place: response, route: routes, outcome: 0 },
  { what: 'a route below zero', window: 0, place: service, route: -1, outcome: 0 },
  { what: 'an outcome', window: 0, place: response, route: 0, outcome: outcomes },
  { what: 'a measure', window: 0, place: measures.length, route: 0, outcome: 0 },
  { what: 'a measure that is no number', window: 0, place: Number.NaN, route: 0, outcome: 0 },
  { what: 'a window below zero', window: -1, place: response, route: 0, outcome: 0 },
  { what: 'half a window', window: 0.5, place: response, route: 0, outcome: 0 },
  { what: 'a window too far', window: 2 ** 32, place: response, route: 0, outcome: 0 },
])('$what that does not exist is refused, and counted nowhere', ({ window, place, route, outcome }) => {
  const reader = createLedgerReader();
  const { record, sealAll, read } = writing(reader);
  // Whatever it could be mistaken for is open.
  for (const known of [response, service, lag]) for (let at = 0; at < routes; at++) record(0, known, at, 0, 1);
  expect(() => record(window, place, route, outcome, 1)).toThrow(RangeError);
  sealAll();
  read();
  expect(reader.rows().map(({ total }) => total)).toEqual(Array(9).fill(1));
});

test('a counter, or a slot, that does not exist is refused', () => {
  const { count, released } = writing(createLedgerReader());
  expect(() => count(0, counters.length)).toThrow(RangeError);
  expect(() => released([0])).toThrow(RangeError);
  expect(() => createLedgerReader().accept(4, { kind: 'sealed', slots: [0] }, () => {})).toThrow('Writer 4');
});

test('more than the longest time counts as that, less than none as zero', () => {
  const reader = createLedgerReader();
  const { record, sealAll, read } = writing(reader);
  for (const us of [2 ** 33, Number.POSITIVE_INFINITY, -5, Number.NaN]) record(0, response, 0, 0, us);
  sealAll();
  read();
  const [row] = reader.rows();
  expect(row).toMatchObject({ total: 4, max: longestUs });
  expect(row && spread(row)).toEqual([
    [0, 2],
    [bucketOf(longestUs), 2],
  ]);
});

/** What any number of writers may do: each entry is one thing one of them does, or that reaches the reader. */
const doings = fc.array(
  fc.record({
    writer: fc.nat(3),
    what: fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('record' as const),
          window: fc.oneof(fc.nat(5), fc.constantFrom(128, 129, 300, 2 ** 31)),
          measure: fc.nat(measures.length - 1),
          route: fc.nat(routes - 1),
          outcome: fc.nat(outcomes - 1),
          us: fc.oneof(fc.nat(300), fc.nat(2 * longestUs)),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('count' as const),
          window: fc.nat(5),
          counter: fc.nat(counters.length - 1),
          times: fc.integer({ min: 1, max: 9 }),
        }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('seal' as const), before: fc.oneof(fc.nat(6), fc.constant(200)) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('readOne' as const) }) },
    ),
  }),
  { maxLength: 400, size: 'max' },
);

test('whoever of several writers wrote it, and whenever it was sealed and read: the sum is that of one writer', () => {
  fc.assert(
    fc.property(doings, (done) => {
      const together = createLedgerReader();
      const writers = [0, 1, 2, 3].map((number) => writing(together, { number, mostOpenWindows: 4 }));
      const alone = createLedgerReader();
      const single = writing(alone);
      const plain = new Map<string, number>();
      const add = (key: string, times = 1) => plain.set(key, (plain.get(key) ?? 0) + times);

      for (const { writer: number, what } of done) {
        const writer = writers[number];
        if (writer === undefined) continue;
        switch (what.kind) {
          case 'record': {
            const { window, measure, route, outcome, us } = what;
            for (const one of [writer, single]) one.record(window, measure, route, outcome, us);
            add(`${window} ${measure} ${route} ${outcome} ${bucketOf(us)}`);
            break;
          }
          case 'count':
            for (const one of [writer, single]) one.count(what.window, what.counter, what.times);
            add(`${what.window} ${counters[what.counter]}`, what.times);
            break;
          case 'seal':
            writer.sealBefore(what.before);
            break;
          case 'readOne':
            writer.readOne();
            break;
          default:
            what satisfies never;
        }
      }
      for (const writer of [...writers.reverse(), single]) {
        writer.sealAll();
        writer.read();
      }
      expect(together.rows()).toEqual(alone.rows());
      expect(together.counters()).toEqual(alone.counters());
      expect(flat(together)).toEqual(plain);
    }),
  );
});

test('ten million records over a thousand windows need the memory of the windows that are open', () => {
  const reader = createLedgerReader();
  const { record, count, sealBefore, sealAll, read, memories } = writing(reader);
  const play = (fromWindow: number, untilWindow: number) => {
    for (let window = fromWindow; window < untilWindow; window++) {
      for (let index = 0; index < 10_000; index++) {
        // Some are late, and answered in the window of their start.
        record(window - (index & 7), response, index % 3, 0, (index * 7_919) % 100_000);
        count(window, counter.planned);
      }
      sealBefore(window - 10);
      read();
    }
  };
  play(10, 110);
  const [memoriesBefore, rssBefore] = [memories(), process.memoryUsage().rss];
  play(110, 1_010);
  // 11 open windows of 3 routes and the counters each.
  expect(memoriesBefore).toBe(1);
  expect(memories()).toBe(memoriesBefore);
  // Eight bytes of each record would be 72 MB. The rows of 900 windows are kept, and are small.
  expect(process.memoryUsage().rss - rssBefore).toBeLessThan(60_000_000);
  sealAll();
  read();
  expect(reader.rows().reduce((sum, { total }) => sum + total, 0)).toBe(10_000_000);
  expect(reader.counters().reduce((sum, { planned }) => sum + planned, 0)).toBe(10_000_000);
}, 20_000);

/** Everything that a reader knows, as one flat table. */
function flat(reader: LedgerReader): Map<string, number> {
  const rows = reader
    .rows()
    .flatMap((row) =>
      spread(row).map(([bucket, times]) => [`${row.window} ${row.measure} ${row.route} ${row.outcome} ${bucket}`, times ?? 0] as const),
    );
  const counted = reader
    .counters()
    .flatMap(({ window, ...row }) => counters.map((name) => [`${window} ${name}`, row[name]] as const))
    .filter(([, times]) => times > 0);
  return new Map([...rows, ...counted]);
}
