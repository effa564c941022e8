import type { Window } from './observations.ts';

/** Something kept for each stretch of time of one width, such as a count for every 100 ms; for at most so many of them. */
export type Stretches<T> = {
  /** What is kept for the stretch that this time lies in; made where there is nothing yet, undefined where there is no room for more. */
  at(ms: number, make: () => T): T | undefined;
  /** Those whose middle lies in the window, in order of time: exact to half a width. */
  within(window: Window): readonly Stretch<T>[];
};
export type Stretch<T> = { fromMs: number; untilMs: number; kept: T };

export function createStretches<T>({ widthMs, most }: { widthMs: number; most: number }): Stretches<T> {
  const byNumber = new Map<number, T>();
  // Times come nearly in order, and many windows are asked for when all have come.
  let inOrder: Stretch<T>[] | undefined;

  function ordered(): Stretch<T>[] {
    inOrder ??= [...byNumber]
      .sort(([a], [b]) => a - b)
      .map(([number, kept]) => ({ fromMs: number * widthMs, untilMs: (number + 1) * widthMs, kept }));
    return inOrder;
  }

  return {
    at(ms, make) {
      const number = Math.floor(ms / widthMs);
      const found = byNumber.get(number);
      if (found !== undefined || byNumber.size >= most) return found;
      const made = make();
      byNumber.set(number, made);
      inOrder = undefined;
      return made;
    },
    within({ fromMs, untilMs }) {
      const stretches = ordered();
      return stretches.slice(firstFrom(stretches, fromMs), firstFrom(stretches, untilMs));
    },
  };
}

/** The index of the first whose middle is not before this time. */
function firstFrom(stretches: readonly Stretch<unknown>[], ms: number): number {
  let [low, high] = [0, stretches.length];
  while (low < high) {
    const index = (low + high) >> 1;
    const { fromMs = 0, untilMs = 0 } = stretches[index] ?? {};
    if ((fromMs + untilMs) / 2 < ms) low = index + 1;
    else high = index;
  }
  return low;
}
