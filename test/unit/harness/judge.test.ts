import { expect, test } from 'vitest';
import type { PlayedFault } from '../../../harness/fault-log.ts';
import { conclude, type JudgedExpectation } from '../../../harness/judge.ts';

const verdict = (outcome: JudgedExpectation['outcome']): JudgedExpectation => ({
  phase: 'calm',
  sentence: `it is ${outcome}`,
  outcome,
  observed: 'so',
});

test.each([
  [['met', 'met'], 'met', 'All 2 expectations met'],
  [['met', 'unknown'], 'unknown', '1 of 2 expectations could not be judged, first: it is unknown - so'],
  [['unknown', 'missed'], 'missed', '1 of 2 expectations missed, first: it is missed - so'],
] as const)('%j makes the run %s', (outcomes, outcome, why) => {
  expect(conclude({ verdicts: outcomes.map(verdict) })).toEqual({ outcome, why });
});

test('a run that stopped at its precondition is unknown, even where something was missed', () => {
  expect(conclude({ verdicts: [verdict('missed')], stoppedBy: [verdict('met'), verdict('missed')] })).toEqual({
    outcome: 'unknown',
    why: "The run stopped after 'calm', its precondition: it is missed - so",
  });
});

test.each<[string, readonly PlayedFault[]]>([
  ['The run was aborted: too much', []],
  ['The run was aborted and all faults undone: too much', [{} as PlayedFault]],
])('an aborted run says: %s', (why, faults) => {
  expect(conclude({ verdicts: [verdict('met')], abortedBy: 'too much', faults })).toEqual({ outcome: 'unknown', why });
});

test('a run that expected nothing proves nothing', () => {
  expect(conclude({ verdicts: [] })).toEqual({ outcome: 'unknown', why: 'Nothing was expected' });
});
