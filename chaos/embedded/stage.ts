import type { Random } from '../../core/random.ts';
import type { Clock } from '../../core/time.ts';
import type { Act, Chunk, Stage, Toxic } from './toxic.ts';
import { passThrough } from './toxics/noop.ts';

/** Whoever takes chunks: a stage, or the writer at the end. What is given without room is kept all the same, in order. */
export type Receiver = { hasRoom(): boolean; give(chunk: Chunk): void; giveEnd(): void; before: Giver };

/** Whoever gives chunks: a stage, or the reader at the start. `pump` goes on where a lack of room stopped it. */
export type Giver = { pump(): void; after: Receiver };

/** Where a toxic acts on one direction of one connection: what waits in front of it, what it has in hand, what could not leave yet. */
export class ToxicStage implements Stage, Receiver, Giver {
  before: Giver;
  after: Receiver;
  readonly toxic: Toxic;
  readonly clock: Clock;
  readonly random: Random;
  readonly memory = { passedBytes: 0 };
  /** Whether the draw of the latest start made the toxic act on this connection. */
  acts = false;
  /** No chunk leaves any more, apart from those that wait for room. */
  ended = false;

  #act: Act = passThrough(this);
  #inbox: Chunk[] = [];
  #inboxEnded = false;
  #outbox: Chunk[] = [];
  #hasEndedAfter = false;
  #busy = false;
  #pumping = false;
  #resting = false;
  #alarm: NodeJS.Timeout | undefined;

  constructor(toxic: Toxic, { before, after, clock, random }: { before: Giver; after: Receiver; clock: Clock; random: Random }) {
    this.toxic = toxic;
    this.before = before;
    this.after = after;
    this.clock = clock;
    this.random = random;
  }

  /** Draws whether the toxic acts from now on, with its present attributes. */
  start(): void {
    this.acts = this.random() < this.toxic.toxicity;
    this.#busy = false;
    this.#act = this.acts ? this.toxic.kind.act(this.toxic.attributes, this) : passThrough(this);
    this.pump();
  }

  /** Stops the act and gives back what it had in hand. What waits in front of the stage stays there, and nothing is taken until it starts. */
  interrupt(why: 'restart' | 'removal'): Chunk[] {
    clearTimeout(this.#alarm);
    this.#busy = true;
    const held = this.#act.interrupt?.(why);
    return [...this.#outbox.splice(0), ...(held === undefined ? [] : [held])];
  }

  /** Hands everything that waits in front of it to the one behind it, before it is taken out of the chain. */
  empty(): void {
    // Room behind it may let the one before it give more, hence no fixed list.
    for (let chunk = this.#inbox.shift(); chunk !== undefined; chunk = this.#inbox.shift()) this.after.give(chunk);
    if (this.#inboxEnded) this.after.giveEnd();
  }

  /** The destination is gone: nothing can leave any more. */
  drop(): void {
    this.ended = true;
    this.#hasEndedAfter = true;
    clearTimeout(this.#alarm);
    this.#inbox = [];
    this.#outbox = [];
  }

  hasRoom(): boolean {
    if (this.ended) return false;
    const queues = this.toxic.kind.queues ?? 0;
    return queues > 0 ? this.#inbox.length < queues : !this.#busy && this.#inbox.length === 0 && this.#outbox.length === 0;
  }

  give(chunk: Chunk): void {
    if (this.ended) return;
    this.#inbox.push(chunk);
    this.pump();
  }

  giveEnd(): void {
    this.#inboxEnded = true;
    this.pump();
  }

  pass(chunk: Chunk): void {
    if (this.#outbox.length === 0 && this.after.hasRoom()) this.after.give(chunk);
    else this.#outbox.push(chunk);
  }

  done(): void {
    this.#busy = false;
    this.pump();
  }

  end(): void {
    this.ended = true;
    clearTimeout(this.#alarm);
    this.#inbox = [];
    this.pump();
  }

  putBack(chunk: Chunk): void {
    this.#inbox.unshift(chunk);
  }

  wakeAfter(waitMs: number, wake: () => void): void {
    const dueMs = this.clock() + waitMs;
    const check = () => {
      const leftMs = dueMs - this.clock();
      // Timers fire up to a millisecond early, and another round takes a whole one.
      if (leftMs > 0.5) this.#alarm = setTimeout(check, timerMs(leftMs));
      else wake();
    };
    clearTimeout(this.#alarm);
    this.#alarm = setTimeout(check, timerMs(waitMs));
  }

  pump(): void {
    // Called from within the loop below, which looks again by itself, or before its next turn.
    if (this.#pumping || this.#resting) return;
    this.#pumping = true;
    let steps = 0;
    while (steps < longestRunSteps && this.#step()) steps += 1;
    this.#pumping = false;
    if (steps === longestRunSteps) this.#rest();
    else this.before.pump();
  }

  #rest(): void {
    this.#resting = true;
    setImmediate(() => {
      this.#resting = false;
      this.pump();
    });
  }

  /** Whether there may be more to do. */
  #step(): boolean {
    if (this.#outbox.length > 0) return this.#passWaiting();
    if (this.ended) return this.#endAfter();
    if (this.#busy) return false;
    const chunk = this.#inbox.shift();
    if (chunk === undefined && !this.#inboxEnded) return false;
    this.#busy = true;
    if (chunk !== undefined) this.#act.take(chunk);
    else if (this.#act.takeEnd !== undefined) this.#act.takeEnd();
    else this.end();
    return true;
  }

  #passWaiting(): boolean {
    if (!this.after.hasRoom()) return false;
    const chunk = this.#outbox.shift();
    if (chunk !== undefined) this.after.give(chunk);
    return true;
  }

  #endAfter(): boolean {
    if (!this.#hasEndedAfter) {
      this.#hasEndedAfter = true;
      this.after.giveEnd();
    }
    return false;
  }
}

/** A chunk may be crumbs, and what takes them may take them all at once: after so many steps the others have their turn. */
const longestRunSteps = 1_000;

/** The longest delay that `setTimeout` understands. */
const longestTimerMs = 2 ** 31 - 1;

/** `setTimeout` cuts fractions off, and whoever waits for 49.9 ms would wait for 49 and then for another one. */
const timerMs = (waitMs: number) => Math.min(Math.round(waitMs), longestTimerMs);
