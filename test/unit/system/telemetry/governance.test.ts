import { context, type Span, trace } from '@opentelemetry/api';
import { expect, test } from 'vitest';
import { type Alert, createAlerts } from '../../../../system/telemetry/alerts.ts';
import { observedBreaker, observedShedder } from '../../../../system/telemetry/governance.ts';
import { inSpan } from '../../../../system/telemetry/spans.ts';
import type { TuningChange } from '../../../../system/tuning.ts';
import { metricValue, recordSpans, standingClock, testRuntime } from '../../../support/runtime.ts';

const spans = recordSpans();

function watched({ tuning = {}, cpuMilli = () => 0 }: { tuning?: TuningChange; cpuMilli?: () => number } = {}) {
  const clock = standingClock();
  const runtime = testRuntime('orders', { clock, tuning, cpuMilli });
  const alerts: (Alert & { suppressed: number })[] = [];
  runtime.metrics.levels.alert = createAlerts({ clock, sink: (alert) => void alerts.push(alert) });
  return { ...runtime, clock, alerts };
}

const name = 'orders->payment/payment.Payment/Charge';

/** Fails until the breaker refuses, then once more; answers how many calls were made and refused. */
function failUntilRefused(breaker: ReturnType<typeof observedBreaker>): { failure: number; drop: number } {
  for (let failure = 0; failure < 1_000; failure += 1) {
    if (!breaker.allow()) return { failure, drop: 1 };
    breaker.failure(`failure ${failure}`);
  }
  throw new Error('Expected the breaker to refuse');
}

test('calls are counted by how they ended, and a trip when the first is refused', async () => {
  const runtime = watched();
  const breaker = observedBreaker(runtime, { name, kind: 'client' });
  const { failure, drop } = failUntilRefused(breaker);
  const counted = (result: string) => metricValue(runtime, 'mall_breaker_requests_total', { name, kind: 'client', result });
  expect([await counted('success'), await counted('failure'), await counted('drop')]).toEqual([0, failure, drop]);
  expect(await metricValue(runtime, 'mall_breaker_trips_total', { name, kind: 'client' })).toBe(1);
  expect(await metricValue(runtime, 'mall_breaker_drop_ratio', { name, kind: 'client' })).toBe(breaker.dropRatio);
  expect(breaker.dropRatio).toBeGreaterThan(0);

  runtime.clock.advance(11_000);
  breaker.allow();
  breaker.success();
  expect(await counted('success')).toBe(1);
  failUntilRefused(breaker);
  expect(await metricValue(runtime, 'mall_breaker_trips_total', { name, kind: 'client' })).toBe(2);
});

test('a breaker obeys its tuning', () => {
  const breaker = observedBreaker(watched({ tuning: { breaker: { toleratedCalls: 100 } } }), { name, kind: 'client' });
  expect(failUntilRefused(breaker).failure).toBeGreaterThan(100);
});

test('the span in which a breaker starts or stops to refuse tells of it', async () => {
  spans.reset();
  const runtime = watched();
  const breaker = observedBreaker(runtime, { name, kind: 'client' });
  await inSpan(runtime, 'refused', async () => failUntilRefused(breaker));
  runtime.clock.advance(11_000);
  await inSpan(runtime, 'allowed', async (span: Span) => context.with(trace.setSpan(context.active(), span), () => breaker.allow()));
  expect(spans.getFinishedSpans().map((span) => [span.name, ...span.events.map((event) => event.name)])).toEqual([
    ['refused', 'breaker.open'],
    ['allowed', 'breaker.closed'],
  ]);
  expect(runtime.lines.map(({ msg }) => msg)).toEqual(['The breaker starts to refuse calls', 'The breaker has stopped refusing calls']);
});

test('a refused call is an alert with the last five failures, the newest first, and when they happened', () => {
  const runtime = watched();
  const breaker = observedBreaker(runtime, { name, kind: 'client' });
  for (const text of ['forgotten', 'one', 'two', 'three', 'four']) {
    breaker.allow();
    breaker.failure(text);
  }
  runtime.clock.advance(3_000);
  breaker.allow();
  breaker.failure('five');
  while (breaker.allow()) breaker.success();
  expect(runtime.alerts).toEqual([
    {
      title: `The breaker '${name}' refuses calls`,
      details: { breaker: name, kind: 'client' },
      reasons: ['22:13:23 five', '22:13:20 four', '22:13:20 three', '22:13:20 two', '22:13:20 one'],
      suppressed: 0,
    },
  ]);
});

/** Lets 100 requests in and ends 30, so that those in flight, 70, and their average are more than a shedder without history grants: 10. */
function overload(shedder: ReturnType<typeof observedShedder>): void {
  const permits = Array.from({ length: 100 }, () => shedder.allow());
  for (const permit of permits.slice(0, 30)) permit?.pass();
}

test('breakers and shedders share one throttle of alerts', () => {
  const runtime = watched({ cpuMilli: () => 950 });
  failUntilRefused(observedBreaker(runtime, { name, kind: 'client' }));
  const shedder = observedShedder(runtime, { kind: 'api' });
  overload(shedder);
  expect([shedder.allow(), shedder.allow()]).toEqual([undefined, undefined]);
  runtime.clock.advance(5 * 60_000 + 1);
  shedder.allow();
  expect(runtime.alerts).toMatchObject([
    { details: { breaker: name }, suppressed: 0 },
    { title: 'The shedder turns requests away', details: { kind: 'api', cpuMilli: 950, flying: 70 }, suppressed: 2 },
  ]);
});

test('requests are counted by how they ended, those of priority routes with the others', async () => {
  const runtime = watched({ cpuMilli: () => 940 });
  const shedder = observedShedder(runtime, { kind: 'api' });
  const priority = observedShedder(runtime, { kind: 'api', thresholdMilli: 950 });
  overload(shedder);
  overload(priority);
  expect(shedder.allow()).toBeUndefined();
  priority.allow()?.fail();
  const counted = (result: string) => metricValue(runtime, 'mall_shedding_requests_total', { kind: 'api', result });
  expect([await counted('pass'), await counted('fail'), await counted('drop')]).toEqual([60, 1, 1]);
});

test('what is turned away is told at most once a second', () => {
  const runtime = watched({ cpuMilli: () => 950 });
  const shedder = observedShedder(runtime, { kind: 'rpc' });
  overload(shedder);
  shedder.allow();
  shedder.allow();
  runtime.clock.advance(1_000);
  shedder.allow();
  expect(runtime.lines).toMatchObject([
    { kind: 'rpc', cpuMilli: 950, flying: 70, msg: 'The shedder turns requests away' },
    { kind: 'rpc', msg: 'The shedder turns requests away' },
  ]);
});

test.each<[string, TuningChange, number | undefined]>([
  ['that is switched off', { shedding: { enabled: false } }, undefined],
  ['whose threshold is 0', { shedding: { cpuThresholdMilli: 0 } }, undefined],
  ['for priority routes whose threshold is 0', { shedding: { cpuThresholdMilli: 0 } }, 500],
])('a shedder %s turns nobody away and still counts', async (_which, tuning, thresholdMilli) => {
  const runtime = watched({ tuning, cpuMilli: () => 1_000 });
  const shedder = observedShedder(runtime, { kind: 'api', ...(thresholdMilli !== undefined && { thresholdMilli }) });
  overload(shedder);
  shedder.allow()?.pass();
  expect(await metricValue(runtime, 'mall_shedding_requests_total', { result: 'pass' })).toBe(31);
  expect(await metricValue(runtime, 'mall_shedding_requests_total', { result: 'drop' })).toBe(0);
});
