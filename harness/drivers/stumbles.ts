import { inOneLine } from '../../core/controls.ts';
import type { GeneratorHealth } from '../recording.ts';

/** Visits of a phase (from 0) that ended because the journey itself threw, and what the first of them threw, in one line. */
export type Stumbled = { phase: number; count: number; first: string };

/** Counts the visits of one thread that ended so, by the phase in which the visitors arrived. */
export function createStumbles() {
  const byPhase = new Map<number, Stumbled>();
  return {
    add: (message: string, phase: number): void => {
      const stumbled = byPhase.get(phase) ?? { phase, count: 0, first: inOneLine(message, longest) };
      stumbled.count += 1;
      byPhase.set(phase, stumbled);
    },
    all: (): Stumbled[] => [...byPhase.values()],
  };
}

/** Characters of what a journey throws, which is told on a terminal. */
const longest = 300;

/** Those of all threads together, in the order of the phases, whose names these are. */
export function stumblesTogether(threads: readonly (readonly Stumbled[])[], names: readonly string[]): GeneratorHealth['stumbles'] {
  const all = threads.flat();
  const phases = names.flatMap((phase, index) => {
    const own = all.filter((stumbled) => stumbled.phase === index);
    const [one] = own;
    return one === undefined ? [] : [{ phase, count: countOf(own), first: one.first }];
  });
  const [one] = phases;
  return one === undefined ? { count: 0 } : { count: countOf(phases), first: one.first, phases };
}

const countOf = (parts: readonly { count: number }[]) => parts.reduce((sum, { count }) => sum + count, 0);
