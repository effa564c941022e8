import { expect, test } from 'vitest';
import { createTraffic, type FlowLabels } from '../../../../chaos/embedded/traffic.ts';

const labels = (proxy: string): FlowLabels => ({ direction: 'upstream', listener: 'l', proxy, upstream: 'u' });

test('the same addresses share one flow', () => {
  const traffic = createTraffic();
  traffic.flowOf(labels('a')).sentBytes += 5;
  expect(traffic.flowOf(labels('a')).sentBytes).toBe(5);
  expect([...traffic.all()]).toHaveLength(1);
});

test('of too many the oldest without connections is forgotten', () => {
  const traffic = createTraffic({ mostFlows: 2 });
  traffic.flowOf(labels('busy')).connections = 1;
  for (const proxy of ['idle', 'new']) traffic.flowOf(labels(proxy));
  expect([...traffic.all()].map((flow) => flow.labels.proxy)).toEqual(['busy', 'new']);
});

test('of names too long as many are forgotten as it takes', () => {
  const traffic = createTraffic({ mostCharacters: 1_000 });
  for (const proxy of ['a', 'b', 'x'.repeat(500)]) traffic.flowOf(labels(proxy));
  expect([...traffic.all()]).toHaveLength(3);
  traffic.flowOf(labels('y'.repeat(500)));
  expect([...traffic.all()].map((flow) => flow.labels.proxy[0])).toEqual(['y']);
});
