import { expect, test } from 'vitest';
import { createGroundSeconds } from '../../../../../harness/drivers/ground/seconds.ts';

const startMs = 5_000;

/** A watch whose machine was `loops` busy, and lost `stealShare`, until each look. */
function watch() {
  let nowMs = startMs;
  let seen: { loops: number[]; stealShare: number | undefined } = { loops: [0], stealShare: 0 };
  const seconds = createGroundSeconds({
    startMs,
    now: () => nowMs,
    take: () => ({ ...seen, busyShare: undefined, throttledShare: 0.5 }),
  });
  const until = (ms: number, loops: number[], stealShare?: number) => {
    nowMs = startMs + ms;
    seen = { loops, stealShare };
  };
  const rows = () =>
    seconds
      .soFar()
      .map(({ atMs, loopUtilization, stealShare, lastsMs }) => [atMs, Number(loopUtilization.toFixed(3)), stealShare, lastsMs]);
  return {
    rows,
    lookAt: (ms: number, loops: number[], stealShare?: number) => {
      until(ms, loops, stealShare);
      seconds.look();
    },
    rowsAt: (ms: number, loops: number[], stealShare?: number) => {
      until(ms, loops, stealShare);
      return rows();
    },
  };
}

test('each second has a row, with the busiest of the event loops', () => {
  const { lookAt, rows } = watch();
  lookAt(1_000, [0.2, 0.4], 0.01);
  lookAt(2_000, [0.6, 0.1], 0.03);
  expect(rows()).toEqual([
    [0, 0.4, 0.01, undefined],
    [1_000, 0.6, 0.03, undefined],
  ]);
});

test('of the second that has begun, the part that has passed is told', () => {
  expect(watch().rowsAt(300, [0.9], 0.1)).toEqual([[0, 0.9, 0.1, 300]]);
  const { lookAt, rowsAt } = watch();
  lookAt(1_000, [0.1]);
  expect(rowsAt(1_900, [0.95])).toEqual([
    [0, 0.1, undefined, undefined],
    [1_000, 0.95, undefined, 900],
  ]);
});

test('what is told in part counts in the whole, and nothing twice', () => {
  const { lookAt, rowsAt, rows } = watch();
  expect(rowsAt(250, [0.8, 0], 0.2)).toEqual([[0, 0.8, 0.2, 250]]);
  lookAt(1_000, [0, 0.8]);
  // A quarter of the second on one thread, three on the other; where nothing is known of one part, the other speaks for both.
  expect(rows()).toEqual([[0, 0.6, 0.2, undefined]]);
  expect(rowsAt(1_000, [1, 1], 1)).toEqual([[0, 0.6, 0.2, undefined]]);
});

test('a look that comes late is no gap: each second that it passed over has a row', () => {
  const { lookAt, rows } = watch();
  lookAt(1_000, [0.1], 0);
  lookAt(4_200, [0.5], 0.3);
  lookAt(5_000, [0.25], 0.05);
  expect(rows()).toEqual([
    [0, 0.1, 0, undefined],
    [1_000, 0.5, 0.3, undefined],
    [2_000, 0.5, 0.3, undefined],
    [3_000, 0.5, 0.3, undefined],
    [4_000, 0.3, expect.closeTo(0.1, 9), undefined],
  ]);
});

test('before the run has begun there is nothing to tell', () => {
  const { rowsAt } = watch();
  expect(rowsAt(-40, [1])).toEqual([]);
  expect(rowsAt(1_000, [0.3])).toEqual([[0, 0.3, undefined, undefined]]);
});

test('after a day there are no more rows', () => {
  const { rowsAt } = watch();
  expect(rowsAt(90_000_000, [0.1])).toHaveLength(86_400);
  expect(rowsAt(100_000_000, [0.1])).toHaveLength(86_400);
});
