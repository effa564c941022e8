export type CacheRequests = ReturnType<typeof cacheRequests>;

/**
 * What a cache counts, by level. `shared` are readers who got what another one was fetching; a `fail` of Redis is a command that failed, one of
 * the database a query.
 */
export function cacheRequests() {
  const counts: Counts = {
    local: { hit: 0, miss: 0 },
    shared: { hit: 0 },
    redis: { hit: 0, miss: 0, fail: 0 },
    database: { hit: 0, miss: 0, fail: 0 },
  };
  let before = sumsOf(counts);

  return {
    counts,
    /** Every count with its labels. */
    rows: () =>
      Object.entries(counts).flatMap(([level, results]) => Object.entries(results).map(([result, count]) => ({ level, result, count }))),
    /**
     * go-zero's line of statistics (governance.md 7.4) since the last one, to be asked for each minute. Undefined when there was nothing to
     * count. As there, what somebody else fetched is a hit, and a failure of Redis a miss.
     */
    lastMinute() {
      const now = sumsOf(counts);
      const hit = now.hits - before.hits;
      const miss = now.misses - before.misses;
      const dbFails = now.failures - before.failures;
      before = now;
      const total = hit + miss;
      return total === 0 ? undefined : { qpm: total, hitRatio: hit / total, hit, miss, dbFails };
    },
  };
}

type Counts = {
  local: { hit: number; miss: number };
  shared: { hit: number };
  redis: { hit: number; miss: number; fail: number };
  database: { hit: number; miss: number; fail: number };
};

function sumsOf({ local, shared, redis, database }: Counts) {
  return { hits: local.hit + shared.hit + redis.hit, misses: redis.miss + redis.fail, failures: database.fail };
}
