import { expect, test } from 'vitest';
import { cacheRequests } from '../../../../system/stores/cache-requests.ts';

test('a minute counts what happened in it, hits of all levels together', () => {
  const { counts, lastMinute } = cacheRequests();
  counts.local.hit = 3;
  counts.local.miss = 97;
  counts.shared.hit = 2;
  counts.redis.hit = 70;
  counts.redis.miss = 20;
  counts.redis.fail = 5;
  counts.database.fail = 4;
  expect(lastMinute()).toEqual({ qpm: 100, hitRatio: 0.75, hit: 75, miss: 25, dbFails: 4 });
  counts.redis.hit += 1;
  expect(lastMinute()).toEqual({ qpm: 1, hitRatio: 1, hit: 1, miss: 0, dbFails: 0 });
});

test('a minute without a request has no line', () => {
  expect(cacheRequests().lastMinute()).toBeUndefined();
});
