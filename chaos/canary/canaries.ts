import { setTimeout as sleepFor } from 'node:timers/promises';
import type { Fault } from '../faults.ts';
import { type Dialect, http1, http2, mysql, redis } from './dialects.ts';
import { type Answer, type Line, openLine } from './line.ts';
import { doubtOf, type Inquiry, inquiryOf, isHeard, type Probe, signOf } from './sign.ts';

/**
 * A place where a fault may be: a wire (`orders->payment.1`), asked `through` its proxy and, at the same moment, `direct`; or a process
 * (`payment.1`), which is asked itself. Addresses are `host:port`.
 */
export type Station = { place: string; protocol: Protocol; through: string; direct?: string };
export type Protocol =
  | { kind: 'http2' }
  | { kind: 'redis' }
  | { kind: 'http1'; path: string }
  | { kind: 'mysql'; user: string; password: string };

/** What was seen of a fault at one place. Times are those of the clock that the canaries were given. */
export type Effect = {
  place: string;
  /** When it was first felt after it had been asked for, and what showed it: `answered after 812 ms, directly answered after 0.9 ms`. */
  felt?: { atMs: number; sign: string };
  /** When a question was first answered as if there were no fault, after its end had been asked for. */
  goneAtMs?: number;
  /** Why nothing was seen. */
  doubt?: string;
};

/** Looks for one occurrence of a fault, from the moment it is asked for. */
export type Watch = {
  /** From now on it is not looked for any more: what is waited for is that it goes. */
  ended(): void;
  effects(): Effect[];
  /** All are gone, or were waited for long enough. */
  done: Promise<void>;
};

export type Canaries = { watch(fault: Fault, places: readonly string[]): Watch; close(): Promise<void> };

/**
 * Asks small questions at each station, a few a second, to know how far answers through the proxy and past it are apart when nothing is wrong; and
 * many a second where a fault is looked for. What both feel is a busy callee; what only the way through feels is the fault.
 */
