import { expect, test } from 'vitest';
import { UsageError } from '../../../core/errors.ts';
import {
  abortWhen,
  breaker,
  crowd,
  latency,
  phase,
  ramp,
  scenario,
  slow,
  spike,
  stages,
  steady,
  steps,
  stock,
  vocabulary,
} from '../../../harness/index.ts';
import { checkPercentiles, describePlan, planRun } from '../../../harness/plan.ts';
import type { MallScenario, Phase } from '../../../harness/scenario.ts';
import flashSale from '../../../scenarios/flash-sale.ts';

type Rest = Omit<MallScenario, 'name'>;
const during = (changes: Partial<Phase>) => ({ timeline: [{ ...calm, ...changes }] });
const calm = phase('calm', { lasts: '10s', load: steady('200/s'), expect: [] });
const told = (rest: Partial<Rest>) =>
  scenario('a test', {
    story: 'Nothing happens.',
    mall: {},
    shoppers: { browse: 1, view: 0, checkout: 1 },
    timeline: [calm],
    always: [stock.neverOversold()],
    ...rest,
  });

test('the flash sale is a valid plan', () => {
  const plan = planRun(flashSale);
  expect(plan.needsCapacity).toBe(true);
  expect(plan.phases.map(({ phase }) => phase.name)).toEqual(['before', 'rush', 'after']);
  expect(describePlan(plan)).toContain('! orders->payment: slowed by 1s');
});

test('phases follow each other without a gap', () => {
  const plan = planRun(told({ timeline: [calm, { ...calm, name: 'again', lasts: '1m' }, { ...calm, name: 'end' }] }));
  expect(plan.phases.map(({ fromMs }) => fromMs)).toEqual([0, 10_000, 70_000]);
  expect(plan.lastsMs).toBe(80_000);
});

