import { expect, test } from 'vitest';
import { seededRandom } from '../../../../core/random.ts';
import { createRecorder, type Settled } from '../../../../harness/drivers/recorder.ts';
import { histogramOf, outcomesOf, paceOf, percentilesOf, type Recording } from '../../../../harness/recording.ts';

/** The run's clock is milliseconds since the epoch; so are these. */
const startMs = 1_700_000_000_000;
const generator = { peakInFlight: 0, priorityRaised: false, cpuMs: 0, loopUtilization: 0 };

function twoPhases() {
  const recorder = createRecorder({ random: seededRandom(1), maxCheckouts: 2 });
  recorder.startPhase({ name: 'before', startMs, lastsMs: 1_500 });
  recorder.startPhase({ name: 'rush', startMs: startMs + 1_500, lastsMs: 1_500 });
  return recorder;
}

const settled = (atMs: number, tookMs: number, rest: Partial<Settled> = {}): Settled => ({
  route: 'browse',
  outcome: 'ok',
  intendedMs: startMs + atMs,
  endedMs: startMs + atMs + tookMs,
  traceId: `trace at ${atMs}`,
  spanId: 'span',
  ...rest,
});

const whole = (recorder: ReturnType<typeof twoPhases>): Recording => ({ ...recorder.recording(), generator });

test('a request belongs to the phase and the second of its intended start, whenever it ended', () => {
  const recorder = twoPhases();
  recorder.settled(settled(1_400, 700));
  recorder.settled(settled(1_600, 50));
  const recording = whole(recorder);
  expect(recording.startMs).toBe(startMs);
  expect(recording.totals.map(({ phase, route, outcome, count }) => [phase, route, outcome, count])).toEqual([
    ['before', 'browse', 'ok', 1],
    ['rush', 'browse', 'ok', 1],
  ]);
  expect(recording.seconds.map(({ phase, atMs }) => [phase, atMs])).toEqual([
    ['before', 1_000],
    ['rush', 1_000],
  ]);
  expect(percentilesOf(histogramOf(recording, { phase: 'before' }))?.max).toBeCloseTo(700, -1);
});

test('what was planned was sent or dropped, in phases as in seconds; only arrivals can be late', () => {
  const recorder = twoPhases();
  for (let atMs = 0; atMs < 3_000; atMs += 10) {
    const intendedMs = startMs + atMs;
    recorder.planned({ intendedMs, isArrival: true });
    if (atMs % 100 === 0) recorder.dropped({ route: 'browse', intendedMs });
    else recorder.sent({ intendedMs, dispatchedMs: intendedMs + 2, isArrival: true });
  }
  recorder.planned({ intendedMs: startMs + 10, isArrival: false });
  recorder.sent({ intendedMs: startMs + 10, dispatchedMs: startMs + 500, isArrival: false });

  const recording = whole(recorder);
  expect(
    recording.phases.map(({ name, fromMs, untilMs, shoppers, planned, sent, dropped }) => [
      name,
      fromMs,
      untilMs,
      shoppers,
      planned,
      sent,
      dropped,
    ]),
  ).toEqual([
    ['before', 0, 1_500, 150, 151, 136, 15],
    ['rush', 1_500, 3_000, 150, 150, 135, 15],
  ]);
  for (const selection of [{}, { fromMs: 0, untilMs: 3_000 }]) {
    const { planned, sent, dropped, lag } = paceOf(recording, selection);
    expect({ planned, sent, dropped }).toEqual({ planned: 301, sent: 271, dropped: 30 });
    expect(lag.totalCount).toBe(270);
    expect(percentilesOf(lag)?.max).toBeCloseTo(2, 1);
  }
  expect(outcomesOf(recording)).toEqual({ dropped: 30 });
  expect(histogramOf(recording).totalCount).toBe(0);
});

test('a stamp that seems to lie before another is no negative time, and the slowest is a minute', () => {
  const recorder = twoPhases();
  recorder.settled(settled(100, -0.001));
  recorder.settled(settled(200, 3_600_000));
  expect(percentilesOf(histogramOf(whole(recorder)))?.p50).toBe(0);
  expect(percentilesOf(histogramOf(whole(recorder)))?.max).toBeCloseTo(60_000, -2);
});

test('orders beyond the bound are counted, not kept', () => {
  const recorder = twoPhases();
  for (const orderId of ['one', 'two', 'three'])
    recorder.acknowledged({ orderId, status: 'PAID', account: 1, idempotencyKey: orderId }, startMs + 1_600);
  const { checkouts } = whole(recorder);
  expect(checkouts.kept.map(({ orderId, phase }) => [orderId, phase])).toEqual([
    ['one', 'rush'],
    ['two', 'rush'],
  ]);
  expect(checkouts.overflow).toBe(1);
});

test('repetitions are counted apart from everything else', () => {
  const recorder = twoPhases();
  for (const answers of ['same', 'different', 'same'] as const) recorder.repeated(answers);
  expect(whole(recorder).repeated).toEqual({ count: 3, different: 1 });
  expect(outcomesOf(whole(recorder))).toEqual({});
});

test('of each phase and route the five slowest, five failed and three typical requests are kept', () => {
  const recorder = twoPhases();
  for (let index = 0; index < 500; index++) {
    recorder.settled(settled(index, 10 + (index % 100), { outcome: index % 3 === 0 ? 'shed' : 'ok' }));
    recorder.settled(settled(index, 5, { route: 'checkout', outcome: 'outOfStock' }));
  }
  const { exemplars } = whole(recorder);
  const of = (route: string, why: string) => exemplars.filter((exemplar) => exemplar.route === route && exemplar.why === why);
  expect(of('browse', 'slowest').map(({ durationMs }) => Math.round(durationMs))).toEqual([109, 109, 109, 109, 109]);
  expect(of('browse', 'failed').map(({ outcome }) => outcome)).toEqual(['shed', 'shed', 'shed', 'shed', 'shed']);
  expect(of('browse', 'typical').map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok']);
  expect(new Set(of('browse', 'failed').map(({ traceId }) => traceId)).size).toBe(5);
  // Too little stock is an honest answer: neither a failure nor typical.
  expect(of('checkout', 'failed')).toEqual([]);
  expect(of('checkout', 'typical')).toEqual([]);
  expect(of('browse', 'slowest')[0]).toMatchObject({ phase: 'before', startMs: 99 });
});

test('nothing can be recorded before the first phase', () => {
  const recorder = createRecorder({ random: seededRandom(1) });
  expect(() => recorder.planned({ intendedMs: startMs, isArrival: true })).toThrow('before the first phase began');
});
