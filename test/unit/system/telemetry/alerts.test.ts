import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Alert, alertLines, createAlerts } from '../../../../system/telemetry/alerts.ts';
import { createLog } from '../../../../system/telemetry/log.ts';
import { standingClock } from '../../../support/runtime.ts';

const minute = 60_000;
const refusal = (): Alert => ({ title: 'refused', details: {} });

function reporting() {
  const clock = standingClock();
  const sent: number[] = [];
  const alert = createAlerts({ clock, sink: ({ suppressed }) => void sent.push(suppressed) });
  return { clock, sent, alert };
}

test('there is one alert in five minutes, and the next tells how many came between', () => {
  const { clock, sent, alert } = reporting();
  for (let count = 0; count < 4; count += 1) alert(refusal);
  clock.advance(5 * minute);
  alert(refusal);
  expect(sent).toEqual([0]);
  clock.advance(1);
  alert(refusal);
  clock.advance(5 * minute + 1);
  alert(refusal);
  expect(sent).toEqual([0, 4, 0]);
});

test('an alert that is suppressed costs no description', () => {
  const { alert } = reporting();
  let described = 0;
  const describe = () => {
    described += 1;
    return refusal();
  };
  for (let count = 0; count < 100; count += 1) alert(describe);
  expect(described).toBe(1);
});

test('whatever comes when, no alert is lost from the count and none comes early', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 4 * minute }), { maxLength: 60 }), (gapsMs) => {
      const { clock, sent, alert } = reporting();
      const sentAtMs: number[] = [];
      for (const gapMs of gapsMs) {
        clock.advance(gapMs);
        const before = sent.length;
        alert(refusal);
        if (sent.length > before) sentAtMs.push(clock.nowMs());
      }
      for (const [index, atMs] of sentAtMs.slice(1).entries()) expect(atMs - (sentAtMs[index] ?? 0)).toBeGreaterThan(5 * minute);
      const told = sent.reduce((sum, suppressed) => sum + suppressed + 1, 0);
      clock.advance(6 * minute);
      alert(refusal);
      expect(told + (sent.at(-1) ?? 0)).toBe(gapsMs.length);
    }),
  );
});

test('an alert is a line that says what happened, why and where, also when complaints are held back', () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLog(
    { service: 'orders', instance: 'orders.1', clock: standingClock() },
    { level: 'error', linesPerSecond: 0, destination: { write: (line) => void lines.push(JSON.parse(line)) } },
  );
  const write = alertLines(log, { pid: 42, host: 'shop', cluster: 'blue' });
  write({ title: "The breaker 'a' refuses calls", details: { breaker: 'a' }, reasons: ['22:13:20 Connection refused'], suppressed: 3 });
  alertLines(log, { pid: 42, host: 'shop', cluster: undefined })({ ...refusal(), suppressed: 0 });
  expect(lines).toEqual([
    {
      level: 'alert',
      time: '2023-11-14T22:13:20.000Z',
      service: 'orders',
      instance: 'orders.1',
      pid: 42,
      host: 'shop',
      cluster: 'blue',
      breaker: 'a',
      reasons: ['22:13:20 Connection refused'],
      suppressed: 3,
      msg: "The breaker 'a' refuses calls",
    },
    {
      level: 'alert',
      time: '2023-11-14T22:13:20.000Z',
      service: 'orders',
      instance: 'orders.1',
      pid: 42,
      host: 'shop',
      suppressed: 0,
      msg: 'refused',
    },
  ]);
});
