import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createWindow } from '../../../../system/governance/window.ts';

const windowOf4 = ({ startNs = 0 } = {}) => {
  const window = createWindow({
    size: 4,
    intervalNs: 10,
    startNs,
    create: () => ({ sum: 0 }),
    clear: (bucket) => {
      bucket.sum = 0;
    },
  });
  return {
    add: (atNs: number, amount: number) => {
      window.current(atNs).sum += amount;
    },
    at: (nowNs: number) => {
      const sums: number[] = [];
      window.visit(nowNs, ({ sum }) => sums.push(sum));
      return sums;
    },
  };
};

test('shows buckets oldest first and forgets those that fall out', () => {
  const { add, at } = windowOf4();
  for (const [time, amount] of [
    [0, 1],
    [9, 1],
    [10, 3],
    [25, 4],
    [30, 5],
  ] as const)
    add(time, amount);
  expect(at(30)).toEqual([2, 3, 4, 5]);
  expect(at(40)).toEqual([3, 4, 5]);
  expect(at(69)).toEqual([5]);
  expect(at(70)).toEqual([]);
});

test('looking changes nothing', () => {
  const { add, at } = windowOf4();
  add(0, 1);
  at(1_000);
  expect(at(0)).toEqual([0, 0, 0, 1]);
});

test('aligns its buckets to its creation', () => {
  const { add, at } = windowOf4({ startNs: 1_003 });
  add(1_012, 1);
  add(1_013, 2);
  expect(at(1_013)).toEqual([0, 0, 1, 2]);
});

test('starts afresh after a pause longer than itself', () => {
  const { add, at } = windowOf4();
  add(5, 1);
  add(1_000, 2);
  expect(at(1_000)).toEqual([0, 0, 0, 2]);
});

test('holds exactly what was added in the buckets it shows', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(25), { minLength: 1, maxLength: 60, size: 'max' }), (gaps) => {
      const { add, at } = windowOf4();
      let now = 0;
      const times = gaps.map((gap) => {
        now += gap;
        add(now, 1);
        return now;
      });
      const firstBucket = Math.trunc(now / 10) - 3;
      const expected = [0, 1, 2, 3].map((step) => times.filter((time) => Math.trunc(time / 10) === firstBucket + step).length);
      expect(at(now)).toEqual(expected);
    }),
  );
});
