import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSampleStore } from '../../../../harness/observe/samples.ts';

const name = 'calls_total';
const sample = (value: number, labels: Record<string, string> = {}, of = name) => ({
  key: `${of}${JSON.stringify(labels)}`,
  name: of,
  labels,
  value,
});
/** A store that has read one counter of one instance: `[atMs, value]`. */
function reading(...points: [number, number][]) {
  const store = createSampleStore();
  for (const [atMs, value] of points) store.add({ instance: 'orders.1', atMs }, [sample(value)]);
  return store;
}
const increase = (store: ReturnType<typeof createSampleStore>, fromMs: number, untilMs: number) =>
  store.counterIncrease({ name, window: { fromMs, untilMs } }).get('orders.1');

describe('increase', () => {
  test.each<[string, [number, number][], [number, number], number | undefined]>([
    [
      'between two readings',
      [
        [0, 10],
        [1_000, 15],
      ],
      [0, 1_000],
      5,
    ],
    [
      'over many readings',
      [
        [0, 10],
        [1_000, 15],
        [2_000, 40],
      ],
      [0, 2_000],
      30,
    ],
    [
      'of part of a stretch is its share',
      [
        [0, 0],
        [1_000, 100],
      ],
      [250, 500],
      25,
    ],
    [
      'over a window that begins before and ends after',
      [
        [0, 10],
        [1_000, 15],
      ],
      [-5_000, 9_000],
      5,
    ],
    [
      'where scrapes are missing',
      [
        [0, 0],
        [10_000, 100],
      ],
      [2_000, 4_000],
      20,
    ],
    [
      'where the process was restarted',
      [
        [0, 90],
        [1_000, 100],
        [2_000, 7],
      ],
      [0, 2_000],
      17,
    ],
    [
      'where two readings fall on one instant',
      [
        [0, 10],
        [1_000, 12],
        [1_000, 15],
      ],
      [0, 1_000],
      5,
    ],
    [
      'of a counter that stands still',
      [
        [0, 5],
        [1_000, 5],
        [2_000, 5],
        [3_000, 5],
        [4_000, 6],
      ],
      [0, 3_000],
      0,
    ],
    [
      'after it stood still',
      [
        [0, 5],
        [1_000, 5],
        [2_000, 5],
        [3_000, 5],
        [4_000, 6],
      ],
      [3_000, 4_000],
      1,
    ],
    [
      'is unknown outside of what was read',
      [
        [0, 10],
        [1_000, 15],
      ],
      [2_000, 3_000],
      undefined,
    ],
    ['is unknown from a single reading', [[0, 10]], [0, 1_000], undefined],
  ])('%s', (_, points, [fromMs, untilMs], expected) => {
    expect(increase(reading(...points), fromMs, untilMs)).toBe(expected);
  });

  test('a counter that appears on a page that was read before has grown from zero', () => {
    const store = createSampleStore();
    store.add({ instance: 'orders.1', atMs: 0 }, []);
    store.add({ instance: 'orders.1', atMs: 1_000 }, [sample(8), sample(3, {}, 'load')]);
    expect(increase(store, 0, 1_000)).toBe(8);
    expect(store.counterIncrease({ name: 'load', window: { fromMs: 0, untilMs: 1_000 } })).toEqual(new Map());
  });

  test('a counter that was there on the first page may have grown at any time, so nothing is assumed', () => {
    expect(increase(reading([1_000, 8], [2_000, 9]), 0, 2_000)).toBe(1);
  });

  test('is summed by a label, and only over series that carry the labels asked for', () => {
    const store = createSampleStore();
    const page = (atMs: number, instance: string, factor: number) =>
      store.add({ instance, atMs }, [
        sample(1 * factor, { name: 'payment', result: 'drop' }),
        sample(2 * factor, { name: 'payment', result: 'success' }),
        sample(4 * factor, { name: 'user', result: 'drop' }),
      ]);
    for (const instance of ['orders.1', 'orders.2']) [0, 1].map((step) => page(step * 1_000, instance, step));
    const window = { fromMs: 0, untilMs: 1_000 };
    const by = (label: string, labels = {}) => Object.fromEntries(store.counterIncrease({ name, labels, window, by: label }));
    expect(by('name', { result: 'drop' })).toEqual({ payment: 2, user: 8 });
    expect(by('result', { name: 'payment', instance: 'orders.2' })).toEqual({ drop: 1, success: 2 });
    expect(by('instance')).toEqual({ 'orders.1': 7, 'orders.2': 7 });
    expect(by('result', { name: 'nobody' })).toEqual({});
    expect(by('colour')).toEqual({});
  });

  test('neighbouring windows add up to both, wherever they are parted', () => {
    const readings = fc.uniqueArray(fc.tuple(fc.nat(60_000), fc.nat(50)), { minLength: 2, maxLength: 20, selector: ([atMs]) => atMs });
    fc.assert(
      fc.property(readings, fc.double({ min: 0, max: 1, noNaN: true }), (points, share) => {
        const store = reading(...points.toSorted(([a], [b]) => a - b));
        const atMs = Math.max(...points.map(([atMs]) => atMs));
        const partMs = atMs * share;
        const parts = (increase(store, 0, partMs) ?? 0) + (increase(store, partMs, atMs) ?? 0);
        expect(parts).toBeCloseTo(increase(store, 0, atMs) ?? 0, 6);
      }),
    );
  });
});

