import { setTimeout as sleepFor } from 'node:timers/promises';
import type { Fault } from '../faults.ts';
import { type Dialect, http1, http2, mysql, redis } from './dialects.ts';
import { type Answer, type Line, openLine } from './line.ts';
import { doubtOf, type Inquiry, inquiryOf, type Probe, signOf } from './sign.ts';

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
            if (watches === 0 && probe.through.kind === 'answered' && probe.direct?.kind !== 'unanswered') {
              apartMs.push(Math.abs(probe.through.tookMs - (probe.direct?.tookMs ?? 0)));
              if (apartMs.length > calmProbes) apartMs.shift();
            }
          }
          await sleep(calmEveryMs, over);
        }
      },

      async follow(fault: Fault, effect: Effect, { ending, untilMs }: { ending: AbortSignal; untilMs: () => number }) {
        // One hiccup in the calm must not hide every fault that comes after it.
        const calmMs = apartMs.toSorted((a, b) => a - b)[Math.floor(apartMs.length * 0.9) - 1] ?? 0;
        const inquiry = inquiryOf(fault, calmMs);
        watches += 1;
        const waiting = AbortSignal.any([ending, over]);
        // Lines of its own: an answer must not be taken for that to another's question.
        const sides = openSides();
        let isCalleeAway = false;
        while (effect.felt === undefined && !waiting.aborted) {
          const probe = await ask(sides, inquiry, waiting);
          isCalleeAway = probe.direct !== undefined && ['refused', 'reset', 'unanswered'].includes(probe.direct.kind);
          const sign = signOf(fault, probe, inquiry);
          if (sign !== undefined && !over.aborted) effect.felt = { atMs: nowMs(), sign };
          else await sleep(watchEveryMs, waiting);
        }
        if (effect.felt === undefined) {
          const doubt = doubtOf(fault, calmMs, inquiry) ?? (isCalleeAway ? 'the callee itself did not answer' : undefined);
          if (doubt !== undefined) effect.doubt = doubt;
        }
        await aborted(waiting);
        while (effect.goneAtMs === undefined && !over.aborted && nowMs() < untilMs()) {
          const probe = await ask(sides, { ...inquiry, needsNewLine: true }, over);
          const { kind } = probe.through;
          const isFine = inquiry.hangsUp ? kind === 'closed' : kind === 'answered';
          if (isFine && signOf(fault, probe, inquiry) === undefined) effect.goneAtMs = nowMs();
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

    async function ask(sides: Sides, inquiry: Inquiry, given: AbortSignal): Promise<Probe> {
      const startMs = nowMs();
      const asked = sides.through.ask(inquiry);
      const beside = sides.direct?.ask(inquiry);
      const direct = beside === undefined ? undefined : await within(beside, startMs + directPatienceMs, given);
      const answeredMs = direct === undefined ? startMs : startMs + direct.tookMs;
      const answer = await within(asked, answeredMs + inquiry.lateMs, given);
      sides.through.forgetIfSilent();
      sides.direct?.forgetIfSilent();
      return { through: answer, ...(direct === undefined ? {} : { direct }) };

      async function within(answering: Promise<Answer>, untilAtMs: number, giveUp: AbortSignal): Promise<Answer> {
        const patience = new AbortController();
        // Timers ring up to a millisecond early.
        const waited = sleep(Math.max(0, untilAtMs - nowMs()) + 1, AbortSignal.any([giveUp, patience.signal])).then(
          (): Answer => ({ kind: 'unanswered', tookMs: nowMs() - startMs }),
        );
        const first = await Promise.race([answering, waited]);
        patience.abort();
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
  /** An answer that comes after its time must not be taken for that to the next question. */
  forgetIfSilent(): void;
  close(): void;
};
type Sides = { through: Side; direct?: Side };

const calmProbes = 20;
const calmInquiry: Inquiry = { bytes: 1, questions: 1, needsNewLine: false, hangsUp: false, lateMs: 1_000 };
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
