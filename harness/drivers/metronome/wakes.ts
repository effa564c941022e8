import type { MessagePort } from 'node:worker_threads';

/**
 * When the metronome wakes whom. Threads know nothing of each other but a bell: a port that carries the wakes, and a cell of shared memory that
 * is 1 from when a wake is sent until it is heard.
 */

/** Clocks of two threads may differ by a few microseconds. A thread that is woken must never find that its time has not come yet. */
const clockToleranceMs = 0.005;

export type Sleeper = { ring: () => void };
export type PlayedArrivals = {
  startMs: number;
  arrivals: Iterable<number>;
  sleepers: readonly Sleeper[];
  /** Nobody is woken twice within so long; the last word on a sleeper counts. */
  quantumMs: number;
};
export type Wakes = {
  /** Arrival number i, `arrivals` ms after `startMs`, wakes sleeper number i modulo their count. Phases may be told ahead, and may overlap. */
  play: (phase: PlayedArrivals) => void;
  /** Forgets all phases. */
  halt: () => void;
  /** Wakes everyone whose time has come, and answers when to be called again: Infinity when nobody is expected any more. */
  turn: () => number;
};

/**
 * Nobody is woken twice within a quantum, for who wakes starts all that is due: at high rates arrivals share a wake, and what a wake costs is
 * spent at most 1000 / quantumMs times a second. Arrivals that are met by a rest are up to one quantum late.
 */
export function createWakes({ now }: { now: () => number }): Wakes {
  type Turns = { sleeper: Sleeper; restsUntilMs: number; wakesAtMs: number; quantumMs: number };
  const turns = new Map<Sleeper, Turns>();
  let phases: { next: () => void; dueMs: number; turns: Turns }[] = [];

  return {
    play: ({ startMs, arrivals, sleepers, quantumMs }) => {
      const order = sleepers.map(turnsOf);
      for (const each of order) each.quantumMs = quantumMs;
      const iterator = arrivals[Symbol.iterator]();
      let index = 0;
      const first = order[0];
      if (first === undefined) throw new Error('Expected a phase to have somebody who is to be woken');
      const phase = { next, dueMs: 0, turns: first };
      phases.push(phase);
      next();

      function next() {
        const { value, done } = iterator.next();
        phase.dueMs = done === true ? Number.POSITIVE_INFINITY : startMs + value + clockToleranceMs;
        phase.turns = order[index++ % order.length] ?? phase.turns;
      }
    },

    halt: () => {
      phases = [];
      for (const each of turns.values()) each.wakesAtMs = Number.POSITIVE_INFINITY;
    },

    turn: () => {
      const nowMs = now();
      assign(nowMs);
      for (const each of turns.values()) {
        if (each.wakesAtMs > nowMs) continue;
        each.sleeper.ring();
        each.wakesAtMs = Number.POSITIVE_INFINITY;
        each.restsUntilMs = nowMs + each.quantumMs;
      }
      assign(nowMs);
      phases = phases.filter(({ dueMs }) => dueMs < Number.POSITIVE_INFINITY);
      return Math.min(...phases.map(({ dueMs }) => dueMs), ...[...turns.values()].map(({ wakesAtMs }) => wakesAtMs));
    },
  };

  function turnsOf(sleeper: Sleeper): Turns {
    const known = turns.get(sleeper) ?? {
      sleeper,
      restsUntilMs: Number.NEGATIVE_INFINITY,
      wakesAtMs: Number.POSITIVE_INFINITY,
      quantumMs: 0,
    };
    turns.set(sleeper, known);
    return known;
  }

  /** Hands arrivals that are due, or will be while their sleeper rests, to its next wake: the metronome itself sleeps through the rest. */
  function assign(nowMs: number) {
    for (const phase of phases) {
      while (phase.dueMs <= Math.max(nowMs, phase.turns.restsUntilMs)) {
        phase.turns.wakesAtMs = Math.min(phase.turns.wakesAtMs, Math.max(phase.dueMs, phase.turns.restsUntilMs));
        phase.next();
      }
    }
  }
}

/**
 * How long one who is woken rests: `shortestMs` at rates at which a wake of their own for most arrivals costs little, more in proportion beyond
 * 5,000 arrivals a second, and at most half a millisecond: a lag of one is what verdicts allow for.
 */
export const quantumAt = (ratePerSecond: number, shortestMs: number) => Math.min(0.5, shortestMs * Math.max(1, ratePerSecond / 5_000));

/**
 * Sleeps until shortly before `whenMs` and looks at the clock without pause for the rest, as no system wakes anyone to the microsecond. `sleep`
 * answers whether it was interrupted: then this returns at once.
 */
export function waitFor(
  whenMs: number,
  { now, sleep, spinMs }: { now: () => number; sleep: (ms: number) => 'rested' | 'interrupted'; spinMs: number },
): void {
  for (let leftMs = whenMs - now(); leftMs > spinMs; leftMs = whenMs - now()) {
    if (sleep(leftMs - spinMs) === 'interrupted') return;
  }
  while (now() < whenMs);
}

export type Bell = { port: MessagePort; cell: Int32Array };

/** The bell of whoever listens at the other end of `port` with `onWake`. */
export function bellOf(port: MessagePort): Bell {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  port.postMessage(cell);
  return { port, cell };
}

/** Does nothing while an earlier wake has not been heard: a thread that stands still does not collect thousands of them. */
export function ring({ port, cell }: Bell): void {
  if (Atomics.exchange(cell, 0, 1) === 0) port.postMessage(null);
}

/** Calls `wake` whenever the metronome rings at the other end of `port`; by then everything that is due has to be started. */
export function onWake(port: MessagePort, wake: () => void): void {
  let cell: Int32Array | undefined;
  port.on('message', (message: Int32Array | null) => {
    if (message !== null) {
      cell = message;
      return;
    }
    // First this, then the look at the clock: what falls due in between rings once more.
    if (cell !== undefined) Atomics.store(cell, 0, 0);
    wake();
  });
}
