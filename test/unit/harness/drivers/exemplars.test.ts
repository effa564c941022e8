import { expect, test } from 'vitest';
import { seededRandom } from '../../../../core/random.ts';
import { createExemplars, keptTogether } from '../../../../harness/drivers/exemplars.ts';
import type { Settled } from '../../../../harness/drivers/visits.ts';
import type { RequestOutcome } from '../../../../harness/record.ts';

const request = (number: number, { step = 0, ms = 1, outcome = 'ok' as RequestOutcome } = {}): Settled => ({
  ...{ step, outcome, intendedMs: 0, endedMs: ms },
  ...{ traceId: `trace ${number}`, spanId: `span ${number}` },
});

const offered = (requests: readonly Settled[], seed = 1) => {
  const exemplars = createExemplars({ steps: 2, random: seededRandom(seed) });
  for (const each of requests) exemplars.offer(0, each);
  return exemplars.kept();
};

test('of many requests the five slowest are kept, the slowest first', () => {
  const durations = Array.from({ length: 200 }, (_, number) => (number * 37) % 200);
  const kept = offered(durations.map((ms, number) => request(number, { ms, outcome: 'timeout' })));
  const slowest = kept.filter(({ why }) => why === 'slowest').map(({ request: { endedMs } }) => endedMs);
  expect(slowest).toEqual([199, 198, 197, 196, 195]);
});

test('five of those that failed are kept and three of those that were served; who was told a no by the business is neither', () => {
  const outcomes: RequestOutcome[] = ['ok', 'degraded', 'outOfStock', 'failed', 'shed', 'wrongAnswer'];
  const kept = offered(Array.from({ length: 120 }, (_, number) => request(number, { outcome: outcomes[number % 6] ?? 'ok' })));
  const of = (why: string) => kept.filter((each) => each.why === why).map((each) => each.request.outcome);
  expect(of('slowest')).toHaveLength(5);
  expect(of('failed')).toHaveLength(5);
  expect(of('typical')).toHaveLength(3);
  for (const outcome of of('failed')) expect(['failed', 'shed', 'wrongAnswer']).toContain(outcome);
  for (const outcome of of('typical')) expect(['ok', 'degraded']).toContain(outcome);
});

test('every request has the same chance to be typical, the first and the last too', () => {
  const all = Array.from({ length: 30 }, (_, number) => request(number));
  const picks = new Map<string, number>();
  for (let seed = 0; seed < 2_000; seed++) {
    for (const { why, request } of offered(all, seed)) {
      if (why === 'typical') picks.set(request.traceId, (picks.get(request.traceId) ?? 0) + 1);
    }
  }
  expect(picks.size).toBe(30);
  // 200 of each are expected, with a standard deviation of 13.
  for (const times of picks.values()) expect(Math.abs(times - 200)).toBeLessThan(65);
});

test('each phase and step has exemplars of its own', () => {
  const exemplars = createExemplars({ steps: 2, random: seededRandom(1) });
  exemplars.offer(2, request(7, { step: 1 }));
  exemplars.offer(0, request(8, { step: 0 }));
  expect(exemplars.kept().map(({ phase, why, request: { step, traceId } }) => [phase, step, why, traceId])).toEqual([
    [0, 0, 'slowest', 'trace 8'],
    [0, 0, 'typical', 'trace 8'],
    [2, 1, 'slowest', 'trace 7'],
    [2, 1, 'typical', 'trace 7'],
  ]);
});

test('what several threads kept comes together as one would have kept it', () => {
  const durations = Array.from({ length: 60 }, (_, number) => (number * 37) % 60);
  const all = durations.map((ms, number) => request(number, { ms, step: number % 2, outcome: number % 4 < 2 ? 'ok' : 'failed' }));
  const perThread = [0, 1, 2].map((thread) => offered(all.filter((_, number) => number % 3 === thread)));
  const together = keptTogether(perThread);
  const of = (step: number, why: string) => together.filter((each) => each.request.step === step && each.why === why);
  const slowest = (kept: typeof together) => kept.filter(({ why }) => why === 'slowest').map((each) => each.request.endedMs);
  expect(slowest(together)).toEqual(slowest(offered(all)));
  for (const step of [0, 1]) {
    expect([of(step, 'slowest'), of(step, 'failed'), of(step, 'typical')].map(({ length }) => length)).toEqual([5, 5, 3]);
    // Every thread has a say.
    const threadOf = ({ request: { traceId } }: (typeof together)[number]) => Number(traceId.replace('trace ', '')) % 3;
    expect(of(step, 'failed').map(threadOf)).toEqual([0, 1, 2, 0, 1]);
    expect(of(step, 'typical').map(threadOf)).toEqual([0, 1, 2]);
  }
  expect(keptTogether(perThread.slice(0, 1))).toEqual(perThread[0]);
});
