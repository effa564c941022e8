import { described } from '../../core/described.ts';
import { messageOf } from '../../core/errors.ts';
import { type Random, seededRandom } from '../../core/random.ts';
import { type Duration, toMs } from '../../core/units.ts';
import { checkFields, checkObject } from '../fields.ts';
import type { Answer, Ask, Visitor } from '../journey.ts';
import { answeredWell, type RequestOutcome, requestOutcomes } from '../record.ts';
import { counter, type LedgerWriter, measure } from './ledger/ledger.ts';
import { reasonOf, Thrown } from './reasons.ts';
import type { Reply } from './transport.ts';

/** Whoever visits a target: what its visitors do, how their requests travel, and what their answers mean. One for each io thread. */
export type JourneySource = {
  steps: readonly string[];
  visit: (visitor: Visitor) => Promise<void>;
  /** How one visitor's requests travel; it may remember cookies. */
  sender: () => Send;
  outcomeOf: (reply: Reply, step: string) => RequestOutcome;
  /** How its protocol tells a status of an answer; without it by its number. */
  statusInWords?: (status: number, message: string | undefined) => string;
  connections: () => { open: number; peak: number };
  /** Plain data that was collected besides the recording, so far. */
  collected: () => unknown;
};
export type Send = (ask: Ask, traceparent: string | undefined, onReply: (reply: Reply) => void) => void;

/** A request that has ended, for whoever keeps some of them. Times are on the run's clock; `step` is its number. */
export type Settled = { step: number; outcome: RequestOutcome; intendedMs: number; endedMs: number; traceId: string; spanId: string };

/** What a thread sees besides its histograms. */
export type Watcher = {
  planned: () => void;
  sent: () => void;
  late: (lagMs: number) => void;
  ended: (step: string, outcome: RequestOutcome, responseMs: number) => void;
  settled?: (request: Settled) => void;
  /** A request got no good answer; `why` is only for whoever does not know it yet. */
  failed?: (request: Omit<Settled, 'traceId' | 'spanId'>, why: () => string | undefined) => void;
  /** The journey of a visitor of this phase (from 0) itself threw: a mistake of the scenario. */
  stumbled: (message: string, phase: number) => void;
};

/** The visitor's own span: parent of everything the target does for the request. */
export type Span = { traceId: string; spanId: string; traceparent: string };

/**
 * Lets visitors do what their journey says, and writes down what lies between the stamps of each request: intended, dispatched, written, first byte,
 * last byte. *Response* is intended to last, *service* is written to last, *first byte* is written to first, *queue* is dispatched to written;
 * *lag* is intended to dispatched, of those steps only that have a plan of their own: the first, and those after a thought.
 * `onLeft` is called once, when the journey has ended and its requests are answered; of a load that was broken off as soon as they are.
 */
export function createVisits(world: World): (arrival: Arrival, onLeft: () => void) => void {
  const shared: Shared = {
    ...world,
    indexOfStep: new Map(world.source.steps.map((step, index) => [step, index])),
    present: [],
  };
  world.signal.addEventListener('abort', () => {
    for (const visit of [...shared.present]) visit.leave();
  });
  return function visit(arrival, onLeft) {
    new Visit(shared, arrival, onLeft).begin();
  };
}

/** What all visits of a thread share. */
type World = {
  source: JourneySource;
  ledger: Pick<LedgerWriter, 'record' | 'count'>;
  watcher: Watcher;
  /** The number of the window that a moment belongs to. */
  windowOf: (ms: number) => number;
  now: () => number;
  seed: number;
  signal: AbortSignal;
  spanOf?: (step: number) => Span;
};
type Shared = World & { indexOfStep: ReadonlyMap<string, number>; present: Visit[] };

/** A class whose functions are made when a journey takes them in hand: at 100,000 visits a second what nobody uses is felt. */
class Visit implements Visitor {
  readonly number: number;
  readonly #world: Shared;
  readonly #phase: number;
  readonly #onLeft: () => void;
  readonly #send: Send;
  /** When the next step is meant to start, and whether that is a plan that one can be late for. */
  #readyMs: number;
  #isPlanned = true;
  #thoughtSlackMs = 0;
  #chance: Random | undefined;
  #underWay = 0;
  #isAtEnd = false;
  #isTold = false;
  /** Among those who are present; none before and after. A set of them would take as much time as the rest of a visit. */
  #place = -1;
  /** The first. */
  #mistake: { thrown: unknown } | undefined;

  constructor(world: Shared, { number, phase, intendedMs }: Arrival, onLeft: () => void) {
    this.#world = world;
    this.number = number;
    this.#phase = phase;
    this.#readyMs = intendedMs;
    this.#onLeft = onLeft;
    this.#send = world.source.sender();
  }

  begin() {
    this.#place = this.#world.present.push(this) - 1;
    try {
      Promise.resolve(this.#world.source.visit(this)).then(
        () => this.#end(),
        (thrown) => this.#stumble(thrown),
      );
    } catch (thrown) {
      this.#stumble(thrown);
    }
  }

