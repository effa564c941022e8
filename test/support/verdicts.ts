import { expect } from 'vitest';
import type { RunRecord } from '../../harness/record.ts';

/**
 * What a whole run says on any machine: all is met, or cannot be judged because the machine was busy with others, and only because of that. What is
 * missed, or unknown for another reason, is our own fault.
 */
export function expectNothingMissed({ code, record, output }: { code: unknown; record: RunRecord; output: string }): void {
  const others = record.verdicts.filter(({ outcome }) => outcome !== 'met');
  for (const verdict of others) expect(verdict, output).toMatchObject({ outcome: 'unknown', observed: expect.stringMatching(busyMachine) });
  expect([code, record.outcome], output).toEqual(others.length === 0 ? [0, 'met'] : [2, 'unknown']);
  if (others.length === 0) expect(output).toContain(`All ${record.verdicts.length} expectations met`);
}

/** A short run that a busy machine has spoilt is run again, a few times at most: what it says then is what it would have said at once. */
export async function unlessSpoilt<Outcome extends { record?: RunRecord | undefined }>(run: () => Promise<Outcome>): Promise<Outcome> {
  for (let again = 4; ; again -= 1) {
    const outcome = await run();
    const isSpoilt = outcome.record?.verdicts.some((verdict) => verdict.outcome === 'unknown' && busyMachine.test(verdict.observed));
    if (isSpoilt !== true || again === 0) return outcome;
  }
}

/** The doubts that another machine would not have had. */
const busyMachine = new RegExp(
  [
    'the load generator (was busy for|itself was [\\d.]+ ms late)',
    'the machine itself paused',
    'the host took',
    'the CPU quota',
    // A delay that was there, and did not stand out from what else was late.
    "'.+' was not felt .*\\((seen too rarely to be sure|.+ would not stand out):",
  ]
    .map((doubt) => `^${doubt}`)
    .join('|'),
);