test.each<[string, Partial<Rest>, string]>([
  ['no phases', { timeline: [] }, "Scenario 'a test' has no phases"],
  ['two phases of one name', { timeline: [calm, calm] }, "Two phases are called 'calm'"],
  ['a service that does not exist', { mall: { replicas: { shop: 2 } as never } }, "got 'shop'"],
  ['no replica at all', { mall: { replicas: { orders: 0 } } }, 'Expected a whole number of orders replicas from 1, got 0'],
  ['half a piece in stock', { mall: { stock: { 'sku-1': 0.5 } } }, "Expected a whole number of pieces of 'sku-1', got 0.5"],
  ['no shoppers', { shoppers: { browse: 0, view: 0, checkout: 0 } }, 'Expected some shoppers'],
  ['a share above one', { shoppers: { browse: 1, view: 1, checkout: 1, wanted: { product: 'sku-1', share: 30 } } }, 'from 0 to 1, got 30'],
  [
    'a duration without a unit',
    { timeline: [{ ...calm, lasts: '10' as '10s' }] },
    "Phase 'calm': 'lasts': Expected a duration such as '250ms', '30s' or '2m', got '10'",
  ],
  [
    'a rate without a unit',
    { timeline: [{ ...calm, load: steady('50' as '50/s') }] },
    "Phase 'calm': 'rate': Expected a rate such as '120/s' or '0.4x', got '50'",
  ],
  [
    'a load that is none',
    { timeline: [{ ...calm, load: '50/s' as never }] },
    "Phase 'calm': Expected a load such as steady('100/s'), got '50/s'",
  ],
  [
    'arrivals that nobody knows',
    { timeline: [{ ...calm, load: { ...steady('50/s'), arrivals: 'bursty' as 'poisson' } }] },
    "Phase 'calm': Expected arrivals that are 'poisson' or 'uniform', got 'bursty'",
  ],
  [
    'a rate that no machine can make',
    { timeline: [{ ...calm, load: steady('1000000000/s') }] },
    "Phase 'calm': Expected rates up to 100000/s",
  ],
  ['a standstill', { timeline: [{ ...calm, load: ramp('0/s', '5/s') }] }, "Expected a rate above 0, got '0/s'"],
  ['a step to a standstill', { timeline: [{ ...calm, load: steps(['5/s', '0/s']) }] }, "Expected a rate above 0, got '0/s'"],
  [
    'stages in which nobody comes',
    { timeline: [{ ...calm, load: stages([{ lasts: '10s', from: '0/s' }]) }] },
    "Phase 'calm': Expected stages in which somebody comes",
  ],
  [
    'stages that do not fill their phase',
    { timeline: [{ ...calm, load: stages([{ lasts: '9s', from: '1x' }]) }] },
    "Phase 'calm': Expected stages that together last 10000 ms, got 9000 ms",
  ],
  [
    'a spike that outlives its phase',
    { timeline: [{ ...calm, load: spike({ base: '1x', to: '2x', at: '8s', lasts: '3s' }) }] },
    'Expected a spike that is over after 10000 ms, got one until 11000 ms',
  ],
  ['a crowd of nobody', { timeline: [{ ...calm, load: crowd(0) }] }, 'Expected a crowd of 1 to 10000 shoppers, got 0'],
  ['a crowd of more than can be', { timeline: [{ ...calm, load: crowd(10_001) }] }, 'Expected a crowd of 1 to 10000 shoppers, got 10001'],
  [
    'a crowd under a fault',
    { timeline: [{ ...calm, load: crowd(10), faults: [slow('orders->payment', { by: '1s' })] }] },
    "Phase 'calm': Expected open load where there are faults, got a crowd",
  ],
  [
    'a percentile of a crowd',
    { timeline: [{ ...calm, load: crowd(10), expect: [latency('browse').p95.below('1s')] }] },
    'needs open load: a crowd sends least when the mall is slowest',
  ],
  [
    'a percentile of a run that has a crowd in it',
    { timeline: [calm, phase('rush', { lasts: '5s', load: crowd(10), expect: [] })], always: [latency('browse').p95.below('1s')] },
    'needs open load',
  ],
  [
    'a comparison with a crowd',
    {
      timeline: [
        phase('rush', { lasts: '5s', load: crowd(10), expect: [] }),
        { ...calm, expect: [latency('browse').p95.within(2, 'rush')] },
      ],
    },
    'compares with a crowd',
  ],
  [
    'a time limit of visitors beside a crowd',
    { visitors: { timeout: '1s' }, timeline: [calm, phase('rush', { lasts: '5s', load: crowd(10), expect: [] })] },
    "Phase 'rush': a crowd has a time limit of its own; expected no 'timeout' of visitors beside it, got '1s'",
  ],
  ['a thread too many', { visitors: { threads: 17 } }, "Expected the 'threads' of visitors to be a whole number from 1 to 16, got 17"],
  [
    "a stop condition in another target's words",
    { stopConditions: [vocabulary('list').abortWhen('list', { errorsAbove: '50%', for: '1s' })] },
    "'more than 50% of list requests fail for 1s' speaks of a route that the mall does not have; it has browse, view, checkout",
  ],
  ['a stop condition that is none', { stopConditions: ['stop' as never] }, 'Expected stop conditions such as abortWhen(…)'],
  [
    'a rate that is no text',
    during({ load: steady(50 as never) }),
    "Phase 'calm': 'rate': Expected a rate such as '120/s' or '0.4x', got 50",
  ],
  [
    'half a ramp',
    during({ load: ramp('1/s', undefined as never) }),
    "Phase 'calm': 'to': Expected a rate such as '120/s' or '0.4x', got nothing",
  ],
  [
    'a spike with a misspelled field',
    during({ load: spike({ base: '1x', too: '2x', at: '1s', lasts: '3s' } as never) }),
    "Phase 'calm': Expected spike to have 'base', 'to', 'at' and 'lasts' only, got 'too'",
  ],
  [
    'steps that are no list',
    during({ load: steps('5/s' as never) }),
    "Phase 'calm': Expected 'rates' to be a list such as ['100/s', '200/s'], got '5/s'",
  ],
  [
    'a stage with a misspelled field',
    during({ load: stages([{ last: '10s', from: '1x' } as never]) }),
    "Expected a stage to have 'lasts', 'from' and 'to' only, got 'last'",
  ],
  ['a stage that is none', during({ load: stages(['1x' as never]) }), "Phase 'calm': Expected a stage to be an object, got '1x'"],
  ['no load', during({ load: undefined as never }), "Phase 'calm': Expected a load such as steady('100/s'), got nothing"],
  ['no story', { story: undefined as never }, "Expected 'story' of scenario 'a test' to be a sentence, got nothing"],
  ['a blank story', { story: ' ' }, "Expected 'story' of scenario 'a test' to be a sentence, got ' '"],
  [
    'a misspelled field',
    { visitor: { timeout: '1s' } } as never,
    "Expected scenario 'a test' to have 'story', 'mall', 'shoppers', 'timeline', 'always', 'stopConditions' and 'visitors' only, got 'visitor'",
  ],
  [
    'a target beside the mall',
    { target: { http: 'http://127.0.0.1:3000' } } as never,
    "Expected scenario 'a test' to have either 'mall' and 'shoppers', or 'target' and 'journey', got 'target' and 'mall'",
  ],
  ['no mall', { mall: undefined as never }, "Expected 'mall' of scenario 'a test' to be an object, got nothing"],
  [
    'a misspelled field of the mall',
    { mall: { stocks: {} } as never },
    "Expected 'mall' of scenario 'a test' to have 'replicas', 'stock' and 'tuning' only, got 'stocks'",
  ],
  ['replicas that are a number', { mall: { replicas: 2 as never } }, "Expected 'replicas' of scenario 'a test' to be an object, got 2"],
  ['a stock that is a list', { mall: { stock: [] as never } }, "Expected 'stock' of scenario 'a test' to be an object, got a list"],
  ['a tuning that is text', { mall: { tuning: 'fast' as never } }, "Expected 'tuning' of scenario 'a test' to be an object, got 'fast'"],
  ['nobody to come', { shoppers: undefined as never }, "Expected 'shoppers' of scenario 'a test' to be an object, got nothing"],
  [
    'shoppers on no route',
    { shoppers: { browse: 1, view: 1, checkout: 1, buy: 1 } as never },
    "Expected 'shoppers' of scenario 'a test' to have 'browse', 'view', 'checkout' and 'wanted' only, got 'buy'",
  ],
  [
    'a number of shoppers that is text',
    { shoppers: { browse: '1', view: 1, checkout: 1 } as never },
    "Expected a number of shoppers from 0 who browse, got '1'",
  ],
  ['a timeline that is no list', { timeline: calm as never }, "Expected 'timeline' of scenario 'a test' to be a list such as [phase("],
  ['a phase that is none', { timeline: [undefined as never] }, 'Expected a phase to be an object, got nothing'],
  [
    'a phase without a name',
    during({ name: undefined as never }),
    'Expected a phase to have a name of one line and up to 60 characters, got nothing',
  ],
  [
    'a misspelled field of a phase',
    during({ last: '10s' } as never),
    "Expected phase 'calm' to have 'lasts', 'load', 'faults', 'expect' and 'otherwise' only, got 'last'",
  ],
  [
    'a phase that expects nothing in particular',
    during({ expect: undefined as never }),
    "Expected 'expect' of phase 'calm' to be a list such as [latency(…).p95.below('1s')], got nothing",
  ],
  [
    'an expectation outside of a list',
    during({ expect: stock.neverOversold() as never }),
    "Expected 'expect' of phase 'calm' to be a list such as [latency(…).p95.below('1s')], got an object",
  ],
  [
    'a fault outside of a list',
    during({ faults: slow('orders->payment', { by: '1s' }) as never }),
    "Expected 'faults' of phase 'calm' to be a list such as [slow(…, { by: '1s' })], got an object",
  ],
  ['another way to go on', during({ otherwise: 'halt' as never }), "Expected 'otherwise' of phase 'calm' to be 'stop', got 'halt'"],
  [
    'what always holds outside of a list',
    { always: stock.neverOversold() as never },
    "Expected 'always' of scenario 'a test' to be a list such as [latency(…).p95.below('1s')], got an object",
  ],
  [
    'a stop condition outside of a list',
    { stopConditions: abortWhen('browse', { errorsAbove: '50%', for: '1s' }) as never },
    "Expected 'stopConditions' of scenario 'a test' to be a list such as [abortWhen(",
  ],
  [
    'a fault on no edge',
    { timeline: [{ ...calm, faults: [slow('user->payment' as 'orders->payment', { by: '1s' })] }] },
    "got 'user->payment'",
  ],
  [
    'a fault on no replica',
    { timeline: [{ ...calm, faults: [slow('orders->payment', { by: '1s', replica: 9 })] }] },
    'There is no replica 9 of payment',
  ],
  [
    'a fault on a replica of a server',
    { timeline: [{ ...calm, faults: [slow('orders->mysql', { by: '1s', replica: 1 })] }] },
    'has no replicas',
  ],
  [
    'a tuning out of range',
    { mall: { tuning: { gateway: { shedding: { cpuThresholdMilli: 1_200 } } } } },
    "Expected 'gateway.shedding.cpuThresholdMilli' to be a whole number from 0 to 999, got 1200",
  ],
  ['a fault without a unit', { timeline: [{ ...calm, faults: [slow('orders->payment', { by: '1' as '1s' })] }] }, "got '1'"],
  [
    'a fault that outlives its phase',
    { timeline: [{ ...calm, faults: [slow('orders->payment', { by: '1s', from: '8s', lasts: '3s' })] }] },
    'ends at 11000 ms',
  ],
  [
    'a claim longer than its phase',
    { timeline: [{ ...calm, expect: [breaker('orders->payment').opens({ within: '11s' })] }] },
    'does not fit into 10 s',
  ],
  [
    'a percentile without its requests',
    { timeline: [{ ...calm, load: steady('20/s'), expect: [latency('checkout').p95.below('1s')] }] },
    'needs 200 checkout requests, the load is sure to give only 70',
  ],
  [
    'a percentile of a route nobody takes',
    { shoppers: { browse: 1, view: 0, checkout: 0 }, timeline: [{ ...calm, expect: [latency('view').p50.below('1s')] }] },
    'sure to give only 0',
  ],
  [
    'a percentile after the end',
    { timeline: [{ ...calm, expect: [latency('browse').p50.below('1s', { from: '10s' })] }] },
    'begins after its 10 s are over',
  ],
  [
    'a comparison with no phase',
    { timeline: [{ ...calm, expect: [latency('browse').p50.within(2, 'befor')] }] },
    'compares with a phase that is not over by then; there are none',
  ],
])('%s is refused in one sentence', (_name, rest, sentence) => {
  const plan = () => planRun(told(rest));
  expect(plan).toThrow(UsageError);
  expect(plan).toThrow(sentence);
});

