import { expect, test } from 'vitest';
import type { Play } from '../../../../bench/truth/play.ts';
import { resultOf } from '../../../../bench/truth/run.ts';
import { scripts } from '../../../../bench/truth/scripts.ts';

test('every play that failed counts, also when it failed in the same words as another', () => {
  const [script] = scripts;
  if (script === undefined) throw new Error('Expected a script');
  const failed: Play = { kind: 'failed', message: 'ended with code 1' };
  const plays: Play[] = [failed, { kind: 'invalid', pauseMs: 30 }, failed];
  expect(resultOf({ name: 'ours' }, script, { plays, refused: undefined, pingMs: 0.02 })).toMatchObject({
    ...{ valid: 0, invalid: 1 },
    failed: ['ended with code 1', 'ended with code 1'],
  });
});
