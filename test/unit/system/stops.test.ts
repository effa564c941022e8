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
  const { onStop, stopAll, lines, stopped } = recorded({ patienceMs: 6_000 });
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

function recorded({ patienceMs = 6_000 } = {}) {
  const { log, lines } = testRuntime('orders');
  const names: string[] = [];
  const stopped = (name: string) => async () => void names.push(name);
  return { ...createStops(log, { patienceMs }), lines, stopped: Object.assign(stopped, { names }) };
}
