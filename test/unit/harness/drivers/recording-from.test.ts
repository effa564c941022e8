import fc from 'fast-check';
import { expect, test } from 'vitest';
import { middleUs } from '../../../../core/histogram.ts';
import type { IoFindings } from '../../../../harness/drivers/io-thread.ts';
import { counter, createLedgerReader, createLedgerWriter, fromHistogram, measure } from '../../../../harness/drivers/ledger/ledger.ts';
import { recordingFrom } from '../../../../harness/drivers/recording-from.ts';
import { createWindows } from '../../../../harness/drivers/windows.ts';
import { type RequestOutcome, requestOutcomes } from '../../../../harness/record.ts';
import { fromBase64, newHistogram, outcomesOf, reasonsOf } from '../../../../harness/recording.ts';

const startMs = 1_700_000_000_000;
const steps = ['list', 'buy'];
/** The second one begins in the middle of a second. */
const phases = [
  { name: 'calm', startMs, lastsMs: 1_500 },
  { name: 'rush', startMs: startMs + 1_500, lastsMs: 1_500 },
];

type Done = {
  atMs: number;
  step: number;
  outcome: RequestOutcome;
  ms: number;
  queueMs: number;
  isWritten: boolean;
  firstByteMs?: number;
  lagMs?: number;
};
type Dropped = { atMs: number };

test('what a phase saw from its second second on is all that came from then on, also where the phase begins within a second of the run', () => {
  const recording = recorded([
    [2_499, 2_500].map((atMs) => ({ atMs, step: 0, outcome: 'ok' as const, ms: 1, queueMs: 0, isWritten: true })),
  ]);
  const rush = recording.phases.find(({ name }) => name === 'rush');
  const from = (ms: number) => outcomesOf(recording, { phase: 'rush', fromMs: (rush?.fromMs ?? 0) + ms, untilMs: rush?.untilMs ?? 0 });
  expect([from(0), from(1_000)]).toEqual([{ ok: 2 }, { ok: 1 }]);
});

test('requests come together by phase, step and outcome, and by second', () => {
  const recording = recorded([
    [
      { atMs: 100, step: 0, outcome: 'ok', ms: 10, queueMs: 1, isWritten: true, firstByteMs: 3, lagMs: 0.5 },
      { atMs: 1_200, step: 0, outcome: 'ok', ms: 20, queueMs: 1, isWritten: true, firstByteMs: 5, lagMs: 4 },
      { atMs: 1_600, step: 0, outcome: 'ok', ms: 40, queueMs: 1, isWritten: true, lagMs: 8 },
      { atMs: 1_700, step: 1, outcome: 'refused', ms: 3, queueMs: 3, isWritten: false },
      { atMs: 1_900 },
    ],
  ]);
  expect(recording.totals.map(({ phase, route, outcome, count }) => [phase, route, outcome, count])).toEqual([
    ['calm', 'list', 'ok', 2],
    ['rush', 'list', 'ok', 1],
    ['rush', 'buy', 'refused', 1],
    ['rush', 'list', 'dropped', 1],
  ]);
  const [calm, , refused, dropped] = recording.totals;
  expect(timesOf(calm)).toEqual([
    [10, 20],
    [9, 19],
    [3, 5],
    [1, 1],
  ]);
  expect(timesOf(refused)).toEqual([[3], [], [], [3]]);
  expect(timesOf(dropped)).toEqual([[], [], [], []]);
  expect(recording.seconds.map(({ phase, route, outcome, atMs, count }) => [phase, route, outcome, atMs, count])).toEqual([
    ['calm', 'list', 'ok', 0, 1],
    ['calm', 'list', 'ok', 1_000, 1],
    ['rush', 'list', 'ok', 1_500, 1],
    ['rush', 'buy', 'refused', 1_500, 1],
    ['rush', 'list', 'dropped', 1_500, 1],
  ]);
  expect(recording.pace.map(({ lag, ...second }) => ({ ...second, lagMs: valuesMs(lag) }))).toEqual([
    { phase: 'calm', atMs: 0, planned: 1, sent: 1, dropped: 0, lagMs: [0.5] },
    { phase: 'calm', atMs: 1_000, planned: 1, sent: 1, dropped: 0, lagMs: [4] },
    { phase: 'rush', atMs: 1_500, planned: 3, sent: 2, dropped: 1, lagMs: [8] },
  ]);
  expect(recording.phases.map(({ lag, ...phase }) => ({ ...phase, lagMs: valuesMs(lag) }))).toEqual([
    { name: 'calm', fromMs: 0, untilMs: 1_500, intended: 2, shoppers: 2, planned: 2, sent: 2, dropped: 0, lagMs: [0.5, 4] },
    { name: 'rush', fromMs: 1_500, untilMs: 3_000, intended: 3, shoppers: 2, planned: 3, sent: 2, dropped: 1, lagMs: [8] },
  ]);
});

