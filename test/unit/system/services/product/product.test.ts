import { expect, test } from 'vitest';
import { pageOf } from '../../../../../system/services/product/product.ts';

test.each([
  [
    { page: 0, pageSize: 0 },
    { page: 1, pageSize: 20 },
  ],
  [
    { page: 3, pageSize: 50 },
    { page: 3, pageSize: 50 },
  ],
  [
    { page: 1, pageSize: 100 },
    { page: 1, pageSize: 100 },
  ],
  [{ page: 1, pageSize: 101 }, undefined],
  [{ page: -1, pageSize: 20 }, undefined],
  [{ page: 10_001, pageSize: 20 }, undefined],
  [{ page: 1, pageSize: -1 }, undefined],
])('the page for %j is %j', (asked, page) => {
  expect(pageOf(asked)).toEqual(page);
});
