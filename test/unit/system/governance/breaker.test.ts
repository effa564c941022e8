import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../../core/random.ts';
import { createBreaker } from '../../../../system/governance/breaker.ts';
import { handClock, oracleRandom } from './oracle.ts';
import { walkingBreaker } from './reference.ts';

type Bucket = [success: number, failure: number, drop: number];
const times = (count: number, bucket: Bucket): Bucket[] => Array.from({ length: count }, () => bucket);
const bucketMs = 250;

/** A breaker that has just seen these buckets, the last of them being the current one. */
function breakerAfter(buckets: readonly Bucket[]) {
  const clock = handClock();
  const breaker = createBreaker({ clockNs: clock.clockNs, random: () => 0 });
  for (const [index, [successes, failures, drops]] of buckets.entries()) {
    clock.setMs(index * bucketMs);
    for (let n = 0; n < successes; n += 1) breaker.success();
    for (let n = 0; n < failures; n += 1) breaker.failure();
    for (let n = 0; n < drops; n += 1) expect(breaker.allow()).toBe(false);
  }
  return breaker;
}

describe('a decision weighs the last 10 s (governance.md 1.9a)', () => {
  test.each<[string, Bucket[], number[]]>([
    ['5 failures', [[0, 5, 0]], [5, 0, 1, 0, 1.49, 0, 0]],
    ['6 failures', [[0, 6, 0]], [6, 0, 1, 0, 1.49, 0.1428571429, 0.1428571429]],
    ['only successes', times(40, [10, 0, 0]), [400, 400, 0, 40, 1.5, -0.5112219451, 0]],
    ['a failing quarter', [...times(30, [10, 0, 0]), ...times(10, [0, 10, 0])], [400, 300, 10, 0, 1.4, -0.0623441397, 0]],
    ['three failing quarters', [...times(10, [10, 0, 0]), ...times(30, [0, 10, 0])], [400, 100, 30, 0, 1.2, 0.6857855362, 0.6857855362]],
    ['only failures', times(40, [0, 10, 0]), [400, 0, 40, 0, 1.1, 0.9850374065, 0.9850374065]],
    ['failures, then drops', [...times(20, [0, 10, 0]), ...times(20, [0, 0, 10])], [400, 0, 20, 0, 1.3, 0.9850374065, 0.9850374065]],
    [
      'failures with a pause',
      [...times(20, [0, 10, 0]), ...times(10, [0, 0, 0]), ...times(10, [0, 10, 0])],
      [300, 0, 30, 0, 1.2, 0.9800664452, 0.9800664452],
    ],
    ['30 % failures', times(40, [7, 3, 0]), [400, 280, 0, 0, 1.5, -0.0623441397, 0]],
    ['40 % failures', times(40, [6, 4, 0]), [400, 240, 0, 0, 1.5, 0.0872817955, 0.0872817955]],
    ['50 % failures', times(40, [5, 5, 0]), [400, 200, 0, 0, 1.5, 0.2369077307, 0.2369077307]],
    ['recovery behind drops', [...times(20, [0, 10, 0]), ...times(20, [1, 0, 9])], [400, 20, 0, 20, 1.5, 0.9102244389, 0.4551122195]],
    ['recovery without drops', [...times(20, [0, 10, 0]), ...times(20, [10, 0, 0])], [400, 200, 0, 20, 1.5, 0.2369077307, 0.1184538653]],
    ['the first good bucket', [...times(38, [0, 10, 0]), [5, 5, 0], [10, 0, 0]], [400, 15, 0, 1, 1.5, 0.9289276808, 0.9057044888]],
  ])('%s', (_name, buckets, [total, accepts, failing, working, multiplier, excess, dropRatio]) => {
    const breaker = breakerAfter(buckets);
    const seen = breaker.snapshot();
    expect([seen.total, seen.accepts, seen.failingBuckets, seen.workingBuckets]).toEqual([total, accepts, failing, working]);
    expect([seen.multiplier, seen.excess, seen.dropRatio].map(to10)).toEqual([multiplier, excess, dropRatio]);
    expect(to10(breaker.dropRatio)).toBe(dropRatio);
  });
});

