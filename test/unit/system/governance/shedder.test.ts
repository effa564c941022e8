import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createShedder, isFull, overloadFactor, type Permit, priorityThresholdMilli } from '../../../../system/governance/shedder.ts';
import { handClock } from './oracle.ts';
import { walkingShedder } from './reference.ts';

test.each([
  [900, [800, 1], [900, 1], [910, 0.9], [925, 0.75], [950, 0.5], [960, 0.4], [975, 0.25], [981, 0.19], [990, 0.1], [1000, 0.1]],
  [950, [900, 1], [925, 1], [950, 1], [960, 0.8], [975, 0.5], [981, 0.38], [990, 0.2], [1000, 0.1]],
] as [number, ...[number, number][]][])('above a threshold of %d less of the capacity is granted', (thresholdMilli, ...table) => {
  for (const [cpuMilli, factor] of table) expect(overloadFactor({ cpuMilli, thresholdMilli })).toBeCloseTo(factor, 12);
});

test('capacity is the best throughput times the shortest response time of complete buckets', () => {
  const clock = handClock();
  const cpu = { milli: 950 };
  const shedder = createShedder({ clockNs: clock.clockNs, cpu: () => cpu.milli });
  const answer = (atMs: number, { count, rtMs }: { count: number; rtMs: number }) => {
    clock.setMs(atMs - rtMs);
    const permits = Array.from({ length: count }, () => shedder.allow());
    clock.setMs(atMs);
    for (const permit of permits) permit?.pass();
  };
  cpu.milli = 0;
  for (const [index, [count, rtMs]] of (
    [
      [40, 12],
      [60, 10],
      [50, 11],
      [80, 15],
      [30, 9],
    ] as const
  ).entries()) {
    answer(index * 100 + 20, { count, rtMs });
  }
  const limitAt = (milli: number) => {
    cpu.milli = milli;
    const { maxFlight, factor } = shedder.snapshot();
    cpu.milli = 0;
    return maxFlight * factor;
  };

  clock.setMs(500);
  expect(shedder.snapshot()).toMatchObject({ maxPass: 80, minRtMs: 9, maxFlight: 7.2 });
  expect(limitAt(950)).toBeCloseTo(3.6, 12);
  expect(limitAt(981)).toBeCloseTo(1.368, 12);
  answer(502, { count: 200, rtMs: 2 });
  expect(shedder.snapshot()).toMatchObject({ maxPass: 80, minRtMs: 9, maxFlight: 7.2 });
  clock.setMs(600);
  expect(shedder.snapshot()).toMatchObject({ maxPass: 200, minRtMs: 2, maxFlight: 4 });
  clock.setMs(5_400);
  expect(shedder.snapshot()).toMatchObject({ maxPass: 200, minRtMs: 2, maxFlight: 4 });
  clock.setMs(5_500);
  expect(shedder.snapshot()).toMatchObject({ maxPass: 1, minRtMs: 1000, maxFlight: 10 });
});

test.each([
  [4, 3.7, true],
  [4, 3.6, false],
  [3, 9, false],
  [10, 3.5, false],
])('with room for 3.6, %d in flight and %d on average: full is %s', (flying, averageFlying, expected) => {
  expect(isFull({ flying, averageFlying, maxFlight: 7.2, factor: 0.5 })).toBe(expected);
});

test('the average in flight moves by a tenth with every end', () => {
  const shedder = createShedder({ clockNs: () => 0, cpu: () => 0 });
  const enter = () => shedder.allow() as Permit;
  for (let n = 0; n < 19; n += 1) enter();
  const averages = Array.from({ length: 30 }, () => {
    enter().fail();
    return shedder.snapshot().averageFlying;
  });
  const after = (count: number) => averages[count - 1];
  for (const [count, average] of [
    [1, 1.9],
    [2, 3.61],
    [5, 7.78069],
    [10, 12.37511],
    [20, 16.690044],
    [30, 18.194568],
  ] as const) {
    expect(after(count)).toBeCloseTo(average, 6);
  }
});

test('draining raises an average below what is in flight', () => {
  const shedder = createShedder({ clockNs: () => 0, cpu: () => 0 });
  const enter = () => shedder.allow() as Permit;
  for (let n = 0; n < 12; n += 1) enter();
  for (let n = 0; n < 400; n += 1) enter().fail();
  expect(shedder.snapshot().averageFlying).toBeCloseTo(12, 9);
  const permits = Array.from({ length: 8 }, enter);
  for (const average of [12.7, 13.23, 13.607, 13.8463, 13.96167]) {
    permits.pop()?.fail();
    expect(shedder.snapshot().averageFlying).toBeCloseTo(average, 9);
  }
});

