import { expect, test } from 'vitest';
import { UsageError } from '../../../core/errors.ts';
import type { Expectation } from '../../../harness/expect/expectation.ts';
import {
  abortWhen,
  breaker,
  crowd,
  errors,
  get,
  latency,
  phase,
  ramp,
  scenario,
  slow,
  steady,
  stock,
  uniformly,
  vocabulary,
} from '../../../harness/index.ts';
import { describePlan, planRun } from '../../../harness/plan.ts';
import type { Phase, TargetScenario } from '../../../harness/scenario.ts';
import { addressOf, checkTarget, type Target } from '../../../harness/target.ts';

const shop = vocabulary('list', 'buy');
const calm = phase('calm', { lasts: '10s', load: steady('200/s'), expect: [shop.latency('list').p99.below('1s')] });
const told = (rest: Partial<TargetScenario> = {}) =>
  scenario('a shop', {
    story: 'Nothing happens.',
    target: { http: 'http://127.0.0.1:3000' },
    journey: shop.journey(async ({ step }) => void (await step('list', get('/products')))),
    timeline: [calm],
    ...rest,
  });
const tooMuch = { errorsAbove: '50%', for: '1s' } as const;
const during = (changes: Partial<Phase>) => ({ timeline: [{ ...calm, ...changes }] });
const expecting = (...expect: Expectation[]) => during({ expect });

test('a scenario of its own target is a plan without a mall', () => {
  const plan = planRun(told({ always: [shop.errors('buy').below('1%')] }));
  expect(plan.needsCapacity).toBe(false);
  expect(Object.values(plan.replicas).every((count) => count === 0)).toBe(true);
  const text = describePlan(plan);
  expect(text).toContain('target    http://127.0.0.1:3000\nsteps     list, buy');
  expect(text).toContain('- 99% of served list requests finish within 1s');
  expect(text).not.toContain('mall');
});

test('a later phase may be compared with an earlier one, and arrivals be evenly spaced', () => {
  const rush = phase('rush', {
    lasts: '10s',
    load: uniformly(ramp('100/s', '400/s')),
    expect: [shop.latency('list').p95.within(2, 'calm')],
    otherwise: 'stop',
  });
  expect(planRun(told({ timeline: [calm, rush] })).phases).toHaveLength(2);
});

test('what may stop it is told in the words of its journey', () => {
  const text = describePlan(planRun(told({ stopConditions: [shop.abortWhen('buy', tooMuch)], visitors: { atMost: 50 } })));
  expect(text).toContain('aborts when\n  ! more than 50% of buy requests fail for 1s');
  expect(text).toContain('steps     list, buy\nvisitors  at most 50 under way');
});

test('a percentile of a step whose visitors nobody can foretell is left to the end of the run', () => {
  const few = { load: steady('1/s') };
  expect(() => planRun(told(during({ ...few, expect: [shop.latency('buy').p99.below('1s')] })))).not.toThrow();
  expect(() => planRun(told(during({ ...few, expect: [shop.latency('list').p99.below('1s')] })))).toThrow('needs 1000 list requests');
});