export function openCanaries({
  stations,
  nowMs,
  signal,
  calmEveryMs = 500,
  watchEveryMs = 25,
  goneWithinMs = 5_000,
}: {
  stations: readonly Station[];
  nowMs: () => number;
  signal: AbortSignal;
  calmEveryMs?: number;
  watchEveryMs?: number;
  /** After its end a fault's effect is waited for so long. */
  goneWithinMs?: number;
}): Canaries {
  const closing = new AbortController();
  const over = AbortSignal.any([signal, closing.signal]);
  const posts = new Map(stations.map((station) => [station.place, createPost(station)]));
  const work = new Set<Promise<unknown>>([...posts.values()].map((post) => post.rest()));

  return {
    watch(fault, places) {
      const ending = new AbortController();
      let endedMs = Number.POSITIVE_INFINITY;
      const effects = places.map((place): Effect => ({ place }));
      const follow = async (effect: Effect) => {
        const post = posts.get(effect.place);
        if (post === undefined) effect.doubt = 'nobody looked there';
        else await post.follow(fault, effect, { ending: ending.signal, untilMs: () => endedMs + goneWithinMs });
      };
      const done = Promise.all(effects.map(follow)).then(() => undefined);
      work.add(done);
      void done.then(() => work.delete(done));
      return {
        ended() {
          if (ending.signal.aborted) return;
          endedMs = nowMs();
          ending.abort();
        },
        effects: () => effects.map((effect) => ({ ...effect })),
        done,
      };
    },
    async close() {
      closing.abort();
      for (const post of posts.values()) post.close();
      await Promise.allSettled(work);
    },
  };

  /** The canary of one station. Nothing it does throws. */
  function createPost({ through, direct, protocol }: Station) {
    const dialect = dialectOf(protocol);
    const asking = new Set<Sides>();
    const apartMs: number[] = [];
    let watches = 0;

    return {
      /** Learns what is normal, as long as nothing else goes on here. */
      async rest() {
        const sides = openSides();
        while (!over.aborted) {
          if (watches === 0) {
            const probe = await ask(sides, calmInquiry, over);
            if (watches === 0 && probe.through.kind === 'answered' && (probe.direct === undefined || isHeard(probe.direct, calmInquiry))) {
              apartMs.push(Math.abs(probe.through.tookMs - (probe.direct?.tookMs ?? 0)));
              if (apartMs.length > calmProbes) apartMs.shift();
            }
          }
          await sleep(calmEveryMs, over);
        }
      },

      async follow(fault: Fault, effect: Effect, { ending, untilMs }: { ending: AbortSignal; untilMs: () => number }) {
        // One hiccup in the calm must not hide every fault that comes after it.
        const calmMs = apartMs.toSorted((a, b) => a - b)[Math.ceil(apartMs.length * 0.9) - 1] ?? 0;
        const inquiry = inquiryOf(fault, calmMs);
        watches += 1;
        const waiting = AbortSignal.any([ending, over]);
        // Lines of its own: an answer must not be taken for that to another's question.
        const sides = openSides();
        let isCalleeAway = false;
        let first: Effect['felt'];
        for (let signs = 0; effect.felt === undefined && !waiting.aborted; ) {
          // What was drawn for a connection is looked for there again.
          const needsNewLine = signs === 0 ? inquiry.needsNewLine : inquiry.hangsUp;
          const probe = await ask(sides, { ...inquiry, needsNewLine }, waiting);
          // A question that was broken off says nothing.
          if (!waiting.aborted) isCalleeAway = probe.direct !== undefined && !isHeard(probe.direct, inquiry);
          const sign = signOf(fault, probe, inquiry);
          signs = sign === undefined ? 0 : signs + 1;
          if (sign !== undefined && signs === 1) first = { atMs: nowMs(), sign };
          if (first !== undefined && signs >= inquiry.signsInARow && !over.aborted) effect.felt = first;
          else await sleep(watchEveryMs, waiting);
        }
        if (effect.felt === undefined) {
          const doubt =
            doubtOf(fault, { calmMs, inquiry, hasShortAnswers: protocol.kind === 'http1' }) ??
            (isCalleeAway ? 'the callee itself did not answer' : undefined) ??
            (first === undefined ? undefined : `seen too rarely to be sure: ${first.sign}`);
          if (doubt !== undefined) effect.doubt = doubt;
        }
        await aborted(waiting);
        let fineSinceMs = 0;
        for (let fines = 0; effect.goneAtMs === undefined && !over.aborted && nowMs() < untilMs(); ) {
          const probe = await ask(sides, { ...inquiry, needsNewLine: true, patienceMs: inquiry.lateMs }, over);
          const isFine = isHeard(probe.through, inquiry) && signOf(fault, probe, inquiry) === undefined;
          // Late on both ways: what somebody busy adds to both may hide the fault once, and hardly ever several times in a row.
          const { direct } = probe;
          const isBlurred = direct !== undefined && signOf(fault, { ...probe, direct: { ...direct, tookMs: 0 } }, inquiry) !== undefined;
          if (fines === 0) fineSinceMs = nowMs();
          fines = isFine ? fines + (isBlurred ? blurredFine : 1) : 0;
          if (fines >= inquiry.finesInARow) effect.goneAtMs = fineSinceMs;
          else await sleep(watchEveryMs, over);
        }
        watches -= 1;
        close(sides);
      },

      close() {
        for (const sides of asking) close(sides);
      },
    };

    function openSides(): Sides {
      const sides = { through: openSide(through), ...(direct === undefined ? {} : { direct: openSide(direct) }) };
      asking.add(sides);
      return sides;
    }

    function close(sides: Sides) {
      sides.through.close();
      sides.direct?.close();
      asking.delete(sides);
    }

    /**
     * Asks on both ways. As long as the way through is late, the callee is asked past it again and again: it may have become busy a moment after
     * it had answered there. `direct` is the slowest that was seen.
     */
    async function ask(sides: Sides, inquiry: Inquiry, given: AbortSignal): Promise<Probe> {
      const startMs = nowMs();
      const needsNewLine = inquiry.needsNewLine || !sides.through.hasLine();
      const asked = sides.through.ask(inquiry);
      const probe = sides.direct === undefined ? { through: await within(asked, inquiry.patienceMs) } : await compare(sides.direct);
      sides.through.forgetIfSilent();
      sides.direct?.forgetIfSilent();
      return probe;

      async function compare(side: Side): Promise<Probe> {
        const stepMs = Math.min(directEveryMs, inquiry.lateMs / 4);
        let direct = await within(side.ask(inquiry), directPatienceMs);
        for (;;) {
          const stepStartMs = nowMs();
          const forMs = Math.min(stepMs, startMs + direct.tookMs + inquiry.patienceMs - stepStartMs);
          const through = await within(asked, forMs);
          // While this process was busy itself, it could not have seen an answer on either way.
          const busyMs = nowMs() - stepStartMs - Math.max(0, forMs) - timersLateMs;
          if (busyMs > direct.tookMs) direct = { ...direct, tookMs: busyMs };
          const excessMs = through.tookMs - direct.tookMs;
          if (!isHeard(direct, inquiry) || given.aborted) return { through, direct };
          if (isHeard(through, inquiry) && excessMs < inquiry.lateMs) return { through, direct };
          // On a new connection where that is what is waited for: a busy callee is slow to accept one.
          const again = await within(side.ask({ ...inquiry, bytes: 1, questions: 1, needsNewLine }), directPatienceMs);
          if (!isHeard(again, inquiry)) direct = again;
          else if (again.tookMs > direct.tookMs) direct = { ...direct, tookMs: again.tookMs };
          if (through.kind !== 'unanswered' || through.tookMs - direct.tookMs >= inquiry.patienceMs) return { through, direct };
        }
      }

      /** Without composite signals: the one that is given lives as long as the run, and would keep a trace of every question. */
      async function within(answering: Promise<Answer>, forMs: number): Promise<Answer> {
        const waited = Promise.withResolvers<Answer>();
        const giveUp = () => waited.resolve({ kind: 'unanswered', tookMs: nowMs() - startMs });
        // Timers ring up to a millisecond early, and before what has arrived meanwhile is read.
        const timer = setTimeout(() => setImmediate(giveUp), Math.max(0, forMs) + 1);
        given.addEventListener('abort', giveUp, { once: true });
        if (given.aborted) giveUp();
        const first = await Promise.race([answering, waited.promise]);
        clearTimeout(timer);
        given.removeEventListener('abort', giveUp);
        return first;
      }
    }

    /** One way to the callee, with a line that is kept while it is usable. */
    function openSide(address: string): Side {
      let line: Line | undefined;
      let isAsking = false;

      return {
        async ask({ bytes, questions, needsNewLine, hangsUp }: Inquiry): Promise<Answer> {
          if (needsNewLine || line?.isUsable() === false) close();
          isAsking = true;
          const current = line ?? openLine({ address, dialect, nowMs });
          line = current;
          let answer = await current.ask(bytes);
          for (let asked = 1; asked < questions && answer.kind === 'answered'; asked++) answer = await current.ask(bytes);
          if (hangsUp && answer.kind === 'answered') answer = await current.hangUp();
          if (line === current) isAsking = false;
          return answer;
        },
        hasLine: () => line?.isUsable() === true,
        forgetIfSilent() {
          if (isAsking) close();
        },
        close,
      };

      function close() {
        line?.close();
        line = undefined;
        isAsking = false;
      }
    }
  }
}

