import { observationsOf } from '../observe/evidence.ts';
import type { Observations } from '../observe/observations.ts';
import type { OutlinedPhase } from '../outline.ts';
import { everyoneLeaves } from '../patience.ts';
import { untilAtRest } from '../rest.ts';
import type { Stage } from '../schedule.ts';
import type { Testbed } from '../testbed.ts';
import type { Moment } from '../timeline.ts';

export type Player = {
  /** Resolves when the last visitor has gone and the target is at rest; when the trial began, since the first of all. */
  play: (trial: { name: string; stage: Stage }) => Promise<number>;
  /** Why the load had to be broken off, so that nothing can be played any more; undefined while all is well. */
  brokenOff: () => string | undefined;
  seen: (name: string) => Promise<Observations>;
};

/** Plays one trial after the other, each from rest and from the beginning of a second, by which it is judged. */
export function createPlayer({
  testbed,
  nowMs,
  signal,
  watch,
}: {
  testbed: Pick<Testbed, 'driver' | 'spans' | 'scraper' | 'epochMs' | 'replicas' | 'deaths'>;
  nowMs: () => number;
  signal: AbortSignal;
  watch: { note: (line: string) => void; moment: (moment: Moment, phases: OutlinedPhase[]) => void };
}): Player {
  const { driver, spans, scraper, epochMs, replicas } = testbed;
  let current: { name: string; lastsMs: number; startAtMs: number } | undefined;
  let firstAtMs: number | undefined;
  let brokenOff: string | undefined;

  driver.onSecond((live) => {
    // The first second after a trial's start may still tell of the one before.
    if (current === undefined || live.phase !== current.name) return;
    const { name, lastsMs, startAtMs } = current;
    const elapsedMs = Math.min(lastsMs, Math.max(0, nowMs() - startAtMs));
    watch.moment({ ...live, elapsedMs, lastsMs, faults: [] }, [{ name, fromMs: 0, untilMs: lastsMs, faults: [] }]);
  });

  return {
    play: async ({ name, stage }) => {
      const { lastsMs } = stage;
      const earliestMs = nowMs() + leadMs;
      firstAtMs ??= earliestMs;
      const startAtMs = firstAtMs + Math.ceil((earliestMs - firstAtMs) / 1_000) * 1_000;
      current = { name, lastsMs, startAtMs };
      await driver.play({ name, startAtMs, stages: [stage], arrivals: 'poisson' });
      await everyoneLeaves({ driver, breakOff });
      current = undefined;
      if (!(await untilAtRest({ testbed, timeoutMs: restMs, signal })))
        watch.note('the machine does not come to rest: it may be busy with something else');
      return startAtMs - firstAtMs;
    },
    brokenOff: () => brokenOff,
    seen: async (name) => {
      const recording = await driver.finish();
      return observationsOf({ recording, spans, samples: scraper, epochMs, replicas, deaths: testbed.deaths(), faults: [] })(name);
    },
  };

  function breakOff(why: string): void {
    brokenOff = why;
    // Should the generator be gone, whoever waits for the visitors hears of it.
    driver.halt().catch(() => undefined);
  }
}

/** The load is told its start a little ahead, so that it is ready for it. */
const leadMs = 50;
const restMs = 30_000;