test('a request that came back for want of a socket was dropped, at the step that it was, and was never sent', () => {
  const { totals, seconds, phases, pace } = recorded([
    [
      { atMs: 1_600, step: 1, outcome: 'dropped', ms: 3, queueMs: 3, isWritten: false },
      { atMs: 1_700, step: 1, outcome: 'ok', ms: 3, queueMs: 1, isWritten: true },
      { atMs: 1_900 },
    ],
  ]);
  const counts = totals.map(({ route, outcome, count }) => [route, outcome, count]).toSorted();
  expect(counts).toEqual([
    ['buy', 'dropped', 1],
    ['buy', 'ok', 1],
    ['list', 'dropped', 1],
  ]);
  expect(timesOf(totals.find(({ route, outcome }) => route === 'buy' && outcome === 'dropped'))).toEqual([[], [], [], []]);
  expect(seconds.map(({ route, outcome, count }) => [route, outcome, count]).toSorted()).toEqual(counts);
  for (const kept of [pace[0], phases[1]]) expect(kept).toMatchObject({ planned: 3, sent: 1, dropped: 2 });
});

const deeds = fc.array(
  fc.oneof(
    fc.record({
      atMs: fc.integer({ min: 0, max: 4_000 }),
      step: fc.constantFrom(0, 1),
      outcome: fc.constantFrom<RequestOutcome>('ok', 'timeout', 'shed', 'dropped'),
      ms: fc.integer({ min: 20, max: 9_000 }),
      queueMs: fc.integer({ min: 0, max: 19 }),
      isWritten: fc.boolean(),
      firstByteMs: fc.integer({ min: 0, max: 20 }),
      lagMs: fc.integer({ min: 0, max: 50 }),
    }),
    fc.record({ atMs: fc.integer({ min: 0, max: 4_000 }) }),
  ),
  { maxLength: 60 },
);

test('totals are the sum of the seconds, and every request and every drop is in them once', () => {
  fc.assert(
    fc.property(deeds, (done) => {
      const { totals, seconds, phases, pace } = recorded([done]);
      for (const { phase, route, outcome, count, histogram } of totals) {
        const own = seconds.filter((row) => row.phase === phase && row.route === route && row.outcome === outcome);
        expect(sum(own.map((row) => row.count))).toBe(count);
        expect(fromHistogram(together(own.map((row) => row.histogram)))).toEqual(fromHistogram(fromBase64(histogram)));
        expect(fromBase64(histogram).totalCount).toBe(outcome === 'dropped' ? 0 : count);
      }
      expect(sum(totals.map(({ count }) => count))).toBe(done.length);
      expect(sum(seconds.map(({ count }) => count))).toBe(done.length);
      expect(sum(phases.map(({ planned }) => planned))).toBe(done.length);
      for (const { name, planned, sent, dropped } of phases) {
        const own = pace.filter(({ phase }) => phase === name);
        expect([planned, sent, dropped]).toEqual(
          [own.map((row) => row.planned), own.map((row) => row.sent), own.map((row) => row.dropped)].map(sum),
        );
        expect(planned).toBe(sent + dropped);
      }
    }),
  );
});

