import { collectDefaultMetrics } from 'prom-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startStatLines } from '../../../../system/telemetry/stat-lines.ts';
import { testRuntime } from '../../../support/runtime.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const minute = 60_000;

function started() {
  const runtime = testRuntime('gateway');
  runtime.metrics.levels.cpuMilli = () => 431;
  const lines = startStatLines(runtime);
  const enter = (kind: string) => {
    const totals = { pass: 0, fail: 0, drop: 0 };
    runtime.metrics.levels.shedders.push({ kind, shedder: { totals } });
    return totals;
  };
  const shedding = () => runtime.lines.splice(0).filter(({ msg }) => String(msg).startsWith('shedding_stat'));
  return { runtime, lines, enter, shedding };
}

test('every minute tells what a kind of shedder did in it, also when that is nothing', async () => {
  const { enter, shedding } = started();
  const normal = enter('api');
  const priority = enter('api');
  Object.assign(normal, { pass: 7, fail: 1, drop: 2 });
  Object.assign(priority, { pass: 3 });
  await vi.advanceTimersByTimeAsync(minute);
  expect(shedding()).toMatchObject([{ kind: 'api', cpu: 431, total: 13, pass: 10, drop: 2, msg: 'shedding_stat_drop' }]);
  normal.pass = 8;
  await vi.advanceTimersByTimeAsync(minute);
  expect(shedding()).toMatchObject([{ kind: 'api', total: 1, pass: 1, drop: 0, msg: 'shedding_stat' }]);
  await vi.advanceTimersByTimeAsync(minute);
  expect(shedding()).toMatchObject([{ kind: 'api', total: 0, pass: 0, drop: 0, msg: 'shedding_stat' }]);
});

test('each kind has a line of its own', async () => {
  const { enter, shedding } = started();
  enter('api').drop = 1;
  enter('rpc').pass = 1;
  await vi.advanceTimersByTimeAsync(minute);
  expect(shedding().map(({ kind, msg }) => [kind, msg])).toEqual([
    ['api', 'shedding_stat_drop'],
    ['rpc', 'shedding_stat'],
  ]);
});

test('every minute tells how the process does', async () => {
  const { runtime } = started();
  collectDefaultMetrics({ register: runtime.metrics.registry });
  await vi.advanceTimersByTimeAsync(minute);
  expect(runtime.lines).toMatchObject([
    { cpu: 431, heapMiB: expect.any(Number), rssMiB: expect.any(Number), collections: expect.any(Number), msg: 'process_stat' },
  ]);
  expect(Number(runtime.lines[0]?.rssMiB)).toBeGreaterThan(10);
});

test('nothing is told before the minute is over, or after the end', async () => {
  const { runtime, lines } = started();
  await vi.advanceTimersByTimeAsync(minute - 1);
  expect(runtime.lines).toEqual([]);
  lines.stop();
  await vi.advanceTimersByTimeAsync(10 * minute);
  expect(runtime.lines).toEqual([]);
});
