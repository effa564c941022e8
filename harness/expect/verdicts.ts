import type { Observations } from '../observe/observations.ts';
import type { Verdict } from '../record.ts';

export const met = (observed: string): Verdict => ({ outcome: 'met', observed });
export const missed = (observed: string): Verdict => ({ outcome: 'missed', observed });
export const unknown = (observed: string): Verdict => ({ outcome: 'unknown', observed });
export const verdict = (holds: boolean, observed: string) => (holds ? met(observed) : missed(observed));

/** What is missing from traces may have been lost on the way here. */
export function missedUnlessLost(seen: Observations, observed: string): Verdict {
  const lost = seen.lostSpans();
  return lost.length === 0 ? missed(observed) : unknown(`spans were lost on the way from ${named(lost)}; ${observed}`);
}

/** Processes and how many of their spans are missing. */
export const named = (lost: ReturnType<Observations['lostSpans']>) => lost.map(({ instance, lost }) => `${instance} (${lost})`).join(', ');

export const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 ? 2 : 1)}%`;
export const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
export const round = (ms: number) => (ms < 10 ? ms.toFixed(2) : ms.toFixed(1));