test('what several threads wrote is what one would have written', () => {
  fc.assert(
    fc.property(fc.array(deeds, { minLength: 1, maxLength: 4 }), (threads) => {
      const { totals, seconds, phases, pace } = recorded(threads);
      const alone = recorded([threads.flat()]);
      const byName = (rows: typeof totals) => rows.toSorted((one, other) => nameOf(one).localeCompare(nameOf(other)));
      expect({ seconds, phases, pace }).toEqual({ seconds: alone.seconds, phases: alone.phases, pace: alone.pace });
      expect(byName(totals)).toEqual(byName(alone.totals));
    }),
  );
});

test('peaks, stumbles and exemplars of the threads come together', () => {
  const request = { step: 1, outcome: 'ok' as const, intendedMs: startMs + 1_600, endedMs: startMs + 1_650, traceId: 'abc', spanId: 'def' };
  const findings: IoFindings[] = [
    { ...quiet, peakInFlight: 3, connections: { open: 1, peak: 4 }, exemplars: [{ phase: 1, why: 'slowest', request }], collected: 'one' },
    { ...quiet, peakInFlight: 5, connections: { open: 0, peak: 6 }, stumbles: [{ phase: 1, count: 2, first: 'no id' }] },
    { ...quiet, stumbles: [{ phase: 1, count: 1, first: 'no name' }], collected: 'other' },
  ];
  const { generator, exemplars, collected } = recorded([[]], findings);
  const stumbles = { count: 3, first: 'no id', phases: [{ phase: 'rush', count: 3, first: 'no id' }] };
  expect(generator).toMatchObject({ peakInFlight: 8, peakConnections: 10, stumbles, timeoutMs: 5_000 });
  expect(exemplars).toEqual([
    { traceId: 'abc', spanId: 'def', route: 'buy', phase: 'rush', outcome: 'ok', startMs: 1_600, durationMs: 50, why: 'slowest' },
  ]);
  expect(collected).toEqual(['one', undefined, 'other']);
});

test('of several threads the slowest requests stand first, whoever sent them', () => {
  const slowest = (traceId: string, ms: number) => ({
    ...{ phase: 0, why: 'slowest' as const },
    request: { step: 1, outcome: 'ok' as const, intendedMs: startMs, endedMs: startMs + ms, traceId, spanId: 'def' },
  });
  const findings = [
    { ...quiet, exemplars: [slowest('a', 10), slowest('b', 9)] },
    { ...quiet, exemplars: [slowest('c', 900), slowest('d', 9.5)] },
  ];
  expect(recorded([[]], findings).exemplars.map(({ traceId, durationMs }) => [traceId, durationMs])).toEqual([
    ['c', 900],
    ['a', 10],
    ['d', 9.5],
    ['b', 9],
  ]);
});

test('what the canaries saw stands beside what the machine was up to in the same second; a second without them has none', () => {
  const { writer, reader } = ledger(1, 1);
  writer.record(1, measure.hiccup, 0, 0, 7_000);
  writer.sealAll();
  const recording = recorded([[]], [quiet], {
    hiccups: reader.rows(),
    ground: [
      { atMs: 0, loopUtilization: 0.2 },
      { atMs: 1_000, lastsMs: 900, loopUtilization: 0.4, stealShare: 0.01 },
    ],
  });
  expect(recording.ground.map(({ hiccups, ...second }) => ({ ...second, hiccupsMs: valuesMs(hiccups) }))).toEqual([
    { atMs: 0, loopUtilization: 0.2, hiccupsMs: [] },
    { atMs: 1_000, lastsMs: 900, loopUtilization: 0.4, stealShare: 0.01, hiccupsMs: [7] },
  ]);
});

