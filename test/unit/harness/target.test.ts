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
import { addressOf, checkPresence, checkProto, checkTarget, resolvedFrom, type Target } from '../../../harness/target.ts';

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

test('the plan of a gRPC target tells its .proto files', () => {
  const plan = planRun(told({ target: { grpc: '127.0.0.1:50051', proto: ['shop.proto', 'prices.proto'] } }));
  expect(describePlan(plan)).toContain('target    grpc://127.0.0.1:50051, shop.proto, prices.proto\n');
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
  ['something else for a target', { target: { ftp: 'x' } as never }, "Expected a target to have 'http' and 'grpc' only, got 'ftp'"],
  ['no target', { target: undefined as never }, "Expected a target such as { http: 'http://127.0.0.1:3000' }, got nothing"],
  ['a mere address', { target: '127.0.0.1:3000' as never }, "such as { http: 'http://127.0.0.1:3000' }, got '127.0.0.1:3000'"],
  ['an empty target', { target: {} as never }, "Expected an HTTP target such as 'http://127.0.0.1:3000', without a path, got nothing"],
  ['something else for a journey', { journey: {} as never }, "Expected 'journey' of scenario 'a shop' to be one such as journey(async"],
  [
    'no journey',
    { journey: undefined as never },
    "Expected 'journey' of scenario 'a shop' to be one such as journey(async ({ step }) => { … }), got nothing",
  ],
  ['shoppers', { shoppers: { browse: 1 } } as never, "got 'target' and 'shoppers'"],
  ['faults', during({ faults: [slow('orders->payment', { by: '1s' })] }), "Phase 'calm': faults are of the mall"],
  ['a crowd', during({ load: crowd(10) }), "Phase 'calm': a crowd is of the mall"],
  ['multiples of a capacity', during({ load: steady('0.5x') }), "Phase 'calm': expected rates such as '100/s'"],
  ['a multiple among its rates', during({ load: ramp('10/s', '2x') }), "Phase 'calm': expected rates such as '100/s'"],
  ['a step of another journey', expecting(latency('browse').p50.below('1s')), 'a step that the journey does not have; it has list, buy'],
  ['a misspelled step', expecting(vocabulary('lst').errors('lst').below('1%')), 'fewer than 1% of lst requests fail'],
  ['a breaker', expecting(breaker('orders->payment').stays('closed')), 'asks the mall; of a target of one'],
  ['a database', { always: [stock.neverOversold()] }, 'asks the mall; of a target of one'],
  ['a misspelled step in what always holds', { always: [errors('view').below('1%')] }, 'it has list, buy'],
  ['an expectation that is not finished', expecting(shop.latency('list').p99 as never), 'got one that is not finished'],
  [
    'an expectation that is nothing',
    expecting(undefined as never),
    "Expected expectations such as latency(…).p95.below('1s'), got nothing",
  ],
  ['nothing expected', expecting(), "Scenario 'a shop' expects nothing"],
  ['no phases', { timeline: [] }, "Scenario 'a shop' has no phases"],
  [
    'a stop condition on an edge',
    { stopConditions: [abortWhen('user->mysql', tooMuch)] },
    "asks the mall; of a target of one's own only its",
  ],
  ['a stop condition on a step of another journey', { stopConditions: [abortWhen('browse', tooMuch)] }, 'it has list, buy'],
  ['a stop condition that is none', { stopConditions: ['stop' as never] }, 'Expected stop conditions such as abortWhen(…)'],
  ['a time limit of minutes', { visitors: { timeout: '2m' } }, "to be a duration from 10ms to 60s, got '2m'"],
])('a target of its own with %s is refused in a sentence', (_, rest, sentence) => {
  const plan = () => planRun(told(rest));
  expect(plan).toThrow(UsageError);
  expect(plan).toThrow(sentence);
});

test.each<Target>([
  { http: 'http://127.0.0.1:3000' },
  { http: 'https://shop.example' },
  { http: 'http://[::1]:8080/', insecure: undefined as never },
  { http: 'https://[::1]:8080', insecure: true },
  { grpc: '127.0.0.1:50051', proto: 'shop.proto' },
  { grpc: '[::1]:50051', proto: ['a.proto', 'b.proto'], tls: true },
])('%o is a target', (target) => {
  expect(() => checkTarget(target)).not.toThrow();
  expect(URL.canParse(addressOf(target))).toBe(true);
});