  get step(): Visitor['step'] {
    return (name, ask, how) => this.#step(name, ask, how);
  }

  get think(): Visitor['think'] {
    return (from, until = from) => {
      const { now, signal } = this.#world;
      if (signal.aborted) return this.#brokenOff();
      const overMs = this.#readyMs + drawn(from, until, this.random);
      // Not before it is over: a step that is made meanwhile has another plan, and an answer may come later than the thought ends.
      const thought = wait(overMs - now(), signal).then(() => {
        if (overMs >= this.#readyMs) this.#ready(overMs, true);
      });
      return awaitedOrNot(thought);
    };
  }

  /** Visitors overlap by chance: with a stream of their own they choose the same however long others wait. */
  get random(): Random {
    this.#chance ??= seededRandom(this.#world.seed ^ Math.imul(this.number + 1, 0x9e3779b1) ^ Math.imul(this.#phase + 1, 0x85ebca6b));
    return this.#chance;
  }

  get signal(): AbortSignal {
    return this.#world.signal;
  }

  #step(name: string, ask: Ask, how: Parameters<Visitor['step']>[2]): Promise<Answer> {
    const { source, ledger, watcher, windowOf, now, spanOf, signal, indexOfStep } = this.#world;
    if (signal.aborted) return this.#brokenOff();
    const index = indexOfStep.get(name);
    if (index === undefined) throw new TypeError(`Expected one of the journey's steps (${source.steps.join(', ')}), got '${name}'`);
    const span = spanOf?.(index);
    const dispatchedMs = now();
    // Timers may also be early by a fraction of a millisecond, and who thinks may do something else meanwhile.
    const meantMs = Math.min(this.#readyMs + this.#thoughtSlackMs, dispatchedMs);
    const window = windowOf(meantMs);

    const answered = Promise.withResolvers<Answer>();
    try {
      checkStep(name, ask, how);
      this.#send(ask, span?.traceparent, (reply) => {
        const answer = new Told(reply, source.outcomeOf(reply, name));
        const verdict = how?.accepts === undefined || answer.outcome !== 'ok' ? true : verdictOf(how.accepts, answer);
        if (verdict !== true) answer.outcome = 'wrongAnswer';
        const { endedMs, firstByteMs, writtenMs } = reply;
        const outcome = outcomeIndex[answer.outcome];
        ledger.record(window, measure.response, index, outcome, toUs(endedMs - meantMs));
        // What was never written had no service, only a wait.
        const isWritten = !Number.isNaN(writtenMs);
        ledger.record(window, measure.queue, index, outcome, toUs((isWritten ? writtenMs : endedMs) - dispatchedMs));
        if (isWritten) {
          ledger.record(window, measure.service, index, outcome, toUs(endedMs - writtenMs));
          if (!Number.isNaN(firstByteMs)) ledger.record(window, measure.firstByte, index, outcome, toUs(firstByteMs - writtenMs));
        }
        watcher.ended(name, answer.outcome, endedMs - meantMs);
        if (!answeredWell.includes(answer.outcome)) {
          const request = { step: index, outcome: answer.outcome, intendedMs: meantMs, endedMs };
          watcher.failed?.(request, () => reasonOf(reply, verdict, source.statusInWords));
        }
        if (span !== undefined && watcher.settled !== undefined) {
          const { traceId, spanId } = span;
          watcher.settled({ step: index, outcome: answer.outcome, intendedMs: meantMs, endedMs, traceId, spanId });
        }
        if (endedMs > this.#readyMs) this.#ready(endedMs, false);
        this.#underWay -= 1;
        if (isThenable(verdict)) {
          awaitedOrNot(verdict);
          this.#refuse(answered, new TypeError(`Expected 'accepts' of '${name}' to answer true or false, got a promise`));
        } else answered.resolve(answer);
        this.leave();
      });
    } catch (thrown) {
      // What cannot be sent as it is: a mistake of the journey, and in no count.
      this.#refuse(answered, thrown);
      return answered.promise;
    }
    this.#underWay += 1;
    ledger.count(window, counter.planned);
    ledger.count(window, counter.sent);
    watcher.planned();
    watcher.sent();
    if (this.#isPlanned) {
      ledger.record(window, measure.lag, 0, 0, toUs(dispatchedMs - meantMs));
      watcher.late(dispatchedMs - meantMs);
    }
    this.#isPlanned = false;
    this.#thoughtSlackMs = 0;
    return answered.promise;
  }

