import fc from 'fast-check';
import { expect, test } from 'vitest';
import { missingOf, shelfOrder } from '../../../../../system/services/inventory/inventory.ts';

test('lines are taken in one order, whatever order they came in', () => {
  const line = fc.record({ productId: fc.constantFrom('sku-1', 'sku-2', 'sku-10', 'sku-b'), quantity: fc.integer({ min: 1, max: 9 }) });
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 8 }), (lines) => {
      const ordered = shelfOrder(lines) ?? [];
      expect(shelfOrder([...lines].reverse())).toEqual(ordered);
      expect(new Set(ordered.map(({ productId }) => productId)).size).toBe(ordered.length);
      expect(sum(ordered)).toBe(sum(lines));
    }),
  );
});

test.each([
  [[]],
  [[{ productId: 'sku-1', quantity: 0 }]],
  [[{ productId: 'sku-1', quantity: -1 }]],
  [[{ productId: 'sku-1', quantity: 1.5 }]],
])('%j cannot be taken from a shelf', (lines) => {
  expect(shelfOrder(lines)).toBeUndefined();
});

test('names the products there is too little of, the unknown ones among them', () => {
  const lines = [
    { productId: 'sku-1', quantity: 2 },
    { productId: 'sku-2', quantity: 2 },
    { productId: 'sku-none', quantity: 1 },
  ];
  expect(
    missingOf(
      lines,
      new Map([
        ['sku-1', 2],
        ['sku-2', 1],
      ]),
    ),
  ).toEqual(['sku-2', 'sku-none']);
});

const sum = (lines: readonly { quantity: number }[]) => lines.reduce((total, { quantity }) => total + quantity, 0);