test.each(['', ' ', 'two\nlines', 'x'.repeat(61), 5 as never])('a scenario or a phase that is called %o is refused', (name) => {
  const sentence = 'to have a name of one line and up to 60 characters, got ';
  expect(() => planRun({ ...told({}), name })).toThrow(`Expected a scenario ${sentence}`);
  expect(() => planRun(told(during({ name })))).toThrow(`Expected a phase ${sentence}`);
});

test.each([undefined, null, 'x', [], {}, { name: 'x' }])('a scenario that is %j is refused in a sentence', (scenario) => {
  expect(() => planRun(scenario as never)).toThrow(UsageError);
});

test('a rate may begin and end at nothing where stages say so', () => {
  const there = { lasts: '5s', from: '0/s', to: '100/s' } as const;
  const back = { lasts: '5s', from: '100/s', to: '0/s' } as const;
  expect(() => planRun(told({ timeline: [{ ...calm, load: stages([there, back]) }] }))).not.toThrow();
});

test('a crowd needs no capacity, and may be judged by anything but its latency', () => {
  const busy = phase('busy', { lasts: '10s', load: crowd(10), expect: [breaker('orders->payment').stays('closed')] });
  const plan = planRun(told({ timeline: [calm, busy] }));
  expect(plan.needsCapacity).toBe(false);
  expect(describePlan(plan)).toContain('busy (10s, crowd of 10)');
});

