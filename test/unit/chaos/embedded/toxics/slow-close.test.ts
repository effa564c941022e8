import { expect, test } from 'vitest';
import { slowClose } from '../../../../../chaos/embedded/toxics/slow-close.ts';
import { actOf } from './stand-in.ts';

test.each([
  [300, '300: end'],
  [0, '0: end'],
  [-1, '0: end'],
])('with a delay of %i bytes pass at once and the end is passed on later', (delay, end) => {
  const { act, read, advance, passed } = actOf(slowClose, { delay });
  read(3);
  act.takeEnd?.();
  advance(1000);
  expect(passed).toEqual(['0: 3 B stamped 0', end]);
});
