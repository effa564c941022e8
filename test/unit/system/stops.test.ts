import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createStops } from '../../../system/stops.ts';
import { testRuntime } from '../../support/runtime.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('what was registered last is stopped first, and one that fails keeps none from running', async () => {
  const { onStop, stopAll, lines, stopped } = recorded();
  onStop('etcd', stopped('etcd'));
  onStop('mysql', async () => {
    throw new Error('gone');
  });
  onStop('sweep', stopped('sweep'));
  await Promise.all([stopAll(), stopAll()]);
  expect(stopped.names).toEqual(['sweep', 'etcd']);
  expect(lines).toMatchObject([{ msg: "Stopping 'mysql' failed", err: { message: 'gone' } }]);
  expect(vi.getTimerCount()).toBe(0);
});

test('when patience runs out, the one that hangs is named and so are those it held up', async () => {
  const { onStop, stopAll, lines, stopped } = recorded({ wrapUpMs: 0, waitMs: 6_000 });
  onStop('tracing', stopped('tracing'));
  onStop('mysql', stopped('mysql'));
  onStop('sweep', () => new Promise(() => {}));
  onStop('registration', stopped('registration'));
  const all = stopAll();
  await vi.advanceTimersByTimeAsync(6_000);
  await all;
  expect(stopped.names).toEqual(['registration']);
  expect(lines).toMatchObject([
    { msg: "Stopping 'sweep' took too long: after 6000 ms the process ends without it", givenUp: ['mysql', 'tracing'] },
  ]);
});

test('who is called leaves at once, side by side, and stops when callers have had a second to hear of it', async () => {
  const { onLeave, onStop, stopAll, lines, stopped } = recorded({ wrapUpMs: 1_000 });
  onStop('server', stopped('server stopped'));
  onLeave('etcd', () => new Promise(() => {}));
  onLeave('proxy', async () => {
    throw new Error('gone');
  });
  onLeave('readiness', stopped('not ready'));
  const all = stopAll();
  await vi.advanceTimersByTimeAsync(999);
  expect(stopped.names).toEqual(['not ready']);
  await vi.advanceTimersByTimeAsync(1);
  await all;
  expect(stopped.names).toEqual(['not ready', 'server stopped']);
  expect(lines).toMatchObject([{ msg: "Leaving 'proxy' failed", err: { message: 'gone' } }]);
});

test('the wait is over when its time is, also while wrapping up', async () => {
  const { onLeave, onStop, stopAll, stopped } = recorded({ wrapUpMs: 10_000, waitMs: 5_500 });
  onLeave('etcd', stopped('left'));
  onStop('server', stopped('server stopped'));
  const all = stopAll();
  await vi.advanceTimersByTimeAsync(5_500);
  await all;
  expect(stopped.names).toEqual(['left']);
});

test('what is registered while the process ends leaves at once, and is stopped like all else', async () => {
  const { onLeave, onStop, stopAll, stopped, lines } = recorded({ wrapUpMs: 1_000, waitMs: 5_500 });
  onStop('etcd', stopped('etcd stopped'));
  onLeave('readiness', stopped('not ready'));
  const all = stopAll();
  await vi.advanceTimersByTimeAsync(500);
  onStop('server', async () => onStop('channel', () => new Promise(() => {})));
  onLeave('registration', stopped('withdrawn'));
  await vi.advanceTimersByTimeAsync(0);
  expect(stopped.names).toEqual(['not ready', 'withdrawn']);
  await vi.advanceTimersByTimeAsync(5_000);
  await all;
  expect(lines).toMatchObject([{ msg: "Stopping 'channel' took too long: after 5500 ms the process ends without it", givenUp: ['etcd'] }]);
});

test('one that fails before it has begun keeps none from running', async () => {
  const { onLeave, onStop, stopAll, stopped, lines } = recorded({ wrapUpMs: 0 });
  const fail = () => {
    throw new Error('at once');
  };
  onStop('mysql', stopped('mysql'));
  onStop('server', fail);
  onLeave('proxy', fail);
  onLeave('readiness', stopped('not ready'));
  const all = stopAll();
  await vi.advanceTimersByTimeAsync(0);
  await all;
  expect(stopped.names).toEqual(['not ready', 'mysql']);
  expect(lines).toMatchObject([{ msg: "Leaving 'proxy' failed" }, { msg: "Stopping 'server' failed" }]);
});

test('where nobody leaves nobody waits', async () => {
  const { onStop, stopAll, stopped } = recorded();
  onStop('mysql', stopped('mysql'));
  await stopAll();
  expect(stopped.names).toEqual(['mysql']);
});

function recorded({ wrapUpMs = 1_000, waitMs = 5_500 } = {}) {
  const { log, lines } = testRuntime('orders');
  const names: string[] = [];
  const stopped = (name: string) => async () => void names.push(name);
  return { ...createStops(log, { wrapUpMs, waitMs }), lines, stopped: Object.assign(stopped, { names }) };
}