describe('a burst of 1000/s on a service that does 500/s (governance.md 2.6f)', () => {
  test.each([
    {
      burstCpu: 950,
      limit: 4,
      dropped: [0, 0, 0, 0, 0, 750, 750, 750, 750, 0, 0, 0],
      done: [392, 400, 400, 400, 400, 253, 250, 250, 250, 397, 400, 400],
    },
    {
      burstCpu: 981,
      limit: 1.52,
      dropped: [0, 0, 0, 0, 0, 855, 838, 840, 854, 0, 0, 0],
      done: [392, 400, 400, 400, 400, 151, 162, 160, 146, 394, 400, 400],
    },
  ])('at a CPU of $burstCpu', ({ burstCpu, limit, dropped, done }) => {
    const seen = simulateBurst(burstCpu);
    expect(seen.dropped).toEqual(dropped);
    expect(seen.done).toEqual(done);
    expect(seen.firstDropMs).toBe(5_000);
    expect(seen.lastDropMs).toBe(8_999);
    expect(seen.at5s).toMatchObject({ maxPass: 40, minRtMs: 20, flying: 7 });
    expect(seen.at5s?.averageFlying).toBeCloseTo(7, 1);
    expect((seen.at5s?.maxFlight ?? 0) * (seen.at5s?.factor ?? 0)).toBeCloseTo(limit, 9);
  });
});

/** 10 workers, a queue, jobs of 20 ms; at one instant jobs end first, then queued ones start, then one arrives. */
function simulateBurst(burstCpu: number) {
  const clock = handClock();
  let nowMs = 0;
  const isBurst = () => nowMs >= 5_000 && nowMs < 9_000;
  const shedder = createShedder({ clockNs: clock.clockNs, cpu: () => (isBurst() ? burstCpu : 500) });
  const seconds = () => new Array<number>(12).fill(0);
  const seen = { dropped: seconds(), done: seconds(), firstDropMs: Number.NaN, lastDropMs: Number.NaN };
  let at5s: ReturnType<typeof shedder.snapshot> | undefined;
  const running: { permit: Permit; endMs: number }[] = [];
  const queue: Permit[] = [];
  const count = (tally: number[], atMs: number) => {
    tally[Math.trunc(atMs / 1000)] = (tally[Math.trunc(atMs / 1000)] ?? 0) + 1;
  };
  const begin = (atMs: number) => {
    while (running.length < 10) {
      const permit = queue.shift();
      if (permit === undefined) return;
      running.push({ permit, endMs: atMs + 20 });
    }
  };
  const endUntil = (untilMs: number) => {
    for (let first = running[0]; first !== undefined && first.endMs <= untilMs; first = running[0]) {
      // All that end at this instant, then the queue.
      const { endMs } = first;
      clock.setMs(endMs);
      for (let job = running[0]; job !== undefined && job.endMs === endMs; job = running[0]) {
        running.shift();
        job.permit.pass();
        count(seen.done, endMs);
      }
      begin(endMs);
    }
  };
  for (nowMs = 0; nowMs < 12_000; nowMs += isBurst() ? 1 : 2.5) {
    endUntil(nowMs);
    clock.setMs(nowMs);
    if (nowMs === 5_000) at5s = shedder.snapshot();
    const permit = shedder.allow();
    if (permit === undefined) {
      count(seen.dropped, nowMs);
      seen.firstDropMs = Number.isNaN(seen.firstDropMs) ? nowMs : seen.firstDropMs;
      seen.lastDropMs = nowMs;
    } else {
      queue.push(permit);
      begin(nowMs);
    }
  }
  endUntil(11_999.999);
  return { ...seen, at5s };
}

test('stays on guard for a second after an overload that led to a drop', () => {
  const clock = handClock();
  const cpu = { milli: 0 };
  const shedder = createShedder({ clockNs: clock.clockNs, cpu: () => cpu.milli });
  const permits = Array.from({ length: 100 }, () => shedder.allow() as Permit);
  for (const permit of permits.slice(0, 60)) permit.fail();
  cpu.milli = 950;
  expect(shedder.allow()).toBeUndefined();
  cpu.milli = 0;
  clock.setMs(999);
  expect(shedder.allow()).toBeUndefined();
  clock.setMs(1_000);
  expect(shedder.allow()).toBeDefined();
  expect(shedder.totals).toEqual({ pass: 0, fail: 60, drop: 2 });
});

test('a fail leaves throughput and response time alone', () => {
  const clock = handClock();
  const shedder = createShedder({ clockNs: clock.clockNs, cpu: () => 0 });
  shedder.allow()?.fail();
  clock.setMs(100);
  expect(shedder.snapshot()).toMatchObject({ maxPass: 1, minRtMs: 1000 });
});

test('priority routes are shed half-way between the threshold and a full CPU, and never where nothing is', () => {
  expect([0, 800, 900, 901].map(priorityThresholdMilli)).toEqual([0, 900, 950, 950]);
});

