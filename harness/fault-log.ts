import type { Fault } from '../chaos/faults.ts';
import type { Occurrence } from '../chaos/occurrences.ts';
import type { FaultChange } from '../chaos/schedule.ts';
import type { EffectRecord } from './record.ts';

/** One time that a fault was on: asked for, acknowledged (`fromMs`), and undone (`untilMs`); and what was seen of it at each of its places. */
export type PlayedFault = {
  phase: string;
  fault: Fault;
  places: readonly string[];
  askedMs: number;
  fromMs: number;
  untilMs: number;
  effects: EffectRecord[];
};

/** Looks from outside for the effect of one occurrence of a fault. `done` resolves when the effect is gone, or will not be waited for any longer. */
export type EffectWatch = { ended: () => void; effects: () => EffectRecord[]; done: Promise<unknown> };

/** Keeps what became of the faults of a run. All times are the run clock's milliseconds. */
export function createFaultLog({ watch }: { watch: (fault: Fault, places: readonly string[]) => EffectWatch }) {
  const entries = new Map<Occurrence, Entry>();

  /** Those that were on and are over, with what has been seen of them by now. */
  const played = (): PlayedFault[] =>
    [...entries.values()]
      .filter(({ fromMs, untilMs }) => !Number.isNaN(fromMs) && !Number.isNaN(untilMs))
      .map(({ watched, ...fault }) => ({ ...fault, effects: watched.effects() }));

  return {
    note({ phase, change: { occurrence, places, kind }, atMs }: { phase: string; change: FaultChange; atMs: number }): void {
      const entry = entries.get(occurrence) ?? begin();
      if (kind === 'applied') entry.fromMs = atMs;
      if (kind === 'undone') entry.untilMs = atMs;
      // A fault that was interrupted is undone without a word about its end, and what a restart does comes after it was asked to end.
      if (kind === 'undone' || (kind === 'ended' && occurrence.fault.kind !== 'restart')) entry.watched.ended();

      function begin(): Entry {
        const { fault } = occurrence;
        const watched = watch(fault, places);
        const begun = { phase, fault, places, askedMs: atMs, fromMs: Number.NaN, untilMs: Number.NaN, watched };
        entries.set(occurrence, begun);
        return begun;
      }
    },
    /** Those that are on. */
    active: (): Fault[] =>
      [...entries.values()].filter(({ fromMs, untilMs }) => !Number.isNaN(fromMs) && Number.isNaN(untilMs)).map(({ fault }) => fault),
    played,
    /** The same when nothing more will be seen. */
    async settled(): Promise<PlayedFault[]> {
      await Promise.all([...entries.values()].map(({ watched }) => watched.done));
      return played();
    },
  };
}

type Entry = Omit<PlayedFault, 'effects'> & { watched: EffectWatch };
