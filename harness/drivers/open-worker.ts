import { setPriority } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../core/random.ts';
import { runClock } from '../../core/time.ts';
import type { Route } from '../../system/topology.ts';
import { type Arrivals, arrivalTimes, type Pace } from '../pace.ts';
import { servedOutcomes } from '../record.ts';
import type { Recording } from '../recording.ts';
import { answerCalls } from './child.ts';
import { createJourneys, type Journey, nextRoute, type Population, requestOf } from './journey.ts';
import { createLiveCounts } from './live.ts';
import { logIn } from './log-in.ts';
import { createRecorder } from './recorder.ts';
import { answersOfRepeated, type Result, resultOf } from './result.ts';
import { createShopperSpans } from './trace.ts';
import { createTransport } from './transport.ts';

/** The process that makes open load. It is one of its own, so that neither its pauses nor its CPU time are anyone else's. */

export type OpenLoad = Population & {
  gateways: readonly string[];
  seed: number;
  runTag: string;
  arrivals: Arrivals;
  maxInFlight: number;
  timeoutMs: number;
  repeatShare: number;
  epochOffsetNs: bigint;
};
export type PlayedPhase = Pace & { name: string; startAtMs?: number };
/** What the driver may ask of this process; `start` comes first. */
export type OpenCalls = {
  start: (load: OpenLoad) => void;
  logIn: () => Promise<string[]>;
  play: (phase: PlayedPhase) => Promise<void>;
  halt: () => void;
  drained: () => Promise<void>;
  finish: () => Recording;
};

let load: ReturnType<typeof openLoad> | undefined;
const started = () => {
  if (load === undefined) throw new Error('The load was asked for something before it was started');
  return load;
};
const tell = answerCalls<OpenCalls>({
  start: (options) => {
    load = openLoad(options);
  },
  logIn: () => started().logIn(),
  play: (phase) => started().play(phase),
  halt: () => started().halt(),
  drained: () => started().drained(),
  finish: () => started().finish(),
});

