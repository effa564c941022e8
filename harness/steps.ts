import type { Clock } from '../core/time.ts';

export type Step = { title: string; tookMs: number };

/** Times the steps of a run, one after the other: a step lasts until the next one begins. */
export function createSteps({ clock, onBegin }: { clock: Clock; onBegin: (title: string) => void }) {
  const done: Step[] = [];
  let current: { title: string; sinceMs: number } | undefined;

  function end(): void {
    if (current !== undefined) done.push({ title: current.title, tookMs: clock() - current.sinceMs });
    current = undefined;
  }

  return {
    begin(title: string): void {
      end();
      current = { title, sinceMs: clock() };
      onBegin(title);
    },
    /** Ends the current step; all steps so far, in order. */
    end(): Step[] {
      end();
      return [...done];
    },
  };
}
export type Steps = ReturnType<typeof createSteps>;
