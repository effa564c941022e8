import { expect, test } from 'vitest';
import { createLog } from '../../../../system/telemetry/log.ts';
import { inSpan } from '../../../../system/telemetry/spans.ts';
import { recordSpans, standingClock, testRuntime } from '../../../support/runtime.ts';

const spans = recordSpans();

test('a line tells who wrote it, when by the run clock, and in which span', async () => {
  const { log, lines, clock } = recorded();
  await inSpan(testRuntime('orders', { clock }), 'create_order', async () => log.info({ order: 'o-1' }, 'made'));
  const span = spans.getFinishedSpans()[0]?.spanContext();
  expect(lines).toEqual([
    {
      level: 'info',
      time: '2023-11-14T22:13:20.000Z',
      service: 'orders',
      instance: 'orders.1',
      trace: span?.traceId,
      span: span?.spanId,
      order: 'o-1',
      msg: 'made',
    },
  ]);
});

test('complaints are bounded by the second, and those held back are counted', () => {
  const { log, lines, clock } = recorded({ linesPerSecond: 3 });
  for (let index = 0; index < 10; index += 1) log.warn(`complaint ${index}`);
  log.info('still heard');
  clock.advance(1_000);
  log.error('the next second');
  expect(lines.map(({ msg, heldBack }) => heldBack ?? msg)).toEqual([
    'complaint 0',
    'complaint 1',
    'complaint 2',
    'still heard',
    7,
    'the next second',
  ]);
});

test('why the process ends is written, however many complaints came before it', () => {
  const { log, lines } = recorded({ linesPerSecond: 1 });
  for (let index = 0; index < 5; index += 1) log.error(`complaint ${index}`);
  log.fatal('the end');
  expect(lines.map(({ msg }) => msg)).toEqual(['complaint 0', 'the end']);
});

function recorded({ linesPerSecond = 20 } = {}) {
  const lines: Record<string, unknown>[] = [];
  const clock = standingClock();
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  return {
    lines,
    clock,
    log: createLog({ service: 'orders', instance: 'orders.1', clock }, { level: 'info', linesPerSecond, destination }),
  };
}
