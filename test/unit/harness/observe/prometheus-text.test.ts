import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createPageReader } from '../../../../harness/observe/prometheus-text.ts';

const page = `# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{method="GET",path="/a"} 12
http_requests_total{method="POST",path="/b"} 3.5e2

# HELP latency_ms Latency.
# TYPE latency_ms histogram
latency_ms_bucket{le="5"} 1
latency_ms_sum 4
# TYPE up gauge
up 1
`;

test('reads the wanted families and nothing else', () => {
  expect(createPageReader(['http_requests_total', 'up'])(page)).toEqual([
    { key: 'http_requests_total{method="GET",path="/a"}', name: 'http_requests_total', labels: { method: 'GET', path: '/a' }, value: 12 },
    {
      key: 'http_requests_total{method="POST",path="/b"}',
      name: 'http_requests_total',
      labels: { method: 'POST', path: '/b' },
      value: 350,
    },
    { key: 'up', name: 'up', labels: {}, value: 1 },
  ]);
  expect(createPageReader([])(page)).toEqual([]);
});

test('a page that was cut short, or is no page at all, gives what can be read', () => {
  expect(createPageReader(['up'])('# TYPE up gauge\nup')).toEqual([]);
  expect(createPageReader(['up'])('# TYPE up gauge')).toEqual([]);
  expect(createPageReader(['up'])('')).toEqual([]);
  expect(createPageReader(['up'])('# TYPE up gauge\nup NaN\nup{a="b"} +Inf\nup 2 1763700000000\n')).toMatchObject([{ value: 2 }]);
});

test('reads what prom-client writes, whatever is in a label', async () => {
  const registry = new Registry();
  const registers = [registry];
  const counter = new Counter({ name: 'calls_total', help: 'Calls, with a } in "help".', labelNames: ['what'], registers });
  new Gauge({ name: 'load', help: 'Load.', registers }).set(0.25);
  new Histogram({ name: 'took_ms', help: 'Took.', registers }).observe(3);
  const odd = ['a "quoted" word', 'back\\slash', 'two\nlines', 'braces {} , = } 5', 'orders->payment', ''];
  for (const [index, what] of odd.entries()) counter.inc({ what }, index + 1);
  const read = createPageReader(['calls_total', 'load']);
  const first = read(await registry.metrics());
  expect(first.filter(({ name }) => name === 'calls_total').map(({ labels, value }) => [labels.what, value])).toEqual(
    odd.map((what, index) => [what, index + 1]),
  );
  expect(first.find(({ name }) => name === 'load')?.value).toBe(0.25);
  expect(read(await registry.metrics())).toEqual(first);
});