test('seconds are counted from the start of the window, the last may be shorter', () => {
  const store = reading([0, 0], [10_000, 100]);
  expect(store.perSecond({ name, window: { fromMs: 500, untilMs: 3_000 } }).get('orders.1')).toEqual([
    { atMs: 500, value: 10 },
    { atMs: 1_500, value: 10 },
    { atMs: 2_500, value: 5 },
  ]);
});

test('the newest value is that of the last page, also where it stood still', () => {
  expect(reading([0, 5], [1_000, 5], [2_000, 5]).newest(name)).toEqual([{ labels: { instance: 'orders.1' }, value: 5 }]);
  expect(reading([0, 5], [1_000, 6]).newest(name, { instance: 'user.1' })).toEqual([]);
});

test('a total goes on over the restarts of a process', () => {
  expect(reading([0, 5], [1_000, 8]).total(name)).toEqual([{ labels: { instance: 'orders.1' }, value: 8 }]);
  expect(reading([0, 5], [1_000, 8], [2_000, 2], [3_000, 4], [4_000, 0], [5_000, 1]).total(name)[0]?.value).toBe(13);
  expect(reading([0, 5]).total('another')).toEqual([]);
});

test('a total is what all lives of a process have counted, as far as it was read', () => {
  // A life that begins above where the last one ended cannot be told from one that goes on, so every life begins with 0.
  const life = fc.array(fc.nat(50), { minLength: 1, maxLength: 10 }).map((steps) => {
    let count = 0;
    return [0, ...steps.map((step) => (count += step))];
  });
  fc.assert(
    fc.property(fc.array(life, { minLength: 1, maxLength: 5 }), (lives) => {
      const store = reading(...lives.flat().map((value, index): [number, number] => [index * 1_000, value]));
      const counted = lives.reduce((sum, values) => sum + (values.at(-1) ?? 0), 0);
      expect(store.total(name)[0]?.value).toBe(counted);
      if (lives.length === 1) expect(store.total(name)).toEqual(store.newest(name));
    }),
  );
});

test('a value that stands still costs two samples however long it does', () => {
  const store = createSampleStore({ maxSamples: 3 });
  for (let index = 0; index < 100; index++) store.add({ instance: 'orders.1', atMs: index * 1_000 }, [sample(5)]);
  store.add({ instance: 'orders.1', atMs: 100_000 }, [sample(6)]);
  expect(increase(store, 0, 99_000)).toBe(0);
  expect(increase(store, 99_000, 100_000)).toBe(1);
});

test('keeps no more samples than it may, and knows nothing of the time after', () => {
  const store = createSampleStore({ maxSamples: 10 });
  for (let index = 0; index < 15; index++) store.add({ instance: 'orders.1', atMs: index * 1_000 }, [sample(index)]);
  expect(increase(store, 0, 20_000)).toBe(9);
  expect(increase(store, 10_000, 15_000)).toBeUndefined();
});
