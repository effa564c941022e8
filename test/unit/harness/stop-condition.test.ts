import { expect, test } from 'vitest';
import { abortWhen, vocabulary } from '../../../harness/index.ts';
import type { Calls } from '../../../harness/observe/observations.ts';
import { type StopCondition, watchConditions } from '../../../harness/stop-condition.ts';

const browsing = abortWhen('browse', { errorsAbove: '50%', for: '3s' });
const database = abortWhen('user->mysql', { errorsAbove: '10%', for: '2s' });

test.each([
  ['every second is bad', [9, 9, 9, 9], 3],
  ['one second in between is good', [9, 9, 5, 9, 9, 9], 6],
  ['nothing is asked in between', [9, undefined, 9], 3],
  ['trouble ends in silence', [9, undefined, undefined], 3],
  ['half is not more than half', [5, 5, 5, 5, 5], undefined],
  ['all is well', [0, 0, 0, 0], undefined],
] as const)('a route that fails aborts after its time: %s', (_case, failed, afterSeconds) => {
  const routes = failed.map((count) => (count === undefined ? {} : { browse: { ended: 10, failed: count } }));
  expect(abortsAfter([browsing], { routes })).toEqual(
    afterSeconds === undefined ? undefined : { seconds: afterSeconds, condition: browsing },
  );
});

test('a step of a journey is watched like a route', () => {
  const buying = vocabulary('list', 'buy').abortWhen('buy', { errorsAbove: '20%', for: '2s' });
  expect(buying.sentence).toBe('more than 20% of buy requests fail for 2s');
  const routes = [3, 2, 3, 3].map((failed) => ({ list: { ended: 10, failed: 10 }, buy: { ended: 10, failed } }));
  expect(abortsAfter([buying], { routes })).toEqual({ seconds: 4, condition: buying });
});

test('calls that fail and calls that are refused count alike on an edge, a second late', () => {
  const calls = [{ count: 100 }, { count: 100, failed: 6, refused: 5 }, { count: 100, refused: 11 }, { count: 100, failed: 11 }];
  expect(abortsAfter([database], { calls })).toEqual({ seconds: 4, condition: database });
});

test('the first that comes true is told, whatever stands before it', () => {
  const routes = Array.from({ length: 9 }, () => ({ browse: { ended: 10, failed: 9 } }));
  expect(abortsAfter([database, browsing], { routes })?.condition).toBe(browsing);
});

test('says what it watches', () => {
  expect(browsing.sentence).toBe('more than 50% of browse requests fail for 3s');
  expect(database.sentence).toBe('more than 10% of calls on user->mysql fail for 2s');
});

test.each([
  [
    () => abortWhen('brows' as 'browse', { errorsAbove: '50%', for: '3s' }),
    'Expected abortWhen to watch a route (browse, view, checkout) or an edge',
  ],
  [() => abortWhen('browse', { errorsAbove: '500%', for: '3s' }), "Expected a percentage from '0%' to '100%', got '500%'"],
  [() => abortWhen('browse', { errorsAbove: '50%', for: '3' as '3s' }), "'for': Expected a duration such as"],
  [() => abortWhen('browse', { errorsAbove: '50%', for: '0s' }), "Expected abortWhen to have a time above 0 in 'for', got '0s'"],
  [
    () => abortWhen('browse', { errorsAbove: '50%', for: '3s', form: '1s' } as never),
    "Expected the limit of abortWhen to have 'errorsAbove' and 'for' only, got 'form'",
  ],
  [() => abortWhen('browse', undefined as never), 'Expected the limit of abortWhen to be an object, got nothing'],
  // @ts-expect-error no such step
  [() => vocabulary('list').abortWhen('lst', { errorsAbove: '101%', for: '3s' }), "Expected a percentage from '0%' to '100%', got '101%'"],
])('refuses what it cannot watch %#', (make, sentence) => {
  expect(make).toThrow(sentence);
});

/** Plays one second after the other, and answers after which of them which condition was true. */
function abortsAfter(
  conditions: StopCondition[],
  {
    routes = [],
    calls = [],
  }: { routes?: readonly Parameters<ReturnType<typeof watchConditions>>[0]['routes'][]; calls?: Partial<Calls>[] },
) {
  let nowMs = 0;
  const look = watchConditions({
    conditions,
    nowMs: () => nowMs,
    callsOn: (_edge, { fromMs }) => ({ count: 0, failed: 0, refused: 0, sentSinceLastRefusal: 0, retried: 0, ...calls[fromMs / 1_000] }),
  });
  for (let seconds = 1; seconds <= Math.max(routes.length, calls.length + 1); seconds++) {
    nowMs = seconds * 1_000;
    const condition = look({ routes: routes[seconds - 1] ?? {} });
    if (condition !== undefined) return { seconds, condition };
  }
  return undefined;
}
