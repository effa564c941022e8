import { expect, test } from 'vitest';
import { UsageError } from '../../../../core/errors.ts';
import { catalogue, readSeed, shopper } from '../../../../system/seed/seed.ts';

const seed = (value: unknown) => readSeed({ MALL_SEED: JSON.stringify(value) });

test('reads how many shoppers there are and how much of which product', () => {
  expect(seed({ shoppers: 50, stock: { 'sku-1': 500, 'sku-200': 0 } })).toEqual({ shoppers: 50, stock: { 'sku-1': 500, 'sku-200': 0 } });
});

test.each([
  [{ shoppers: 50, stock: { 'sku-201': 1 } }, "Expected stock of a product from 'sku-1' to 'sku-200', got stock of 'sku-201'"],
  [{ shoppers: 50, stock: { 'sku-1': -1 } }, "Expected the stock of 'sku-1' to be a whole number from 0, got -1"],
  [{ shoppers: 0, stock: {} }, 'Expected the shoppers to seed to be a whole number from 1 to 10000, got 0'],
  [{ shoppers: 50 }, 'Expected stock by product, got undefined'],
])('%j cannot be seeded', (value, sentence) => {
  expect(() => seed(value)).toThrow(new UsageError(sentence));
});

test('a seed that is missing or no JSON is said to be so', () => {
  expect(() => readSeed({})).toThrow(UsageError);
  expect(() => readSeed({ MALL_SEED: '{' })).toThrow("Expected the environment variable MALL_SEED to hold the seed as JSON, got '{'");
});

test('the catalogue has 200 products, each with a price in whole cents', () => {
  expect([catalogue.length, catalogue[0]?.id, catalogue[199]?.id]).toEqual([200, 'sku-1', 'sku-200']);
  expect(catalogue.every(({ priceCents }) => Number.isInteger(priceCents) && priceCents > 0)).toBe(true);
});

test('a shopper is known by the number', () => {
  expect(shopper(7)).toEqual({ id: 7, mobile: '13800000007', name: 'Shopper 7', password: 'password-7' });
});
