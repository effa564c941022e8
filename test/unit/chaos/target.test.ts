import { expect, test } from 'vitest';
import { cut, type Fault, kill } from '../../../chaos/faults.ts';
import { all, atAllOrNone, hold, type Target, targetOf } from '../../../chaos/target.ts';

const places = ['a', 'b', 'c'];

test('what is applied everywhere is undone everywhere', async () => {
  const { on, apply } = switches();
  const undo = await atAllOrNone(places, apply());
  expect([...on].sort()).toEqual(places);
  await undo();
  expect([...on]).toEqual([]);
});

test('where one place refuses none stays on, and its words are told', async () => {
  const { on, apply } = switches();
  await expect(atAllOrNone(places, apply({ refuses: 'b' }))).rejects.toThrow('b refused');
  expect([...on]).toEqual([]);
});

test('a place that is slow to apply is waited for and undone when another has refused', async () => {
  const { on, apply } = switches();
  const applySlowly = apply({ refuses: 'b' });
  const attempt = atAllOrNone(places, async (place) => {
    if (place === 'c') await new Promise((resolve) => setImmediate(resolve));
    return await applySlowly(place);
  });
  await expect(attempt).rejects.toThrow('b refused');
  expect([...on]).toEqual([]);
});

test('the refusal is told even when another place cannot be undone', async () => {
  const { apply } = switches();
  await expect(atAllOrNone(places, apply({ refuses: 'b', sticks: 'a' }))).rejects.toThrow('b refused');
});

test('a place that cannot be undone keeps no other on, and undoing may be tried again', async () => {
  const { on, apply } = switches();
  const undo = await atAllOrNone(places, apply({ sticks: 'a' }));
  await expect(undo()).rejects.toThrow('a sticks');
  expect([...on]).toEqual(['a']);
  await undo();
  expect([...on]).toEqual([]);
});

test('nowhere at all is applied and undone', async () => {
  await (await atAllOrNone([], () => Promise.reject(new Error('never called'))))();
});

test('all works end before the first trouble is told, with how many there were', async () => {
  let isDone = false;
  const late = new Promise((resolve) => setImmediate(resolve)).then(() => {
    isDone = true;
  });
  await expect(all([Promise.reject(new Error('first')), late, Promise.reject(new Error('second'))])).rejects.toThrow(
    '2 of 3 calls failed, the first: first',
  );
  expect(isDone).toBe(true);
  await expect(all([late, Promise.reject(new Error('only'))])).rejects.toThrow(/^only$/);
});

test('what is held by several is let go by the last of them', async () => {
  const { state, settled, settle } = holding();
  const [first, second] = [await hold(state, settle), await hold(state, settle)];
  await first();
  await first();
  expect(settled()).toBe(1);
  await second();
  expect(settled()).toBe(0);
});

test('who could not be settled is not counted', async () => {
  const { state, settled, settle } = holding({ failures: 1 });
  await expect(hold(state, settle)).rejects.toThrow('cannot settle 1');
  const undo = await hold(state, settle);
  expect(settled()).toBe(1);
  await undo();
  expect(settled()).toBe(0);
});

test('what could not be let go is tried again, and counted once', async () => {
  const { state, settled, settle, fail } = holding();
  const [first, second] = [await hold(state, settle), await hold(state, settle)];
  fail();
  await expect(first()).rejects.toThrow('cannot settle 1');
  expect(settled()).toBe(2);
  await first();
  expect(settled()).toBe(1);
  await second();
  expect(settled()).toBe(0);
});

test('each fault goes where it belongs', async () => {
  const seen: string[] = [];
  const named = (name: string): Target<never> => ({
    placesOf: ({ kind }: Fault) => [`${name} of ${kind}`],
    async apply({ kind }: Fault) {
      seen.push(`${name} applies ${kind}`);
      return async () => void seen.push(`${name} undoes ${kind}`);
    },
  });
  const target = targetOf({ network: named('network'), processes: named('processes') });
  for (const fault of [cut('user->redis'), kill('payment')]) await (await target.apply(fault))();
  expect(seen).toEqual(['network applies cut', 'network undoes cut', 'processes applies kill', 'processes undoes kill']);
  expect(target.placesOf(cut('user->redis'))).toEqual(['network of cut']);
  expect(target.placesOf(kill('payment'))).toEqual(['processes of kill']);
});

/** Something at each place that is on or not; one place may refuse to be put on, another sticks when it is first put off. */
function switches() {
  const on = new Set<string>();
  const apply =
    ({ refuses, sticks }: { refuses?: string; sticks?: string } = {}) =>
    async (place: string) => {
      if (place === refuses) throw new Error(`${place} refused`);
      on.add(place);
      let isStuck = place === sticks;
      return async () => {
        if (isStuck) {
          isStuck = false;
          throw new Error(`${place} sticks`);
        }
        on.delete(place);
      };
    };
  return { on, apply };
}

/** `settled` is the count that was last brought about. */
function holding({ failures = 0 } = {}) {
  const state = { holders: 0 };
  let settled = 0;
  let failuresLeft = failures;
  return {
    state,
    settled: () => settled,
    fail() {
      failuresLeft = 1;
    },
    async settle() {
      if (failuresLeft > 0) {
        failuresLeft -= 1;
        throw new Error(`cannot settle ${state.holders}`);
      }
      settled = state.holders;
    },
  };
}
