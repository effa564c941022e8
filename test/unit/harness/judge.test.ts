import { expect, test } from 'vitest';
import { phase, steady } from '../../../harness/index.ts';
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
  const calm = { phase: phase('calm', { lasts: '10s', load: steady('1/s'), expect: [] }), fromMs: 0, lastsMs: 10_000 };
  expect(conclude({ verdicts: [verdict('missed')], stoppedAt: calm })).toEqual({
    outcome: 'unknown',
    why: "The run stopped after 'calm', its precondition: it is missed - so",
  });
});