test('why the first failed is told of those it is told of, by phase, step and outcome', () => {
  const done = { ms: 10, queueMs: 1, isWritten: true };
  const recording = recorded(
    [
      [
        { atMs: 100, step: 1, outcome: 'failed', ...done },
        { atMs: 1_600, step: 1, outcome: 'failed', ...done },
        { atMs: 1_600, step: 0, outcome: 'ok', ...done },
      ],
    ],
    [
      { ...quiet, reasons: [{ phase: 1, step: 1, outcome: 'failed', atMs: 1_800, first: 'status 502' }] },
      { ...quiet, reasons: [{ phase: 1, step: 1, outcome: 'failed', atMs: 1_700, first: 'status 500' }] },
    ],
  );
  expect(recording.totals.map(({ phase, route, outcome, firstReason }) => [phase, route, outcome, firstReason])).toEqual(
    expect.arrayContaining([
      ['calm', 'buy', 'failed', undefined],
      ['rush', 'buy', 'failed', 'status 500'],
      ['rush', 'list', 'ok', undefined],
    ]),
  );
  expect(reasonsOf(recording, { route: 'buy', phase: 'calm' })).toEqual({});
  expect([reasonsOf(recording, { phase: 'rush', route: 'list' }), reasonsOf(recording, { route: 'buy' })]).toEqual([
    {},
    { failed: 'status 500' },
  ]);
});

const quiet: IoFindings = {
  peakInFlight: 0,
  connections: { open: 0, peak: 0 },
  stumbles: [],
  reasons: [],
  exemplars: [],
  collected: undefined,
};
type Input = Parameters<typeof recordingFrom>[0];

/** What each thread did, on its way through the ledger. */
function recorded(threads: readonly (readonly (Done | Dropped)[])[], findings = [quiet], rest: Partial<Input> = {}) {
  const windows = createWindows();
  for (const phase of phases) windows.startPhase(phase);
  const { reader, writerOf } = ledger(steps.length, requestOutcomes.length);
  for (const [thread, done] of threads.entries()) {
    const writer = writerOf(thread);
    for (const deed of done) {
      const window = windows.windowOf(startMs + deed.atMs);
      writer.count(window, counter.planned);
      if (!('ms' in deed)) {
        writer.count(window, counter.arrivals);
        writer.count(window, counter.dropped);
        continue;
      }
      const outcome = requestOutcomes.indexOf(deed.outcome);
      writer.count(window, counter.sent);
      writer.record(window, measure.response, deed.step, outcome, deed.ms * 1_000);
      writer.record(window, measure.queue, deed.step, outcome, deed.queueMs * 1_000);
      if (deed.isWritten) writer.record(window, measure.service, deed.step, outcome, (deed.ms - deed.queueMs) * 1_000);
      if (deed.firstByteMs !== undefined) writer.record(window, measure.firstByte, deed.step, outcome, deed.firstByteMs * 1_000);
      if (deed.lagMs !== undefined) {
        writer.count(window, counter.arrivals);
        writer.record(window, measure.lag, 0, 0, deed.lagMs * 1_000);
      }
    }
    writer.sealAll();
  }
  return recordingFrom({
    ...{ steps, windows, rows: reader.rows(), counters: reader.counters(), hiccups: [], ground: [], findings, intended: [2, 3] },
    health: { threads: threads.length, priorityRaised: false, cpuMs: 0, timeoutMs: 5_000 },
    ...rest,
  });
}

function ledger(routes: number, outcomes: number) {
  const reader = createLedgerReader();
  const writerOf = (thread: number) => {
    const writer = createLedgerWriter({
      routes,
      outcomes,
      post: (message) => reader.accept(thread, message, (slots) => writer.released(slots)),
    });
    return writer;
  };
  return { reader, writerOf, writer: writerOf(0) };
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, number) => all + number, 0);
const nameOf = ({ phase, route, outcome }: { phase: string; route: string; outcome: string }) => `${phase} ${route} ${outcome}`;

const timesOf = (total: ReturnType<typeof recordingFrom>['totals'][number] | undefined) =>
  [total?.histogram, total?.service, total?.firstByte, total?.queue].map(valuesMs);

function together(parts: readonly string[]) {
  const all = newHistogram();
  for (const part of parts) all.add(fromBase64(part));
  return all;
}

/** Each value that was recorded, to two digits. */
function valuesMs(text: string | undefined): number[] {
  const counts = fromHistogram(fromBase64(text ?? ''));
  return [...counts].flatMap((times, bucket) => Array<number>(times).fill(Number((middleUs(bucket) / 1_000).toPrecision(2))));
}