test('a threshold of 0 never sheds, whatever the CPU and however many are in flight', () => {
  const shedder = createShedder({ clockNs: () => 0, cpu: () => 1_000, thresholdMilli: 0 });
  for (let n = 0; n < 500; n += 1) shedder.allow();
  for (let n = 0; n < 500; n += 1) shedder.allow()?.fail();
  expect(shedder.totals.drop).toBe(0);
});

test('being looked at changes nothing that is decided later', () => {
  const grantedOf8 = ({ isLookedAt }: { isLookedAt: boolean }) => {
    const clock = handClock();
    const cpu = { milli: 0 };
    const shedder = createShedder({ clockNs: clock.clockNs, cpu: () => cpu.milli });
    const permits = Array.from({ length: 100 }, () => shedder.allow() as Permit);
    for (const permit of permits.slice(0, 60)) permit.fail();
    cpu.milli = 950;
    expect(shedder.allow()).toBeUndefined();
    for (const permit of permits.slice(60, 96)) permit.fail();
    cpu.milli = 0;
    clock.setMs(1_400);
    if (isLookedAt) shedder.snapshot();
    // The guard that the drop put up stands until a request finds that its second is over; this one is another overload's first.
    cpu.milli = 950;
    clock.setMs(1_500);
    expect(shedder.allow()).toBeDefined();
    cpu.milli = 0;
    clock.setMs(2_000);
    return Array.from({ length: 8 }, () => shedder.allow()).filter((permit) => permit !== undefined).length;
  };
  // 5 are in flight, and there is room for 10.
  expect(grantedOf8({ isLookedAt: false })).toBe(6);
  expect(grantedOf8({ isLookedAt: true })).toBe(6);
});

const step = fc.record({
  waitMs: fc.oneof(
    { arbitrary: fc.nat(30_000).map((microseconds) => microseconds / 1_000), weight: 60 },
    { arbitrary: fc.constantFrom(100, 900, 1_000, 1_100), weight: 5 },
    { arbitrary: fc.constantFrom(4_900, 5_000, 20_000), weight: 1 },
  ),
  cpuMilli: fc.oneof(fc.nat(899), fc.integer({ min: 900, max: 1_000 })),
  act: fc.constantFrom('arrive', 'arrive', 'arrive', 'pass', 'pass', 'fail'),
});
/** Without a size fast-check ends its lists at 10, which is no history. */
const history = fc.array(step, { maxLength: 500, size: 'max' });

test('what is looked up once in a bucket decides as walking all buckets does, and requests are conserved', () => {
  const seen = { overloaded: 0, hot: 0 };
  fc.assert(
    fc.property(history, fc.constantFrom(500, 900, 950), (steps, thresholdMilli) => {
      const clock = handClock();
      const cpu = { milli: 0 };
      const options = { clockNs: clock.clockNs, cpu: () => cpu.milli, thresholdMilli };
      const shedder = createShedder(options);
      const reference = walkingShedder(options);
      const flying: { permit: Permit; startedNs: number }[] = [];
      let nowMs = 0;
      let arrived = 0;
      for (const { waitMs, cpuMilli, act } of steps) {
        nowMs += waitMs;
        clock.setMs(nowMs);
        cpu.milli = cpuMilli;
        const { factor, isHot, cpuMilli: _, ...rest } = shedder.snapshot();
        expect(rest).toEqual(reference.look());
        expect(factor).toBeGreaterThanOrEqual(0.1);
        expect(factor).toBeLessThanOrEqual(1);
        expect(rest.flying).toBe(flying.length);
        if (act === 'arrive') {
          arrived += 1;
          const permit = shedder.allow();
          expect(permit !== undefined).toBe(reference.allow());
          if (permit !== undefined) flying.push({ permit, startedNs: clock.clockNs() });
          else seen[isHot ? 'hot' : 'overloaded'] += 1;
          continue;
        }
        const landing = flying.shift();
        if (landing === undefined) continue;
        landing.permit[act]();
        reference.settle(act, landing.startedNs);
      }
      const { pass, fail, drop } = shedder.totals;
      expect(pass + fail + drop + flying.length).toBe(arrived);
    }),
    { numRuns: 100 },
  );
  // What is compared must happen, or the comparison proves nothing.
  expect(seen.overloaded).toBeGreaterThan(100);
  expect(seen.hot).toBeGreaterThan(100);
});

test('after as long a rest as its window a shedder knows of no capacity any more', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: 'max' }), fc.nat(100_000), (steps, moreMs) => {
      const clock = handClock();
      const shedder = createShedder({ clockNs: clock.clockNs, cpu: () => 0 });
      let nowMs = 0;
      for (const { waitMs } of steps) {
        const permit = shedder.allow();
        nowMs += waitMs;
        clock.setMs(nowMs);
        permit?.pass();
      }
      clock.setMs(nowMs + 5_000 + moreMs);
      const fresh = createShedder({ clockNs: clock.clockNs, cpu: () => 0 }).snapshot();
      expect(shedder.snapshot()).toEqual({ ...fresh, averageFlying: 0 });
    }),
  );
});
