/** A stretch of the load, in milliseconds of the run's clock. */
export type PlayedPhase = { name: string; startMs: number; lastsMs: number };

/**
 * Numbers the windows that requests are recorded in: the seconds of each phase, counted from its own start, so that what is judged from its tenth
 * second on is judged from then on. Those between two phases are the earlier one's. A number is never used twice.
 */
export function createWindows() {
  const phases: (PlayedPhase & { firstWindow: number })[] = [];

  const phaseAt = (ms: number) => {
    for (let index = phases.length - 1; index > 0; index--) if ((phases[index]?.startMs ?? 0) <= ms) return index;
    return 0;
  };

  return {
    /** Phases are told in their order. */
    startPhase: (phase: PlayedPhase) => {
      const last = phases.at(-1);
      if (last !== undefined && phase.startMs < last.startMs) throw new RangeError(`Phase '${phase.name}' begins before '${last.name}'`);
      const firstWindow = last === undefined ? 0 : last.firstWindow + Math.ceil((phase.startMs - last.startMs) / 1_000);
      phases.push({ ...phase, firstWindow });
    },
    /** A moment before the first phase counts as its start; one between two phases belongs to the earlier. */
    windowOf: (ms: number) => {
      const { startMs = 0, firstWindow = 0 } = phases[phaseAt(ms)] ?? {};
      return firstWindow + Math.max(0, Math.floor((ms - startMs) / 1_000));
    },
    /** The number of the phase that a moment belongs to, from 0. */
    phaseAt,
    /** The phase of a window, and the second of that phase, both from 0. */
    placeOf: (window: number) => {
      const phase = Math.max(
        0,
        phases.findLastIndex(({ firstWindow }) => firstWindow <= window),
      );
      return { phase, second: window - (phases[phase]?.firstWindow ?? 0) };
    },
    names: () => phases.map(({ name }) => name),
    phases: () => phases as readonly PlayedPhase[],
    /** When the first phase begins. */
    startMs: () => phases[0]?.startMs ?? 0,
  };
}
export type Windows = ReturnType<typeof createWindows>;