  /** When the visitor has been answered, or has ended a thought: one can be late only for that. */
  #ready(atMs: number, isPlanned: boolean) {
    this.#readyMs = atMs;
    this.#isPlanned = isPlanned;
    this.#thoughtSlackMs = isPlanned ? timerMs : 0;
  }

  /** A step that the journey got wrong. It counts as a mistake also where nobody awaits it, or somebody swallows it: it was left out all the same. */
  #refuse({ promise, reject }: PromiseWithResolvers<Answer>, thrown: unknown) {
    this.#mistake ??= { thrown };
    reject(thrown);
    awaitedOrNot(promise);
  }

  /** Whoever hears it for the first time may tidy up. Who goes on after that waits for ever: else one that swallows it would never rest. */
  #brokenOff(): Promise<never> {
    if (this.#isTold) return new Promise(() => {});
    this.#isTold = true;
    return awaitedOrNot(Promise.reject(this.signal.reason));
  }

  #stumble(thrown: unknown) {
    if (!this.signal.aborted) this.#mistake ??= { thrown };
    this.#end();
  }

  #end() {
    this.#isAtEnd = true;
    this.leave();
  }

  /** A journey may end before its last answers are in, and of a load that was broken off it may never end. */
  leave() {
    const { signal, present, watcher } = this.#world;
    if (this.#underWay > 0 || !(this.#isAtEnd || signal.aborted) || this.#place < 0) return;
    const last = present.pop();
    if (last !== undefined && last !== this) {
      present[this.#place] = last;
      last.#place = this.#place;
    }
    this.#place = -1;
    if (this.#mistake !== undefined) watcher.stumbled(messageOf(this.#mistake.thrown), this.#phase);
    this.#onLeft();
  }
}

/** Somebody of a phase (from 0); no other of it has this number. */
type Arrival = { number: number; phase: number; intendedMs: number };

/** Timers count whole milliseconds, and nobody minds if a thought takes that much longer. What is later than that is lag. */
const timerMs = 1;

const outcomeIndex = Object.fromEntries(requestOutcomes.map((outcome, index) => [outcome, index])) as Record<RequestOutcome, number>;

/** Clocks of two stamps agree, so a negative difference is rounding, or an answer that began before the request was written whole. */
const toUs = (ms: number) => (ms > 0 ? Math.round(ms * 1_000) : 0);

function drawn(from: Duration, until: Duration, random: Random): number {
  const [fromMs, untilMs] = [toMs(from), toMs(until)];
  if (untilMs < fromMs) throw new TypeError(`Expected the second time of think not to be below the first, got '${from}' and '${until}'`);
  return untilMs > fromMs ? fromMs + random() * (untilMs - fromMs) : fromMs;
}

/** Journeys run without their types: what is misspelled would be passed over in silence. Hardly anything is made here for a step that is right. */
function checkStep(name: string, ask: Ask, how: unknown): void {
  if (typeof ask !== 'object' || ask === null)
    throw new TypeError(`Expected step '${name}' to have a request such as get('/products'), got ${described(ask)}`);
  if (how === undefined) return;
  checkObject(`the options of '${name}'`, how);
  for (const field in how) if (field !== 'accepts') checkFields(`the options of '${name}'`, how, ['accepts']);
  const { accepts } = how as { accepts?: unknown };
  if (accepts !== undefined && typeof accepts !== 'function')
    throw new TypeError(`Expected 'accepts' of '${name}' to be a function, got ${described(accepts)}`);
}

/** A journey's look at an answer that cannot stand it is a no. Journeys may run without a type check, so this may be anything. */
function verdictOf(accepts: (answer: Answer) => unknown, answer: Answer): unknown {
  try {
    return accepts(answer);
  } catch (thrown) {
    // Such as a field of a body that has none: that is what a wrong answer is.
    return new Thrown(thrown);
  }
}

const isThenable = (verdict: unknown): verdict is Promise<unknown> =>
  typeof verdict === 'object' && verdict !== null && 'then' in verdict && typeof verdict.then === 'function';

/** A journey may do something else before it awaits a step or a thought: that it fails meanwhile must not end the thread. */
function awaitedOrNot<T>(promise: Promise<T>): Promise<T> {
  promise.then(undefined, () => undefined);
  return promise;
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(
      () => {
        signal.removeEventListener('abort', leave);
        resolve();
      },
      Math.max(0, ms),
    );
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
  });
}

/** A class, because one is made for every request and most of it is seldom looked at. */
class Told implements Answer {
  outcome: RequestOutcome;
  readonly status: number;
  readonly #reply: Reply;

  constructor(reply: Reply, outcome: RequestOutcome) {
    this.#reply = reply;
    this.outcome = outcome;
    this.status = reply.kind === 'answered' ? reply.status : 0;
  }

  get text(): string {
    return this.#reply.kind === 'answered' ? this.#reply.text : '';
  }

  get message(): unknown {
    return this.#reply.kind === 'answered' ? this.#reply.message : undefined;
  }

  // Getters, so that both may be taken out of the answer: `const { json } = await step(…)`.
  get header(): Answer['header'] {
    return (name) => (this.#reply.kind === 'answered' ? this.#reply.header(name) : undefined);
  }

  get json(): Answer['json'] {
    return () => {
      try {
        return JSON.parse(this.text);
      } catch {
        // No JSON is told as no value.
        return undefined;
      }
    };
  }
}
