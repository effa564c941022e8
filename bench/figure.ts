/** One measured figure. `goal` is what we want to reach, absent for a figure that is only there to compare with. */
export type Figure = {
  name: string;
  value: number;
  unit: string;
  goal?: Goal;
  /** How far the rounds lay apart, in the same unit: the 25th and the 75th percentile. */
  spread?: readonly [low: number, high: number];
};
export type Goal = { atMost: number } | { atLeast: number };

/** A set of figures that are measured side by side in one run. `say` tells of progress; nothing else may be printed. */
export type Bench = { about: string; measure: (say: (line: string) => void) => Promise<Figure[]> };

export const isMet = ({ value, goal }: Figure): boolean | undefined =>
  goal === undefined ? undefined : 'atMost' in goal ? value <= goal.atMost : value >= goal.atLeast;

/** The middle of several rounds, and how far they lay apart. */
export function median(rounds: readonly number[]): { value: number; spread: readonly [number, number] } {
  const sorted = rounds.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { value: at(0.5), spread: [at(0.25), at(0.75)] };
}
