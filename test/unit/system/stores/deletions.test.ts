import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDeletions } from '../../../../system/stores/deletions.ts';

const [second, minute, hour] = [1_000, 60_000, 3_600_000];

/** Deletions of a cache that answers, or does not; `attempts` says when which keys were tried. */
function failing({ most = 10_000 } = {}) {
  const seen = { nowMs: 0, isThere: false, attempts: [] as [ms: number, keys: string][], givenUp: [] as string[] };
  const deletions = createDeletions({
    nowMs: () => seen.nowMs,
    most,
    async remove(keys) {
      seen.attempts.push([seen.nowMs, keys.join()]);
      if (!seen.isThere) throw new Error('gone');
    },
    onGivenUp: (keys) => seen.givenUp.push(...keys),
  });
  const pass = async (ms: number) => {
    for (const end = seen.nowMs + ms; seen.nowMs < end; ) {
      seen.nowMs += second;
      await deletions.tick();
    }
  };
  return { seen, deletions, pass };
}

test('a key is tried after 1 s, then 5 s, 1 min, 5 min and 1 h later, and then given up', async () => {
  const { seen, deletions, pass } = failing();
  deletions.add(['a']);
  await pass(2 * hour);
  const gaps = seen.attempts.map(([ms], index) => ms - (seen.attempts[index - 1]?.[0] ?? 0));
  expect(gaps).toEqual([second, 5 * second, minute, 5 * minute, hour]);
  expect(seen.givenUp).toEqual(['a']);
});

test('a key that is deleted at last is not tried again', async () => {
  const { seen, deletions, pass } = failing();
  deletions.add(['a']);
  await pass(second);
  seen.isThere = true;
  await pass(hour);
  expect(seen.attempts).toEqual([
    [1_000, 'a'],
    [6_000, 'a'],
  ]);
  expect(seen.givenUp).toEqual([]);
});

test('keys whose time has come are tried in one command', async () => {
  const { seen, deletions, pass } = failing();
  deletions.add(['a', 'b']);
  deletions.add(['b', 'c']);
  await pass(second);
  expect(seen.attempts).toEqual([[1_000, 'a,b,c']]);
});

test('a key whose deletion fails anew begins at the first delay', async () => {
  const { seen, deletions, pass } = failing();
  deletions.add(['a']);
  await pass(10 * second);
  deletions.add(['a']);
  await pass(6 * second);
  expect(seen.attempts.map(([ms]) => ms)).toEqual([1_000, 6_000, 11_000, 16_000]);
});

test('at the end all are tried once at once, and what fails is given up', async () => {
  const { seen, deletions, pass } = failing();
  deletions.add(['a', 'b']);
  await pass(10 * second);
  await deletions.runAll();
  expect(seen.attempts.at(-1)).toEqual([10_000, 'a,b']);
  expect(seen.givenUp).toEqual(['a', 'b']);
  await pass(hour);
  expect(seen.attempts).toHaveLength(3);
});

test('no more than so many wait; the others are given up at once', async () => {
  const { seen, deletions } = failing({ most: 2 });
  deletions.add(['a', 'b', 'c', 'a']);
  expect(seen.givenUp).toEqual(['c']);
});

test('every key is deleted or given up in the end, and none of them twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat().map(String)), fc.nat({ max: 5_000 }), async (keys, seconds) => {
      const { seen, deletions, pass } = failing();
      deletions.add(keys);
      await pass(seconds * second);
      seen.isThere = true;
      const before = seen.attempts.length;
      await deletions.runAll();
      const removed = seen.attempts.slice(before).flatMap(([, tried]) => tried.split(','));
      expect([...seen.givenUp, ...removed].toSorted()).toEqual(keys.toSorted());
    }),
    { numRuns: 30 },
  );
});