type Side = {
  ask(inquiry: Inquiry): Promise<Answer>;
  hasLine(): boolean;
  /** An answer that comes after its time must not be taken for that to the next question. */
  forgetIfSilent(): void;
  close(): void;
};
type Sides = { through: Side; direct?: Side };

const calmProbes = 20;
const calmInquiry: Inquiry = {
  ...{ bytes: 1, questions: 1, needsNewLine: false, hangsUp: false },
  ...{ lateMs: 1_000, patienceMs: 1_000, signsInARow: 1, finesInARow: 1 },
};
/** What an answer counts that is no sign only because the one past the fault was late, too. */
const blurredFine = 1 / 4;
/** How often the callee is asked past a fault while somebody waits for an answer through it. */
const directEveryMs = 10;
/** What timers are late by where nothing is busy. */
const timersLateMs = 2;
/** Beyond that the callee is taken to be away. */
const directPatienceMs = 2_000;

function dialectOf(protocol: Protocol): Dialect {
  switch (protocol.kind) {
    case 'http2':
      return http2;
    case 'redis':
      return redis;
    case 'http1':
      return http1(protocol.path);
    case 'mysql':
      return mysql(protocol);
    default:
      return protocol satisfies never;
  }
}

/** Wakes early when the signal fires. */
const sleep = (ms: number, signal: AbortSignal) => sleepFor(ms, undefined, { signal }).catch(() => undefined);

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
