import { expect, test } from 'vitest';
import { MallError, refused } from '../../../../../system/errors.ts';
import { isFor, isKey, linesOf, type Order, priced, stepFailureOf, totalCentsOf } from '../../../../../system/services/orders/orders.ts';

test('one line for each product, in the order of the database', () => {
  const wanted = [
    { productId: 'sku-2', quantity: 2 },
    { productId: 'sku-1', quantity: 1 },
    { productId: 'sku-1', quantity: 3 },
  ];
  expect(linesOf(wanted)).toEqual([
    { productId: 'sku-1', quantity: 4 },
    { productId: 'sku-2', quantity: 2 },
  ]);
});

test.each([
  [[], 'Expected 1 to 20 products, got 0'],
  [[{ productId: '', quantity: 1 }], 'Expected every line to name a product'],
  [[{ productId: 'sku-1', quantity: 0 }], "Expected a quantity from 1 of 'sku-1', got 0"],
  [
    [
      { productId: 'sku-1', quantity: 50 },
      { productId: 'sku-1', quantity: 50 },
    ],
    "Expected at most 99 of 'sku-1', got 100",
  ],
  [Array.from({ length: 21 }, (_, index) => ({ productId: `sku-${index}`, quantity: 1 })), 'Expected 1 to 20 products, got 21'],
])('says what is wrong with %j', (wanted, sentence) => {
  expect(linesOf(wanted)).toBe(sentence);
});

test('an order costs the sum of its lines at the prices of the catalogue', () => {
  const lines = priced(
    [
      { productId: 'sku-1', quantity: 2 },
      { productId: 'sku-2', quantity: 1 },
    ],
    new Map([
      ['sku-1', 150],
      ['sku-2', 99],
    ]),
  );
  expect(lines).toEqual([
    { productId: 'sku-1', quantity: 2, priceCents: 150 },
    { productId: 'sku-2', quantity: 1, priceCents: 99 },
  ]);
  expect(typeof lines === 'string' ? 0 : totalCentsOf(lines)).toBe(399);
});

test('a product without a price does not exist', () => {
  expect(priced([{ productId: 'sku-none', quantity: 1 }], new Map())).toBe("There is no product 'sku-none'");
});

test.each([
  ['a', true],
  ['x'.repeat(64), true],
  ['', false],
  ['x'.repeat(65), false],
  ['two words', false],
  ['ключ', false],
])('whether %j is an idempotency key: %s', (text, is) => {
  expect(isKey(text)).toBe(is);
});

test.each([
  [[{ productId: 'sku-1', quantity: 2 }], true],
  [[{ productId: 'sku-1', quantity: 3 }], false],
  [[{ productId: 'sku-2', quantity: 2 }], false],
  [
    [
      { productId: 'sku-1', quantity: 2 },
      { productId: 'sku-2', quantity: 2 },
    ],
    false,
  ],
])('whether two of sku-1 are %j: %s', (wanted, is) => {
  const order: Order = {
    id: 'O1',
    userId: 1,
    status: 'PAID',
    totalCents: 300,
    lines: [{ productId: 'sku-1', quantity: 2, priceCents: 150 }],
  };
  expect(isFor(order, wanted)).toBe(is);
});

test.each([
  [new MallError('outOfStock'), 'no'],
  [new MallError('insufficientBalance'), 'no'],
  [new MallError('orderStatus'), 'no'],
  [refused('breaker'), 'turnedAway'],
  [refused('shedding'), 'turnedAway'],
  [refused('limit'), 'turnedAway'],
  [refused('deadline'), 'unknown'],
  [new MallError('paymentTimeout'), 'unknown'],
  [new MallError('rpc'), 'unknown'],
  [new MallError('database'), 'unknown'],
  [new MallError('serverError'), 'unknown'],
  [new TypeError('a mistake of ours'), 'unknown'],
] as const)('%s leaves behind: %s', (error, failure) => {
  expect(stepFailureOf(error)).toBe(failure);
});