const to10 = (value: number) => Number(value.toFixed(10));

describe('an outage of 20 s at 20 calls a second (governance.md 1.9b)', () => {
  const clock = handClock();
  const draw = oracleRandom();
  let draws = 0;
  const events: [atMs: number, kind: string][] = [];
  let nowMs = 0;
  const breaker = createBreaker({
    clockNs: clock.clockNs,
    random: () => {
      draws += 1;
      return draw();
    },
    onEvent: ({ kind }) => events.push([nowMs, kind]),
  });
  const before = new Map<number, ReturnType<typeof breaker.snapshot>>();
  const forcedAtMs: number[] = [];

  for (nowMs = 0; nowMs <= 44_950; nowMs += 50) {
    clock.setMs(nowMs);
    const snapshot = breaker.snapshot();
    before.set(nowMs, snapshot);
    const drawsBefore = draws;
    const outcome = !breaker.allow() ? 'drop' : nowMs >= 10_000 && nowMs < 30_000 ? 'failure' : 'success';
    events.push([nowMs, outcome]);
    if (outcome === 'drop') continue;
    if (snapshot.excess > 0 && draws === drawsBefore) forcedAtMs.push(nowMs);
    breaker[outcome]();
  }
  const timesOf = (kind: string) => events.filter(([, other]) => other === kind).map(([atMs]) => atMs);
  const perSecond = (kind: string, { from, until }: { from: number; until: number }) =>
    Array.from({ length: until - from }, (_, index) => timesOf(kind).filter((atMs) => Math.trunc(atMs / 1000) === from + index).length);

  test('ends each call as the original does', () => {
    expect(breaker.totals).toEqual({ success: 399, failure: 142, drop: 359 });
    expect(draws).toBe(563);
    expect(forcedAtMs).toEqual([21_950, 23_200, 24_250, 25_500, 26_550, 27_650, 28_700, 30_800]);
    expect(timesOf('drop')[0]).toBe(13_200);
    expect(timesOf('drop').at(-1)).toBe(39_600);
  });

  test('refuses more and more while the callee is down', () => {
    expect(perSecond('success', { from: 0, until: 10 })).toEqual(Array(10).fill(20));
    expect(perSecond('failure', { from: 10, until: 30 })).toEqual([20, 20, 20, 17, 16, 9, 8, 8, 2, 6, 3, 1, 1, 1, 2, 1, 2, 1, 2, 2]);
    expect(perSecond('drop', { from: 10, until: 30 })).toEqual([0, 0, 0, 3, 4, 11, 12, 12, 18, 14, 17, 19, 19, 19, 18, 19, 18, 19, 18, 18]);
  });

  test('recovers within 10 s', () => {
    expect(perSecond('success', { from: 30, until: 45 })).toEqual([1, 2, 6, 4, 8, 8, 13, 18, 20, 19, 20, 20, 20, 20, 20]);
    expect(perSecond('drop', { from: 30, until: 45 })).toEqual([19, 18, 14, 16, 12, 12, 7, 2, 0, 1, 0, 0, 0, 0, 0]);
  });

  test.each([
    { atMs: 11_000, total: 195, accepts: 175, failing: 4, working: 0, multiplier: 1.46, excess: -0.334184, dropRatio: 0 },
    { atMs: 13_000, total: 195, accepts: 135, failing: 12, working: 0, multiplier: 1.38, excess: 0.018878, dropRatio: 0.018878 },
    { atMs: 15_000, total: 195, accepts: 95, failing: 20, working: 0, multiplier: 1.3, excess: 0.339286, dropRatio: 0.339286 },
    { atMs: 31_000, total: 195, accepts: 1, failing: 0, working: 1, multiplier: 1.5, excess: 0.961735, dropRatio: 0.937691 },
    { atMs: 35_000, total: 195, accepts: 21, failing: 0, working: 14, multiplier: 1.5, excess: 0.808673, dropRatio: 0.525638 },
  ])('knows what it should at $atMs ms', ({ atMs, total, accepts, failing, working, multiplier, excess, dropRatio }) => {
    const seen = before.get(atMs);
    expect(seen).toMatchObject({ total, accepts, failingBuckets: failing, workingBuckets: working });
    expect(seen?.multiplier).toBeCloseTo(multiplier, 9);
    expect(seen?.excess).toBeCloseTo(excess, 6);
    expect(seen?.dropRatio).toBeCloseTo(dropRatio, 6);
  });

  test('trips once, with the first drop', () => {
    expect(timesOf('startedRefusing')).toEqual([13_200]);
    expect(timesOf('stoppedRefusing')).toEqual([]);
  });
});

