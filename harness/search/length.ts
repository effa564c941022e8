import { forgetMs, warmUpMs } from './pauses.ts';
import { nextStep, type SearchSettings, type Trial } from './search.ts';

/**
 * How many trials a search needs at most, and how long they last, as long as none contradicts another; without the time to stand up and to come to
 * rest. Found by playing it: with a limit just above each of the rates that it climbs by, and with none.
 */
export function longestSearch(settings: SearchSettings & { trialMs: (ratePerSecond: number) => number }): {
  trials: number;
  lastsMs: number;
} {
  const { fromPerSecond, upToPerSecond } = settings;
  const limits = [0, Number.POSITIVE_INFINITY];
  for (let rate = fromPerSecond; rate < upToPerSecond; rate *= 2) limits.push(rate);
  const lengths = limits.map((limitPerSecond) => lengthOf(settings, limitPerSecond));
  return { trials: Math.max(...lengths.map(({ trials }) => trials)), lastsMs: Math.max(...lengths.map(({ lastsMs }) => lastsMs)) };
}

function lengthOf(
  { trialMs, ...settings }: SearchSettings & { trialMs: (ratePerSecond: number) => number },
  limitPerSecond: number,
): { trials: number; lastsMs: number } {
  const trials: Trial[] = [];
  let lastsMs = warmUpMs;
  for (;;) {
    const step = nextStep(settings, trials);
    if (step.kind === 'done') return { trials: trials.length, lastsMs };
    const outcome = step.ratePerSecond <= limitPerSecond ? 'met' : 'missed';
    trials.push({ ratePerSecond: step.ratePerSecond, outcome });
    lastsMs += trialMs(step.ratePerSecond) + (outcome === 'met' ? 0 : forgetMs);
  }
}
