import { expect, test } from 'vitest';
import type { RunRecord } from '../../../../harness/record.ts';
import { renderHtml } from '../../../../reports/html/page.ts';
import { sampleRecord } from '../../../support/records/sample.ts';
import { targetRecord } from '../../../support/records/target.ts';

const record = sampleRecord();

test('is the same page for the same record, and below a megabyte', () => {
  const page = renderHtml(record);
  expect(renderHtml(sampleRecord())).toBe(page);
  expect(Buffer.byteLength(page)).toBeLessThan(1_000_000);
});

test('holds the whole record and gives it back', () => {
  const json = /<script type="application\/json" id="record">(.*?)<\/script>/s.exec(renderHtml(record))?.[1] ?? '';
  expect(JSON.parse(json)).toEqual(record);
});

test('refers to nothing outside itself', () => {
  expect(renderHtml(record)).not.toMatch(/(?:src|href)="(?!#|data:)|url\(|@import|https?:\/\//);
});

test.each([
  ['met', 'met'],
  ['missed', 'missed'],
  ['unknown', 'inconclusive'],
] as const)('says of a run that is %s: %s', (outcome, word) => {
  expect(renderHtml({ ...record, outcome })).toContain(`<header class="verdict ${outcome}">`);
  expect(renderHtml({ ...record, outcome })).toContain(`<p class="outcome">${word}</p>`);
});

test('shows every expectation and what was observed', () => {
  const text = renderHtml(record).replaceAll(/<[^>]*>/g, '');
  for (const { sentence, observed } of record.verdicts) {
    expect(text).toContain(sentence.replaceAll('>', '&gt;'));
    expect(text).toContain(observed.replaceAll('>', '&gt;'));
  }
});

test('is safe to open whatever the names in the record are', () => {
  const evil = `</script><script>alert(1)</script><img src=x onerror='alert("2")'>`;
  const page = renderHtml(JSON.parse(JSON.stringify(record).replaceAll('checkout', JSON.stringify(evil).slice(1, -1))));
  expect(page).not.toContain('<script>alert');
  expect(page).not.toContain('<img');
});

test('tells of a run that ended before it began', () => {
  const empty: RunRecord = {
    ...record,
    outcome: 'unknown',
    phases: [],
    faults: [],
    verdicts: [],
    requests: [],
    timeline: [],
    breakers: [],
    picks: [],
    shedding: [],
    spans: [],
    traces: [],
    generator: { ...record.generator, planned: 0, sent: 0, dropped: 0, lagMsP50: 0, lagMsP99: 0, lagMsMax: 0, peakInFlight: 0 },
  };
  expect(visibleOf(renderHtml(empty)).match(noNumber)).toBeNull();
});

test('has no number that is none, in any attribute or text', () => {
  expect(visibleOf(renderHtml(record)).match(noNumber)).toBeNull();
});

test('folds away breakers that refused nothing, and leaves out edges without a choice of replicas', () => {
  const page = renderHtml(record);
  expect(page).toContain('<h3>Breaker on orders-&gt;payment</h3>');
  expect(page).not.toContain('<h3>Breaker on gateway-&gt;orders</h3>');
  expect(page).toContain('2 breakers refused nothing');
  expect(page).not.toContain('<h3>Picks on gateway-&gt;orders</h3>');
});

test('shows first the longest failed or slow trace of a phase with faults', () => {
  const chosen = /name="trace" value="(\d+)" checked/.exec(renderHtml(record))?.[1];
  expect(record.traces[Number(chosen)]).toMatchObject({ phase: 'rush', route: 'checkout', outcome: 'timeout' });
});

test('stays below a megabyte with far more traces than it shows, and says how many it leaves out', () => {
  const traces = Array.from({ length: 60 }, (_, index) =>
    record.traces.map((trace) => ({ ...trace, traceId: `${index}${trace.traceId}` })),
  ).flat();
  const page = renderHtml({ ...record, traces: traces.slice(0, 100) });
  expect(Buffer.byteLength(page)).toBeLessThan(1_000_000);
  const shown = page.match(/data-trace="\d+" aria/g)?.length ?? 0;
  expect(shown).toBeLessThan(100);
  expect(page).toContain(`${100 - shown} more are in the record.`);
});

test('counts of each second the requests meant to start in it, and those of them that any answer reached in time', () => {
  const outcomes = { ok: 4, degraded: 1, outOfStock: 1, shed: 1, limited: 1, breakerOpen: 1, unavailable: 1, failed: 1 };
  const unanswered = { timeout: 5, reset: 1, refused: 1, dropped: 2 };
  const timeline = [{ atMs: 0, route: 'view', planned: 20, outcomes: { ...outcomes, ...unanswered } }];
  const [answered, planned] = toldBy({ ...record, timeline }, 'Requests a second');
  expect([planned?.name, planned?.values[0]]).toEqual(['planned', '20/s']);
  expect([answered?.name, answered?.values[0]]).toEqual(['answered', '11/s']);
});

test('puts breakers of edges under a fault first, then those that refused most, and leaves out edges that nobody called', () => {
  const edge = (name: string, calls: number, refused: number) => ({ edge: name, points: [{ atMs: 0, calls, refused, failed: 0 }] });
  const breakers = [
    edge('gateway->user', 9, 1),
    edge('user->etcd', 0, 0),
    edge('gateway->product', 900, 90),
    edge('orders->payment', 9, 2),
    edge('orders->inventory', 9, 3),
    edge('orders->user', 9, 0),
  ];
  const page = renderHtml({ ...record, breakers });
  expect([...page.matchAll(/<h3>Breaker on (.*?)<\/h3>/g)].map(([, name]) => name?.replace('&gt;', '>'))).toEqual([
    'orders->inventory',
    'orders->payment',
    'gateway->product',
    'gateway->user',
  ]);
  expect(page).toContain('1 breaker refused nothing');
  expect(visibleOf(page)).not.toContain('user-&gt;etcd');
});

test('draws no share of picks in a second with fewer than five calls', () => {
  const points = [
    { atMs: 0, picked: [4, 0] },
    { atMs: 1_000, picked: [4, 1] },
  ];
  const [even, first, second] = toldBy(
    { ...record, picks: [{ edge: 'orders->payment', replicas: [1, 2], points }] },
    'Picks on orders->payment',
  );
  expect(even?.values.slice(0, 2)).toEqual(['50%', '50%']);
  expect(first?.values.slice(0, 2)).toEqual(['', '80%']);
  expect(second?.values.slice(0, 2)).toEqual(['', '20%']);
});

test('leaves out a trace that is too long by itself, and shows those behind it', () => {
  const long = withSpans(901);
  expect(visibleOf(renderHtml({ ...record, traces: [long, withSpans(5), withSpans(5)] })).match(/data-trace="\d" aria/g)).toHaveLength(2);
  expect(renderHtml({ ...record, traces: [long, withSpans(5), withSpans(5)] })).toContain('1 more is in the record.');
  expect(renderHtml({ ...record, traces: [long, long] })).toContain('None is short enough to be shown. 2 more are in the record.');
  expect(renderHtml({ ...record, traces: [] })).toContain('No trace was kept.');
});

test('calls no span lost where more came than a process had counted when it was last asked', () => {
  expect(visibleOf(renderHtml({ ...record, spans: [{ instance: 'payment.1', made: 10, received: 12 }] }))).toContain(
    '<tr><th scope="row">payment.1</th><td>10</td><td>12</td><td>0</td></tr>',
  );
});

test('has the seconds of the generator and its machine under the latencies, and nothing of them where the record has none', () => {
  const { ground: _, ...older } = record;
  const titles = [...renderHtml(record).matchAll(/<h3>(.*?)<\/h3>/g)].map(([, title]) => title);
  expect(titles.slice(titles.indexOf('Latency of checkout'), titles.indexOf('Outcomes'))).toEqual([
    'Latency of checkout',
    'Hiccups and generator lag',
    'Load of the generator and its machine',
  ]);
  expect(renderHtml(older)).not.toContain('<h3>Hiccups');
});

test('tells of a second in which a percentile is among the given up that it took at least as long as they waited', () => {
  const point = { atMs: 0, route: 'view', planned: 10, latencyMs: { p50: 3, p95: 9, p99: 9 } };
  const [p50, p95, p99] = toldBy({ ...record, timeline: [{ ...point, outcomes: { ok: 9, timeout: 1, shed: 3 } }] }, 'Latency of view');
  expect([p50?.values[0], p95?.values[0], p99?.values[0]]).toEqual(['3 ms', '≥ 5 s', '≥ 5 s']);
  expect(toldBy({ ...record, timeline: [{ ...point, outcomes: { ok: 9, shed: 4 } }] }, 'Latency of view')[2]?.values[0]).toBe('9 ms');
});

test('tells of a record from before there were first bytes', () => {
  const requests = record.requests.map(({ firstByteMs: _, ...row }) => row);
  const page = visibleOf(renderHtml({ ...record, requests }));
  expect(page.match(noNumber)).toBeNull();
  expect(page).toContain('first byte</th>');
});

test('tells of a record from before the load driver had threads', () => {
  const { ground: _, ...older } = record;
  const { threads: _1, peakConnections: _2, timeoutMs: _3, stumbles: _4, ...generator } = record.generator;
  const requests = record.requests.map(({ serviceMs: _5, firstByteMs: _6, queueMs: _7, ...row }) => row);
  const page = renderHtml({ ...older, generator, requests });
  expect(visibleOf(page).match(noNumber)).toBeNull();
  expect(visibleOf(page)).toMatch(/<td>≥ 5[\d.]* s<\/td>/);
});

test("leaves out of a run against an address of one's own all that only the mall has", () => {
  const target = targetRecord();
  const page = visibleOf(renderHtml(target));
  expect([...page.matchAll(/<h2[^>]*>(.*?)<\/h2>/g)].map(([, title]) => title)).toEqual([
    'Expectations',
    'Timeline',
    'Requests by route and phase',
    'How far to trust this',
  ]);
  expect([...page.matchAll(/<h3>(.*?)<\/h3>/g)].map(([, title]) => title)).toEqual([
    ...['Requests a second', 'Requests a second of list', 'Requests a second of book a seat'],
    ...['Latency of list', 'Latency of book a seat', 'Hiccups and generator lag', 'Load of the generator and its machine'],
    ...['Outcomes', 'Outcomes of list', 'Outcomes of book a seat', 'Percentile curves'],
    ...['Load generator', 'Run', 'Machine'],
  ]);
  expect(page).not.toMatch(/<dt>Mall|shopper|Shed nothing|refused nothing|switched off|books|<tbody><\/tbody>|<dd><\/dd>/);
  expect(page).toContain('<dt>Target</dt><dd>http://127.0.0.1:3000</dd>');
  expect(page).toContain('<dt>Visitors</dt><dd>time limit 10 s</dd>');
  expect(renderHtml({ ...target, target: { address: 'grpc://shop:80', proto: ['a.proto', 'b.proto'] } })).toContain(
    '<dd>grpc://shop:80, a.proto, b.proto</dd>',
  );
  expect(page.match(noNumber)).toBeNull();
});

test('draws no latencies of a route that nobody was served on', () => {
  const timeline = [{ atMs: 0, route: 'view', planned: 4, outcomes: { failed: 4 } }];
  const page = renderHtml({ ...record, timeline, requests: [] });
  expect(page).toContain('<h3>Outcomes of view</h3>');
  expect(page).not.toContain('<h3>Latency of view</h3>');
});

test('shows no service and no edge of the mall that a run never met', () => {
  const target = targetRecord();
  const breakers = [{ edge: 'gateway->user', points: [] }];
  const picks = [{ edge: 'gateway->orders', replicas: [1, 2], points: [] }];
  const shedding = [{ service: 'gateway', points: [{ atMs: 0, judged: 0, shed: 0 }] }];
  expect(visibleOf(renderHtml({ ...target, breakers, picks, shedding }))).toBe(visibleOf(renderHtml(target)));
});

const withSpans = (count: number) => {
  const [trace] = record.traces;
  const [span] = trace?.spans ?? [];
  if (trace === undefined || span === undefined) throw new Error('Expected the sample to have a trace with a span');
  return { ...trace, spans: Array.from({ length: count }, (_, index) => ({ ...span, spanId: String(index), parentId: null })) };
};

/** What the panel of that title tells the crosshair. */
function toldBy(of: RunRecord, title: string): { name: string; values: string[] }[] {
  const texts = [...renderHtml(of).matchAll(/<script type="application\/json">(.*?)<\/script>/gs)].map(([, text]) =>
    JSON.parse(text ?? ''),
  );
  return texts.find((told) => told.title === title)?.series ?? [];
}

const noNumber = /NaN|Infinity|undefined|\[object/;
const visibleOf = (page: string) => page.replaceAll(/<script.*?<\/script>/gs, '');