test('any rate of a load may be a multiple of the capacity', () => {
  expect(planRun(told({ timeline: [{ ...calm, load: steps(['1/s', '0.5x', '1/s']) }] })).needsCapacity).toBe(true);
});

test('only what arrives after a percentile begins counts for it', () => {
  const load = spike({ base: '1/s', to: '200/s', at: '0s', lasts: '5s' });
  const expecting = (from: '0s' | '5s') => told({ timeline: [{ ...calm, load, expect: [latency('browse').p95.below('1s', { from })] }] });
  expect(() => planRun(expecting('0s'))).not.toThrow();
  expect(() => planRun(expecting('5s'))).toThrow('sure to give only 0');
});

test('what nobody expects always is not in the plan', () => {
  const expecting = { timeline: [{ ...calm, expect: [latency('browse').p50.below('1s')] }] };
  expect(describePlan(planRun(told(expecting)))).toContain('\n\nalways\n  - ');
  expect(describePlan(planRun(told({ ...expecting, always: [] })))).not.toContain('always');
});

test('no text of a scenario moves the cursor of whoever reads the plan', () => {
  const plan = describePlan(planRun(told({ story: 'One.\u001b[2J\nTwo.' })));
  expect(plan).toContain('a test: One. [2J Two.\n');
});

test('a stop condition may be about a route of the mall or about an edge', () => {
  const limit = { errorsAbove: '50%', for: '1s' } as const;
  const text = describePlan(planRun(told({ stopConditions: [abortWhen('browse', limit), abortWhen('user->mysql', limit)] })));
  expect(text).toContain('! more than 50% of browse requests fail for 1s\n  ! more than 50% of calls on user->mysql fail for 1s');
});