test.each([
  '127.0.0.1:3000',
  'http://127.0.0.1:3000/shop',
  'http://127.0.0.1:99999',
  'http://:3000',
  'http://',
  'http://me@127.0.0.1',
  'ftp://127.0.0.1',
  'http://two words',
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

test.each<[unknown, string]>([
  [undefined, 'got nothing'],
  ['', "got ''"],
  [[], 'got a list'],
  [['a.proto', 5], 'got a list'],
])('a gRPC target whose .proto is %o is refused', (proto, got) => {
  const check = () => checkTarget({ grpc: '127.0.0.1:50051', proto });
  expect(check).toThrow(UsageError);
  expect(check).toThrow(`Expected the .proto file of 127.0.0.1:50051, or a list of them, ${got}`);
});

test.each<[unknown, string]>([
  [{ http: 'https://shop.example', insecur: true }, "Expected a target to have 'http' and 'insecure' only, got 'insecur'"],
  [
    { http: 'http://127.0.0.1:3000', grpc: '127.0.0.1:50051', proto: 'a.proto' },
    "Expected a gRPC target to have 'grpc', 'proto' and 'tls' only, got 'http'",
  ],
  [{ http: 'http://127.0.0.1:3000', insecure: true }, "Expected 'insecure' beside an https target only"],
  [{ http: 'https://shop.example', insecure: 'yes' }, "Expected 'insecure' of a target to be true or false, got 'yes'"],
  [{ grpc: '127.0.0.1:50051', proto: 'a.proto', insecure: true }, "got 'insecure'"],
  [{ grpc: '127.0.0.1:50051', proto: 'a.proto', tls: 1 }, "Expected 'tls' of a target to be true or false, got 1"],
  [{ http: 3000 }, "Expected an HTTP target such as 'http://127.0.0.1:3000', without a path, got 3000"],
  [{ grpc: 3000 }, "Expected a gRPC target such as '127.0.0.1:50051', got 3000"],
  [null, "Expected a target such as { http: 'http://127.0.0.1:3000' }, got null"],
])('the target %o is refused in a sentence', (target, sentence) => {
  expect(() => checkTarget(target)).toThrow(UsageError);
  expect(() => checkTarget(target)).toThrow(sentence);
});

test('a slash alone is no path, and paths of .proto files begin in the folder of the scenario', () => {
  expect(addressOf({ http: 'http://127.0.0.1:3000/' })).toBe('http://127.0.0.1:3000');
  expect(resolvedFrom('/shop', { http: 'http://127.0.0.1:3000/' })).toEqual({ http: 'http://127.0.0.1:3000' });
  expect(resolvedFrom('/shop', { grpc: '127.0.0.1:1', proto: ['a.proto', '/b.proto'] })).toEqual({
    grpc: '127.0.0.1:1',
    proto: ['/shop/a.proto', '/b.proto'],
  });
});

test('a .proto that cannot be read is told before anything begins; an HTTP target needs none', async () => {
  const missing = '/gone/shop.proto';
  await expect(checkProto({ grpc: '127.0.0.1:50051', proto: [missing] })).rejects.toThrow(`Expected ${missing} to be readable as .proto`);
  await expect(checkProto({ grpc: '127.0.0.1:50051', proto: import.meta.filename })).rejects.toThrow(UsageError);
  await checkProto({ http: 'http://127.0.0.1:3000' });
});

test('a host that does not exist is told as such, and not as one where nobody listens', async () => {
  // No resolver needs to ask anybody about a name as long as this.
  const host = 'x'.repeat(64);
  const presence = checkPresence({ http: `http://${host}:3000` }, new AbortController().signal);
  await expect(presence).rejects.toThrow(`Expected http://${host}:3000 to have a host that can be found, got '${host}' (ENOTFOUND)`);
});

test('nobody waits for a target when the run was broken off', async () => {
  const reason = new Error('enough');
  await expect(checkPresence({ http: 'http://127.0.0.1:3000' }, AbortSignal.abort(reason))).rejects.toBe(reason);
});
