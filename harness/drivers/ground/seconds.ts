import type { GroundSecond } from '../../recording.ts';
import type { MachineSecond } from './machine.ts';

/** A row for each second of the run that has begun, also for those that nobody looked at in time. */
export type GroundSeconds = {
  /**
   * All of them up to now. The last one tells of the part that has passed, and says how long that is in `lastsMs`; asked again, it tells of more.
   */
  soFar: () => Omit<GroundSecond, 'hiccups'>[];
  /** Looks at what happened since the last look. To be called once a second, about when it ends. */
  look: () => void;
};

/**
 * `take` tells of the time since it was last called, and was called before when the run's first second began, at `startMs` of `now`; `loops` are the
 * busy shares of event loops, always in the same order. Between two looks all was as it was on average: should the second be past the first
 * by several seconds, all of them were alike.
 */
export function createGroundSeconds({
  startMs,
  now,
  take,
}: {
  startMs: number;
  now: () => number;
  take: () => MachineSecond & { loops: readonly number[] };
}): GroundSeconds {
  const parts: Part[] = [];
  let lookedAtMs = 0;

  return {
    look,
    soFar: () => {
      look();
      return parts.map(rowOf);
    },
  };

  function look() {
    const nowMs = Math.min(now() - startMs, mostSeconds * secondMs);
    const seen = take();
    for (let second = Math.floor(lookedAtMs / secondMs); second * secondMs < nowMs; second += 1) {
      const lastsMs = Math.min(nowMs, (second + 1) * secondMs) - Math.max(lookedAtMs, second * secondMs);
      const before = parts[second];
      const part = { ...seen, lastsMs };
      parts[second] = before === undefined ? part : joined(before, part);
    }
    lookedAtMs = Math.max(lookedAtMs, nowMs);
  }
}

/** What is known of a second: `lastsMs` of it. */
type Part = MachineSecond & { loops: readonly number[]; lastsMs: number };

function joined(one: Part, other: Part): Part {
  const lastsMs = one.lastsMs + other.lastsMs;
  const share = (before: number | undefined, after: number | undefined) =>
    before === undefined || after === undefined ? (before ?? after) : (before * one.lastsMs + after * other.lastsMs) / lastsMs;
  return {
    lastsMs,
    busyShare: share(one.busyShare, other.busyShare),
    stealShare: share(one.stealShare, other.stealShare),
    throttledShare: share(one.throttledShare, other.throttledShare),
    loops: one.loops.map((busy, loop) => share(busy, other.loops[loop]) ?? 0),
  };
}

function rowOf({ loops, lastsMs, ...shares }: Part, second: number): Omit<GroundSecond, 'hiccups'> {
  const isWhole = Math.round(lastsMs) >= secondMs;
  return { atMs: second * secondMs, ...shares, loopUtilization: Math.max(0, ...loops), ...(isWhole ? {} : { lastsMs }) };
}

const secondMs = 1_000;
/** A day. */
const mostSeconds = 86_400;
