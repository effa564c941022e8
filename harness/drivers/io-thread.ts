import { setMaxListeners } from 'node:events';
import type { MessagePort } from 'node:worker_threads';
import { type Random, seededRandom } from '../../core/random.ts';
import { requestOutcomes } from '../record.ts';
import { arrivalTimes, type Schedule } from '../schedule.ts';
import { shareOf } from '../visitor-limits.ts';
import { clockOf } from './clock.ts';
import { createExemplars, type Kept } from './exemplars.ts';
import { counter, createLedgerWriter, type LedgerMessage } from './ledger/ledger.ts';
import { createLiveCounts, type LiveCounts } from './live.ts';
import { onWake } from './metronome/wakes.ts';
import { boundPrinting } from './printing.ts';
import { createReasons, type Reason } from './reasons.ts';
import { rehearse } from './rehearsal.ts';
import { createStumbles, type Stumbled } from './stumbles.ts';
import { answerThread } from './thread.ts';
import { createSpans } from './trace.ts';
import { createVisits, type JourneySource } from './visits.ts';
import { createWindows } from './windows.ts';

/** The thread that visitors live in: it starts everyone whose time has come, and writes down what became of them. */

/** A module that exports `openJourneys`, and what it is opened with: plain data. */
export type JourneyModule = { module: string; argument: unknown };
export type JourneyContext = {
  now: () => number;
  timeoutMs: number;
  /** A stream of chance of its own for this thread. */
  random: Random;
  /** Which of how many threads this is, from 0. */
  thread: { index: number; of: number };
  /** The name of the phase that a moment belongs to. */
  phaseAt: (ms: number) => string;
};
export type OpenJourneys = (argument: never, context: JourneyContext) => JourneySource | Promise<JourneySource>;

export type IoOptions = {
  thread: { index: number; of: number };
  epochOffsetNs: bigint;
  /** The run's. */
  seed: number;
  journeys: JourneyModule;
  /** In all threads together. */
  maxInFlight: number;
  timeoutMs: number;
  /** The first 8 hex digits of every trace id; without it requests carry no trace. */
  runTag?: string;
};
export type IoPhase = { name: string; startMs: number; lastsMs: number; schedule: Schedule };
export type IoCalls = {
  start: (options: IoOptions) => Promise<{ steps: readonly string[] }>;
  play: (phase: IoPhase) => void;
  halt: () => void;
  drained: () => Promise<void>;
  /** What happened since this was asked last. */
  second: () => LiveCounts;
  finish: () => IoFindings;
};
export type IoFindings = {
  peakInFlight: number;
  connections: { open: number; peak: number };
  stumbles: Stumbled[];
  reasons: Reason[];
  exemplars: Kept[];
  collected: unknown;
};
/** What a thread tells unasked. */
export type IoEvent = { ledger: LedgerMessage };
/** What a thread is told. */
export type IoOrder = { bell: MessagePort } | { released: readonly number[] };

let io: Awaited<ReturnType<typeof ioThread>> | undefined;
const started = () => {
  if (io === undefined) throw new Error('The io thread was asked for something before it was started');
  return io;
};
const tell = answerThread<IoCalls>(
  {
    start: async (options) => {
      io = await ioThread(options);
      return { steps: io.steps };
    },
    play: (phase) => started().play(phase),
    halt: () => started().halt(),
    drained: () => started().drained(),
    second: () => started().second(),
    finish: () => started().finish(),
  },
  (order) => started().follow(order as IoOrder),
);

