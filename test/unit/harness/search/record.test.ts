import { expect, test } from 'vitest';
import { conclusionOf } from '../../../../harness/search/record.ts';
import type { Tally, TrialOutcome } from '../../../../harness/search/search.ts';

const tally = (ratePerSecond: number, counts: Partial<Record<TrialOutcome, number>>): Tally => ({
  ratePerSecond,
  ...{ met: 0, missed: 0, undecided: 0, unknown: 0 },
  ...counts,
});
const met = tally(412, { met: 3 });
const above = tally(1_433, { missed: 2, met: 1 });

test.each([
  [{ kind: 'found', met, above } as const, 'met', '412/s (met 3 of 3; 1,433/s missed 2 of 3, met 1)'],
  [{ kind: 'belowLowest', above: tally(50, { missed: 3 }) } as const, 'missed', 'Even 50/s is too much (missed 3 of 3)'],
  [{ kind: 'aboveHighest', met } as const, 'unknown', 'Even 412/s is not too much (met 3 of 3), and no higher rate was to be tried'],
  [
    { kind: 'undecided', met, above: tally(433, { unknown: 3 }), why: 'no trial above it was good for a verdict' } as const,
    'unknown',
    'No limit was found: no trial above it was good for a verdict (412/s met 3 of 3; 433/s said nothing 3 times)',
  ],
  [{ kind: 'undecided', why: 'payment.1 died (SIGKILL)' } as const, 'unknown', 'No limit was found: payment.1 died (SIGKILL)'],
])('a search that ends with $kind says what it rests on', (result, outcome, why) => {
  expect(conclusionOf(result)).toEqual({ outcome, why });
});
