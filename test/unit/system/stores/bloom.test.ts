import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bloomOffsets } from '../../../../system/stores/bloom.ts';

test("the offsets of 'sku-1' among a million bits are go-zero's", () => {
  expect(bloomOffsets('sku-1', 1_000_000)).toEqual([
    843474, 685098, 561433, 130894, 146249, 853435, 299712, 56577, 654800, 550690, 653198, 971371, 952749, 515192,
  ]);
});

test('offsets lie within the bits, and are the same each time', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 2 ** 32 }), (element, bits) => {
      const offsets = bloomOffsets(element, bits);
      expect(offsets).toHaveLength(14);
      for (const offset of offsets) expect(Number.isInteger(offset) && offset >= 0 && offset < bits).toBe(true);
      expect(bloomOffsets(element, bits)).toEqual(offsets);
    }),
  );
});