async function ioThread({ thread, epochOffsetNs, seed, journeys, maxInFlight, timeoutMs, runTag }: IoOptions) {
  boundPrinting();
  const now = clockOf(epochOffsetNs);
  const windows = createWindows();
  const ownSeed = seed + 1_000 * thread.index;
  const halting = new AbortController();
  // Everybody who thinks listens.
  setMaxListeners(0, halting.signal);
  process.on('unhandledRejection', (reason) => {
    // What a journey does beside its steps ends with the load, too, and that is no mistake of it.
    if (!halting.signal.aborted || reason !== halting.signal.reason) throw reason;
  });
  await rehearse({ now });
  const source = await open();
  const { steps } = source;
  const ledger = createLedgerWriter({
    routes: steps.length,
    outcomes: requestOutcomes.length,
    post: (message) => tell({ ledger: message } satisfies IoEvent),
  });
  const live = createLiveCounts();
  const exemplars = createExemplars({ steps: steps.length, random: seededRandom(ownSeed + 1) });
  const stumbles = createStumbles();
  const reasons = createReasons();
  const coming: { phase: number; startMs: number; times: Iterator<number>; due: IteratorResult<number>; number: number }[] = [];

  // Each thread counts only its own visitors.
  const mostInFlight = shareOf(maxInFlight, thread);
  let inFlight = 0;
  let peakInFlight = 0;
  let onceDrained: (() => void)[] = [];

  const visit = createVisits({
    source,
    ledger,
    windowOf: windows.windowOf,
    now,
    // The same in all threads: what a visitor chooses does not depend on which one they live in.
    seed: seed + 2,
    signal: halting.signal,
    watcher: {
      ...live,
      settled: (request) => exemplars.offer(windows.phaseAt(request.intendedMs), request),
      stumbled: stumbles.add,
      failed: ({ step, outcome, intendedMs, endedMs }, why) =>
        reasons.add({ step, outcome, phase: windows.phaseAt(intendedMs), atMs: endedMs }, why),
    },
    ...(runTag === undefined ? {} : { spanOf: createSpans({ runTag, random: seededRandom(ownSeed + 3) }) }),
  });

  setInterval(() => {
    // Who is older than this has been answered or given up, but for the most patient and those who think for long: they open their window anew.
    ledger.sealBefore(windows.windowOf(now() - Math.min(timeoutMs, 5_000) - 2_000));
  }, 1_000);

  return {
    steps,

    follow: (order: IoOrder) => {
      if ('released' in order) ledger.released(order.released);
      else onWake(order.bell, admit);
    },

    play: ({ name, startMs, lastsMs, schedule }: IoPhase) => {
      windows.startPhase({ name, startMs, lastsMs });
      if (halting.signal.aborted) return;
      const times = arrivalTimes(schedule, thread);
      coming.push({ phase: windows.phases().length - 1, startMs, times, due: times.next(), number: thread.index });
    },

    halt: () => {
      coming.length = 0;
      halting.abort(new Error('The load has been broken off'));
      leaveToRest();
    },

    drained: () =>
      new Promise<void>((resolve) => {
        onceDrained.push(resolve);
        leaveToRest();
      }),

    second: () => live.take(inFlight),

    finish: (): IoFindings => {
      // What is told before the answer arrives before it.
      ledger.sealAll();
      return {
        peakInFlight,
        connections: source.connections(),
        stumbles: stumbles.all(),
        reasons: reasons.all(),
        exemplars: exemplars.kept(),
        collected: source.collected(),
      };
    },
  };

  async function open(): Promise<JourneySource> {
    const { openJourneys } = (await import(journeys.module)) as { openJourneys: OpenJourneys };
    const random = seededRandom(ownSeed);
    const context = { now, timeoutMs, random, thread, phaseAt: (ms: number) => windows.names()[windows.phaseAt(ms)] ?? '' };
    return await openJourneys(journeys.argument as never, context);
  }

  /** Lets everyone arrive whose time has come. Every pause of this thread is measured as lag, and is part of the response time. */
  function admit() {
    for (const phase of coming) {
      while (phase.due.done !== true && phase.startMs + phase.due.value <= now()) {
        arrive({ number: phase.number, phase: phase.phase, intendedMs: phase.startMs + phase.due.value });
        phase.number += thread.of;
        phase.due = phase.times.next();
      }
    }
    while (coming[0]?.due.done === true) coming.shift();
    leaveToRest();
  }

  function arrive(arrival: { number: number; phase: number; intendedMs: number }) {
    const window = windows.windowOf(arrival.intendedMs);
    ledger.count(window, counter.arrivals);
    if (inFlight >= mostInFlight) {
      ledger.count(window, counter.planned);
      ledger.count(window, counter.dropped);
      live.planned();
      live.ended(steps[0] ?? '', 'dropped', 0);
      return;
    }
    inFlight += 1;
    if (inFlight > peakInFlight) peakInFlight = inFlight;
    visit(arrival, leave);
  }

  function leave() {
    inFlight -= 1;
    leaveToRest();
  }

  /** The end of a phase may be told before the wake for its last arrivals is heard: they are waited for, too. */
  function leaveToRest() {
    if (inFlight > 0 || onceDrained.length === 0 || coming.some(({ due }) => due.done !== true)) return;
    for (const resolve of onceDrained) resolve();
    onceDrained = [];
  }
}
