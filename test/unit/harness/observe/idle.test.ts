import { expect, test } from 'vitest';
import { cut, type Fault, kill, slow } from '../../../../chaos/faults.ts';
import { idlePlaces } from '../../../../harness/observe/idle.ts';
import { createSpanStore } from '../../../../harness/observe/spans.ts';
import { aCall, runTag } from './a-span.ts';

const spans = createSpanStore({ runTag });
spans.add([
  aCall('orders->payment', { startMs: 1_050 }, { 'mall.peer': 'payment.1' }),
  aCall('orders->payment', { startMs: 9_050 }, { 'mall.peer': 'payment.2' }),
  aCall('user->redis', { startMs: 1_050 }),
]);

test.each<[Fault, string[], string[]]>([
  [slow('orders->payment', { by: '1s' }), ['orders->payment.1', 'orders->payment.2'], ['orders->payment.2']],
  [cut('user->redis'), ['user->redis'], []],
  [cut('user->mysql'), ['user->mysql'], ['user->mysql']],
  [kill('payment'), ['payment.1', 'payment.2'], ['payment.2']],
  // Nobody makes spans of these calls.
  [cut('user->etcd'), ['user->etcd'], []],
  [cut('user->otlp'), ['user->otlp'], []],
  [kill('gateway'), ['gateway.1'], []],
])('%j carried nothing of the mall at %j but %j', (fault, places, idle) => {
  // The run clock is at 100 s when spans begin to count.
  const played = { phase: 'rush', fault, places, askedMs: 100_900, fromMs: 101_000, untilMs: 102_000, effects: [] };
  expect(idlePlaces({ spans, epochMs: 100_000 }, played)).toEqual(idle);
});
