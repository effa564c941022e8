import { type LiveCounts, noCounts } from './live.ts';

/** What the threads have counted since the last time that it was told; `silentMs` where one of them has not answered for so long. */
export type Heard = { counts: LiveCounts[]; silentMs?: number };

/**
 * Asks every thread what it has counted, each time that it is called, and tells it when all have answered. A thread that is held up is waited for,
 * and the others go on counting; but whoever watches must not be left alone with a load that stands still. So once it has been silent for a while
 * that is told with every call, beside what the others have counted. Of a thread that is silent the visitors count as under way who last were.
 */
export function createRollCall({
  threads,
  now,
  onHeard,
}: {
  /** Rejects when the thread has ended: then nothing is told any more. */
  threads: readonly (() => Promise<LiveCounts>)[];
  now: () => number;
  onHeard: (heard: Heard) => void;
}): () => void {
  const states: State[] = threads.map(() => ({ kind: 'idle' }));
  const inFlight = threads.map(() => 0);
  let hasEnded = false;

  return function callRoll() {
    const silentMs = Math.max(...states.map((state) => (state.kind === 'asked' ? now() - state.sinceMs : 0)));
    if (silentMs >= quietMs) tell(silentMs);
    for (const [index, ask] of threads.entries()) {
      if (states[index]?.kind !== 'idle') continue;
      states[index] = { kind: 'asked', sinceMs: now() };
      ask().then(
        (counts) => take(index, counts),
        () => {
          // Why a thread does not answer is told to whoever waits for the end of the phase.
          hasEnded = true;
        },
      );
    }
  };

  function take(index: number, counts: LiveCounts) {
    states[index] = { kind: 'heard', counts };
    inFlight[index] = counts.inFlight;
    if (states.every(({ kind }) => kind === 'heard')) tell();
  }

  function tell(silentMs?: number) {
    if (hasEnded) return;
    const counts = states.map((state, index) => (state.kind === 'heard' ? state.counts : noCounts(inFlight[index] ?? 0)));
    for (const [index, { kind }] of states.entries()) if (kind === 'heard') states[index] = { kind: 'idle' };
    onHeard({ counts, ...(silentMs === undefined ? {} : { silentMs }) });
  }
}

/** A thread is asked again when what it said has been told, so that nothing piles up. */
type State = { kind: 'idle' } | { kind: 'asked'; sinceMs: number } | { kind: 'heard'; counts: LiveCounts };

/** Shorter pauses are in the lag. A little less than three calls, which are not quite a second apart. */
const quietMs = 2_500;