function openLoad({ gateways, seed, runTag, arrivals, maxInFlight, timeoutMs, repeatShare, epochOffsetNs, ...population }: OpenLoad) {
  const now = clockOf(epochOffsetNs);
  const priorityRaised = raisePriority();
  const transport = createTransport({ gateways, timeoutMs, now });
  const recorder = createRecorder({ random: seededRandom(seed) });
  const nextJourney = createJourneys({ ...population, runTag, random: seededRandom(seed + 1) });
  const shopperSpan = createShopperSpans({ runTag, random: seededRandom(seed + 2) });
  const arrivalRandom = seededRandom(seed + 3);
  const repeatRandom = seededRandom(seed + 4);
  const live = createLiveCounts();

  let tokens: string[] = [];
  let inFlight = 0;
  let peakInFlight = 0;
  let playing = 0;
  let turn = 0;
  let firstStartMs: number | undefined;
  let lastEndMs = 0;
  let onceDrained: (() => void)[] = [];
  const halting = new AbortController();
  let usage = { cpu: process.cpuUsage(), loop: performance.eventLoopUtilization() };

  return {
    logIn: async () => {
      tokens = await logIn(transport, { gateways, accounts: population.accounts });
      return tokens;
    },

    play: async (phase: PlayedPhase) => {
      if (tokens.length === 0 && population.shoppers.checkout > 0) throw new Error('Shoppers who check out must be logged in first');
      // Phases follow each other without a gap, also when the word to play the next one comes a little early.
      const startMs = phase.startAtMs ?? Math.max(now(), lastEndMs);
      lastEndMs = startMs + phase.lastsMs;
      if (firstStartMs === undefined) begin(startMs);
      recorder.startPhase({ name: phase.name, startMs, lastsMs: phase.lastsMs });
      playing += 1;
      await arriveOnTime(startMs, arrivalTimes(phase, { arrivals, random: arrivalRandom }));
      await sleep(Math.max(0, startMs + phase.lastsMs - now()), undefined, { signal: halting.signal }).catch(() => {
        // Nobody arrives any more: the phase is over.
      });
      playing -= 1;
    },

    halt: () => halting.abort(),

    drained: () =>
      new Promise<void>((resolve) => {
        if (inFlight === 0) resolve();
        else onceDrained.push(resolve);
      }),

    finish: (): Recording => {
      const { user, system } = process.cpuUsage(usage.cpu);
      return {
        ...recorder.recording(),
        generator: {
          peakInFlight,
          priorityRaised,
          cpuMs: (user + system) / 1_000,
          loopUtilization: performance.eventLoopUtilization(usage.loop).utilization,
        },
      };
    },
  };

  function begin(startMs: number) {
    firstStartMs = startMs;
    usage = { cpu: process.cpuUsage(), loop: performance.eventLoopUtilization() };
    setInterval(() => {
      const nowMs = now();
      if ((playing > 0 || inFlight > 0) && nowMs >= startMs) {
        tell(live.take({ phase: recorder.phaseAt(nowMs), atMs: nowMs - startMs, inFlight }));
      }
    }, 1_000);
  }

  /**
   * Lets everyone arrive whose time has come, then sleeps until the next is due. Timers count whole milliseconds and ring up to one late:
   * that, and every pause of this process, is measured as generator lag and is part of the response time.
   */
  function arriveOnTime(startMs: number, times: Iterable<number>): Promise<void> {
    const iterator = times[Symbol.iterator]();
    let due = iterator.next();
    return new Promise((resolve) => {
      halting.signal.addEventListener('abort', () => resolve(), { once: true });
      (function admit() {
        if (halting.signal.aborted) return resolve();
        while (due.done !== true && startMs + due.value <= now()) {
          arrive(startMs + due.value);
          due = iterator.next();
        }
        if (due.done === true) resolve();
        else setTimeout(admit, Math.max(0, startMs + due.value - now()));
      })();
    });
  }

  function arrive(intendedMs: number) {
    const journey = nextJourney();
    recorder.planned({ intendedMs, isArrival: true });
    live.planned();
    if (inFlight >= maxInFlight) {
      recorder.dropped({ route: 'browse', intendedMs });
      live.ended('browse', 'dropped');
      return;
    }
    inFlight += 1;
    peakInFlight = Math.max(peakInFlight, inFlight);
    step('browse', journey, { intendedMs, isArrival: true });
  }

  /** One request of a journey, and then the next: it is meant to start when this one has ended, for shoppers do not hesitate. */
  function step(route: Route, journey: Journey, { intendedMs, isArrival }: { intendedMs: number; isArrival: boolean }) {
    const span = shopperSpan(route);
    const dispatchedMs = now();
    recorder.sent({ intendedMs, dispatchedMs, isArrival });
    live.sent();

    send({ route, journey, traceparent: span.traceparent }, (result) => {
      const { outcome, order, endedMs } = result;
      recorder.settled({ route, outcome, intendedMs, endedMs, traceId: span.traceId, spanId: span.spanId });
      live.ended(route, outcome, endedMs - intendedMs);
      if (order !== undefined) {
        const { account, idempotencyKey } = journey;
        recorder.acknowledged({ ...order, account, idempotencyKey }, intendedMs);
        return repeatRandom() < repeatShare ? repeat(journey, result) : leave();
      }

      const next = servedOutcomes.includes(outcome) ? nextRoute(route, journey.furthest) : undefined;
      if (next === undefined) return leave();
      recorder.planned({ intendedMs: endedMs, isArrival: false });
      live.planned();
      step(next, journey, { intendedMs: endedMs, isArrival: false });
    });
  }

  /** Asks for a checkout that was made once more, at the next gateway. The mall must take it for the one it knows. */
  function repeat(journey: Journey, first: Result) {
    const { traceparent } = shopperSpan('repetition');
    send({ route: 'checkout', journey, traceparent }, (second) => {
      const answers = answersOfRepeated(first, second);
      if (answers !== 'unknown') recorder.repeated(answers);
      leave();
    });
  }

  function send(
    { route, journey, traceparent }: { route: Route; journey: Journey; traceparent: string },
    onResult: (result: Result) => void,
  ) {
    const gateway = gateways[turn++ % gateways.length] ?? '';
    const request = requestOf(route, journey, { token: tokens[journey.account - 1] ?? '', traceparent });
    transport.send({ ...request, gateway, readsBody: route === 'checkout' }, (reply) => onResult(resultOf(reply, route)));
  }

  function leave() {
    inFlight -= 1;
    if (inFlight > 0) return;
    for (const resolve of onceDrained) resolve();
    onceDrained = [];
  }
}

/** The run's clock in milliseconds, without the bigints of `RunClock`: it is read four times for every request. */
function clockOf(epochOffsetNs: bigint): () => number {
  const offsetMs = runClock(epochOffsetNs).nowMs() - performance.now();
  return () => performance.now() + offsetMs;
}

/** The generator must run when it is due, however busy the mall keeps the cores. Systems that refuse are noted, not fought. */
function raisePriority(): boolean {
  try {
    setPriority(-10);
    return true;
  } catch {
    // Only root may go first; the measured lag will tell whether it mattered.
    return false;
  }
}