describe('a steady share of failures for 2 minutes (governance.md 1.9c)', () => {
  test.each([
    [40, 0.3, 0],
    [40, 0.34, 0],
    [40, 0.4, 0.6538],
    [40, 0.5, 0.8892],
    [40, 0.7, 0.9504],
    [40, 1, 0.9667],
    [200, 0.5, 0.9681],
    [2, 1, 0.55],
  ])('%d calls/s of which %d fail: %d are dropped in the second minute', (ratePerSecond, failing, expected) => {
    const clock = handClock();
    const breaker = createBreaker({ clockNs: clock.clockNs, random: oracleRandom() });
    let executed = 0;
    const drops = Array.from({ length: ratePerSecond * 120 }, (_, index) => {
      clock.setMs((index * 1000) / ratePerSecond);
      if (!breaker.allow()) return true;
      executed += 1;
      if (Math.floor(executed * failing + 1e-9) !== Math.floor((executed - 1) * failing + 1e-9)) breaker.failure();
      else breaker.success();
      return false;
    });
    const lastMinute = drops.slice(ratePerSecond * 60);
    expect(Number((lastMinute.filter(Boolean).length / lastMinute.length).toFixed(4))).toBe(expected);
  });
});

test('starting and stopping to refuse alternate, 10 s of quiet apart', () => {
  const clock = handClock();
  const kinds: string[] = [];
  const breaker = createBreaker({ clockNs: clock.clockNs, random: () => 0, onEvent: ({ kind }) => kinds.push(kind) });
  const refuseAt = (ms: number) => {
    clock.setMs(ms);
    for (let n = 0; n < 6; n += 1) breaker.failure();
    expect(breaker.allow()).toBe(false);
  };
  refuseAt(0);
  refuseAt(9_000);
  clock.setMs(18_999);
  breaker.allow();
  clock.setMs(19_000);
  expect(breaker.allow()).toBe(true);
  breaker.success();
  refuseAt(60_000);
  expect(kinds).toEqual(['startedRefusing', 'stoppedRefusing', 'startedRefusing']);
});

const step = fc.record({
  waitMs: fc.oneof(
    // Dense enough for a window to hold many calls: otherwise hardly any is ever refused.
    { arbitrary: fc.nat(60), weight: 80 },
    { arbitrary: fc.nat(2_000), weight: 15 },
    { arbitrary: fc.constantFrom(250, 9_750, 10_000, 10_250), weight: 2 },
    { arbitrary: fc.nat(40_000), weight: 1 },
  ),
  outcome: fc.constantFrom('success', 'failure', 'failure', 'unsettled'),
});
/** Without a size fast-check ends its lists at 10, which is no history. */
const historyOf = (maxLength: number) => fc.array(step, { maxLength, size: 'max' });
const rules = fc.record({
  multiplier: fc.double({ min: 1.5, max: 3, noNaN: true }),
  leastMultiplier: fc.double({ min: 1, max: 1.5, noNaN: true }),
  toleratedCalls: fc.nat(10),
  windowMs: fc.constantFrom(1_000, 10_000),
  forcedPassMs: fc.constantFrom(100, 1_000),
  countsDrops: fc.boolean(),
});