test.each<[string, Partial<TargetScenario>, string]>([
  [
    'something else for a target',
    { target: { ftp: 'x' } as never },
    "Expected a target such as { http: 'http://127.0.0.1:3000' }, got something",
  ],
  ['no target', { target: undefined as never }, "Expected a target such as { http: 'http://127.0.0.1:3000' }, got undefined"],
  ['a mere address', { target: '127.0.0.1:3000' as never }, "such as { http: 'http://127.0.0.1:3000' }, got 127.0.0.1:3000"],
  ['something else for a journey', { journey: {} as never }, "Expected a journey such as journey(['list']"],
  ['no journey', { journey: undefined as never }, "Expected a journey such as journey(['list']"],
  ['faults', during({ faults: [slow('orders->payment', { by: '1s' })] }), "Phase 'calm': faults are of the mall"],
  ['a crowd', during({ load: crowd(10) }), "Phase 'calm': a crowd is of the mall"],
  ['multiples of a capacity', during({ load: steady('0.5x') }), "Phase 'calm': expected rates such as '100/s'"],
  ['a multiple among its rates', during({ load: ramp('10/s', '2x') }), "Phase 'calm': expected rates such as '100/s'"],
  ['no load', during({ load: undefined as never }), "Phase 'calm': Expected a load such as steady('100/s'), got none"],
  ['a step of another journey', expecting(latency('browse').p50.below('1s')), 'a step that the journey does not have; it has list, buy'],
  ['a misspelled step', expecting(vocabulary('lst').errors('lst').below('1%')), 'fewer than 1% of lst requests fail'],
  ['a breaker', expecting(breaker('orders->payment').stays('closed')), 'asks the mall; of a target of one'],
  ['a database', { always: [stock.neverOversold()] }, 'asks the mall; of a target of one'],
  ['a misspelled step in what always holds', { always: [errors('view').below('1%')] }, 'it has list, buy'],
  ['an expectation that is not finished', expecting(shop.latency('list').p99 as never), 'got one that is not finished'],
  ['an expectation that is nothing', expecting(undefined as never), 'got one that is not finished'],
  ['nothing expected', expecting(), "Scenario 'a shop' expects nothing"],
  ['no phases', { timeline: [] }, "Scenario 'a shop' has no phases"],
  [
    'a stop condition on an edge',
    { stopConditions: [abortWhen('user->mysql', tooMuch)] },
    "asks the mall; of a target of one's own only its",
  ],
  ['a stop condition on a step of another journey', { stopConditions: [abortWhen('browse', tooMuch)] }, 'it has list, buy'],
  ['a stop condition that is none', { stopConditions: ['stop' as never] }, "Expected stop conditions such as abortWhen('browse', …)"],
  ['a time limit of minutes', { visitors: { timeout: '2m' } }, "to be a duration from 10ms to 60s, got '2m'"],
])('a target of its own with %s is refused in a sentence', (_, rest, sentence) => {
  const plan = () => planRun(told(rest));
  expect(plan).toThrow(UsageError);
  expect(plan).toThrow(sentence);
});

test.each<Target>([
  { http: 'http://127.0.0.1:3000' },
  { http: 'https://shop.example' },
  { http: 'http://[::1]:8080', insecure: true },
  { grpc: '127.0.0.1:50051', proto: 'shop.proto' },
  { grpc: '[::1]:50051', proto: ['a.proto', 'b.proto'], tls: true },
])('%o is a target', (target) => {
  expect(() => checkTarget(target)).not.toThrow();
  expect(URL.canParse(addressOf(target))).toBe(true);
});

test.each([
  '127.0.0.1:3000',
  'http://127.0.0.1:3000/',
  'http://127.0.0.1:3000/shop',
  'http://127.0.0.1:99999',
  'http://:3000',
  'http://',
  'http://me@127.0.0.1',
  'ftp://127.0.0.1',
  'http://two words',
  3000 as unknown as string,
])('%o is no HTTP target', (http) => {
  expect(() => checkTarget({ http })).toThrow(UsageError);
  expect(() => checkTarget({ http })).toThrow(`without a path, got '${http}'`);
});

test.each(['127.0.0.1', ':50051', '127.0.0.1:99999', '127.0.0.1:x', 'http://127.0.0.1:1', '::1:50051', '127.0.0.1:50051/'])(
  '%o is no gRPC target',
  (grpc) => {
    expect(() => checkTarget({ grpc, proto: 'shop.proto' })).toThrow(UsageError);
    expect(() => checkTarget({ grpc, proto: 'shop.proto' })).toThrow(`got '${grpc}'`);
  },
);

test.each([undefined, '', []])('a gRPC target whose .proto is %o is refused', (proto) => {
  expect(() => checkTarget({ grpc: '127.0.0.1:50051', proto: proto as string })).toThrow(
    'Expected the .proto file of 127.0.0.1:50051, got none',
  );
});
