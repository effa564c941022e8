import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createAsks } from '../../../../bench/truth/asks.ts';

const head = 'GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-Odd: \r \n\r a\r\r\n\r\n';

test('heads are counted whole, however they are cut into pieces', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5 }), fc.array(fc.integer({ min: 0, max: 400 })), (heads, cuts) => {
      const bytes = Buffer.from(head.repeat(heads));
      const borders = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length];
      const take = createAsks();
      const counted = borders.slice(1).map((end, i) => take(bytes.subarray(borders[i], end)));
      expect(counted.reduce((sum, count) => sum + count, 0)).toBe(heads);
    }),
  );
});

test('a head counts with its last byte, not before', () => {
  const take = createAsks();
  expect(take(Buffer.from(head.slice(0, -1)))).toBe(0);
  expect(take(Buffer.from('\n'))).toBe(1);
});
