/** A stretch of the load, in milliseconds of the run's clock. */
export type PlayedPhase = { name: string; startMs: number; lastsMs: number };

/**
 * Numbers the windows that requests are recorded in: the seconds since the start of the first phase, cut where a phase ends within one. In phase
 * p (from 0) the second s is window s + p. As each phase begins in no earlier a second than the last one ended in, a number is never used twice.
 */
export function createWindows() {
  const phases: PlayedPhase[] = [];
  let originMs = 0;

  const phaseAt = (ms: number) => {
    for (let index = phases.length - 1; index > 0; index--) if ((phases[index]?.startMs ?? 0) <= ms) return index;
    return 0;
  };

  return {
    /** Phases are told in their order. */
    startPhase: (phase: PlayedPhase) => {
      const last = phases.at(-1);
      if (last !== undefined && phase.startMs < last.startMs) throw new RangeError(`Phase '${phase.name}' begins before '${last.name}'`);
      if (last === undefined) originMs = phase.startMs;
      phases.push(phase);
    },
    /** A moment before the first phase counts as its start; one between two phases belongs to the earlier. */
    windowOf: (ms: number) => Math.max(0, Math.floor((ms - originMs) / 1_000)) + phaseAt(ms),
    /** The number of the phase that a moment belongs to, from 0. */
    phaseAt,
    /** The phase and the second of a window, both from 0. */
    placeOf: (window: number) => {
      // The last phase whose first window is not beyond it.
      for (let index = phases.length - 1; index > 0; index--) {
        const first = Math.floor(((phases[index]?.startMs ?? 0) - originMs) / 1_000) + index;
        if (first <= window) return { phase: index, second: window - index };
      }
      return { phase: 0, second: window };
    },
    names: () => phases.map(({ name }) => name),
    phases: () => phases as readonly PlayedPhase[],
    startMs: () => originMs,
  };
}
export type Windows = ReturnType<typeof createWindows>;
