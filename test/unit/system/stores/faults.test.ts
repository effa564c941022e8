import { expect, test } from 'vitest';
import { MallError, refused } from '../../../../system/errors.ts';
import { DuplicateKeyError, databaseError, isAnswer, isDatabaseFault, isDeadlock } from '../../../../system/stores/faults.ts';

const reported = (errno: number) => databaseError(Object.assign(new Error('by the driver'), { errno }));

test.each<[string, Error, { isFault: boolean; isAnswer: boolean }]>([
  ['a key that exists (1062)', reported(1062), { isFault: false, isAnswer: true }],
  ['a deadlock (1213)', reported(1213), { isFault: true, isAnswer: false }],
  ['a lock that was waited for too long (1205)', reported(1205), { isFault: true, isAnswer: false }],
  ['too many connections (1040)', reported(1040), { isFault: true, isAnswer: false }],
  ['a statement that is wrong (1064)', reported(1064), { isFault: true, isAnswer: false }],
  ['an answer that came too late', refused('deadline'), { isFault: true, isAnswer: false }],
  ['what the business decided within a transaction', new MallError('outOfStock'), { isFault: false, isAnswer: true }],
  ['a value that the driver cannot send', new TypeError('by the driver'), { isFault: false, isAnswer: false }],
])('%s', (_what, thrown, expected) => {
  expect({ isFault: isDatabaseFault(thrown), isAnswer: isAnswer(thrown) }).toEqual(expected);
});

test('a deadlock is told apart, because trying again may help', () => {
  expect([isDeadlock(reported(1213)), isDeadlock(reported(1205)), isDeadlock(reported(1062))]).toEqual([true, false, false]);
  expect(reported(1062)).toBeInstanceOf(DuplicateKeyError);
});
