import { expect, test } from 'vitest';
import { limitData } from '../../../../../chaos/embedded/toxics/limit-data.ts';
import { actOf } from './stand-in.ts';

test.each([
  [100, [50, 49], ['0: 50 B stamped 0', '0: 49 B stamped 0']],
  [100, [50, 50], ['0: 50 B stamped 0', '0: 50 B stamped 0', '0: end']],
  [100, [150], ['0: 100 B stamped 0', '0: end']],
  [0, [1], ['0: end']],
  [-1, [1], ['0: end']],
])('a limit of %i makes %j into %j', (bytes, reads, passed) => {
  const act = actOf(limitData, { bytes });
  for (const size of reads) act.read(size);
  expect(act.passed).toEqual(passed);
});