test('what a scenario sets of its visitors is in the plan, and told where it is not as it always is', () => {
  const plan = planRun(told({ visitors: { timeout: '30s', threads: 2 } }));
  expect(plan.limits).toEqual({ timeoutMs: 30_000, maxInFlight: 10_000, threads: 2 });
  expect(describePlan(plan)).toContain('\nvisitors  time limit 30 s, 2 threads\n');
  expect(describePlan(planRun(told({})))).not.toContain('visitors');
});

test('visitors beside a crowd may be more, and live in more threads', () => {
  const busy = phase('busy', { lasts: '10s', load: crowd(10), expect: [] });
  expect(() => planRun(told({ visitors: { atMost: 20_000, threads: 2 }, timeline: [calm, busy] }))).not.toThrow();
});

test('a percentile that its phase supports is accepted', () => {
  expect(() => planRun(told({ timeline: [{ ...calm, expect: [latency('checkout').p95.below('1s')] }] }))).not.toThrow();
});

test('once the capacity is known, a multiple of it must support its percentiles too', () => {
  const plan = planRun(told({ timeline: [{ ...calm, load: steady('0.5x'), expect: [latency('checkout').p95.below('1s')] }] }));
  expect(() => checkPercentiles(plan, 200)).not.toThrow();
  expect(() => checkPercentiles(plan, 50)).toThrow('sure to give only 91, at a capacity of 50 shoppers/s');
});