test('sums kept up with every event decide as walking all buckets does, whatever happens and however long nothing does', () => {
  const seen = { drops: 0, forced: 0 };
  fc.assert(
    fc.property(historyOf(400), rules, fc.nat(), (steps, rules, seed) => {
      const clock = handClock();
      const ours = countedRandom(seed);
      const theirs = countedRandom(seed);
      const breaker = createBreaker({ clockNs: clock.clockNs, random: ours.random, rules });
      const reference = walkingBreaker({ clockNs: clock.clockNs, random: theirs.random, ...rules });
      let nowMs = 0;
      let settled = 0;
      let refused = 0;
      for (const { waitMs, outcome } of steps) {
        nowMs += waitMs;
        clock.setMs(nowMs);
        const { total, accepts, failingBuckets, workingBuckets, dropRatio, excess } = breaker.snapshot();
        expect({ total, accepts, failingBuckets, workingBuckets, dropRatio }).toEqual(reference.look());
        expect(dropRatio).toBeGreaterThanOrEqual(0);
        expect(dropRatio).toBeLessThan(1);
        const drawnBefore = ours.drawn();
        const isAllowed = breaker.allow();
        expect([isAllowed, ours.drawn()]).toEqual([reference.allow(), theirs.drawn()]);
        if (!isAllowed) refused += 1;
        else if (excess > 0 && ours.drawn() === drawnBefore) seen.forced += 1;
        if (isAllowed && outcome !== 'unsettled') {
          settled += 1;
          breaker[outcome]();
          reference.add(outcome);
        }
      }
      const { success, failure, drop } = breaker.totals;
      expect([success + failure, drop]).toEqual([settled, refused]);
      seen.drops += refused;
    }),
    { numRuns: 120 },
  );
  // What is compared must happen, or the comparison proves nothing.
  expect(seen.drops).toBeGreaterThan(300);
  expect(seen.forced).toBeGreaterThan(100);
});

function countedRandom(seed: number) {
  const draw = seededRandom(seed);
  let drawn = 0;
  return {
    drawn: () => drawn,
    random: () => {
      drawn += 1;
      return draw();
    },
  };
}

test('after as long a rest as its window a breaker is as good as new', () => {
  fc.assert(
    fc.property(historyOf(100), fc.nat(100_000), (steps, moreMs) => {
      const clock = handClock();
      const breaker = createBreaker({ clockNs: clock.clockNs, random: () => 0.5 });
      let nowMs = 0;
      for (const { waitMs, outcome } of steps) {
        nowMs += waitMs;
        clock.setMs(nowMs);
        if (breaker.allow() && outcome !== 'unsettled') breaker[outcome]();
      }
      clock.setMs(nowMs + 10_000 + moreMs);
      expect(breaker.snapshot()).toEqual(createBreaker({ clockNs: clock.clockNs, random: () => 0.5 }).snapshot());
    }),
  );
});

test('a breaker that does not count its drops refuses a steady share of failures in proportion', () => {
  const shareOf = (countsDrops: boolean) => {
    const clock = handClock();
    const breaker = createBreaker({ clockNs: clock.clockNs, random: oracleRandom(), rules: { countsDrops } });
    let executed = 0;
    for (let call = 0; call < 40 * 120; call += 1) {
      clock.setMs(call * 25);
      if (!breaker.allow()) continue;
      executed += 1;
      if (executed % 2 === 0) breaker.failure();
      else breaker.success();
    }
    const { success, failure, drop } = breaker.totals;
    return drop / (success + failure + drop);
  };
  expect(shareOf(true)).toBeGreaterThan(0.6);
  // Half of the calls fail, and half as many again as succeed are tolerated: a quarter is too much.
  expect(shareOf(false)).toBeCloseTo(0.25, 1);
});

test('the last five reasons are kept, the newest first', () => {
  const clock = handClock();
  const breaker = createBreaker({ clockNs: clock.clockNs, random: () => 0 });
  for (let n = 1; n <= 7; n += 1) {
    clock.setMs(n);
    breaker.failure(`reason ${n}`);
  }
  breaker.failure();
  expect(breaker.reasons().map(({ text, atNs }) => [text, atNs / 1e6])).toEqual([7, 6, 5, 4, 3].map((n) => [`reason ${n}`, n]));
});
