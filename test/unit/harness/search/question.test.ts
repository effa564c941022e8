import { expect, test } from 'vitest';
import { UsageError } from '../../../../core/errors.ts';
import { breaker, capacity, errors, get, journey, latency, vocabulary } from '../../../../harness/index.ts';
import { describeSearch, planSearch } from '../../../../harness/search/question.ts';

const within = [latency('checkout').p95.below('250ms'), errors('checkout').below('1%')];
const asked = {
  story: 'How much?',
  mall: {},
  shoppers: { browse: 5, view: 3, checkout: 2 },
  within,
  from: '40/s',
  lasts: '8s',
  precision: '5%',
} as const;

test('a trial lasts as long as was asked, or as its percentile needs at that rate', () => {
  const { trialMs } = planSearch(capacity('capacity', asked));
  // Where 248 checkouts are expected, 200 are sure to be made; one shopper in five makes one.
  expect(trialMs(40)).toBe(32_000);
  expect(trialMs(80)).toBe(16_000);
  expect(trialMs(400)).toBe(8_000);
});

test('the first trial is planned like any phase: what has to stand for it has to stand for all', () => {
  const { plan, precision, upToPerSecond } = planSearch(capacity('capacity', asked));
  expect(plan.phases.map(({ lastsMs }) => lastsMs)).toEqual([32_000]);
  expect(plan.replicas.gateway).toBeGreaterThan(0);
  expect({ precision, upToPerSecond }).toEqual({ precision: 0.05, upToPerSecond: 5_000 });
});

test('a target of one’s own is asked in the words of its journey', () => {
  const words = vocabulary('list');
  const visit = journey(['list'], async ({ step }) => {
    await step('list', get('/'));
  });
  const { plan, trialMs } = planSearch(
    capacity('mine', {
      ...{ story: 'How much?', target: { http: 'http://127.0.0.1:3000' }, journey: visit },
      ...{ within: [words.latency('list').p99.below('50ms')], from: '100/s', lasts: '5s', precision: '10%' },
    }),
  );
  expect(plan.scenario).toHaveProperty('target');
  expect(trialMs(100)).toBe(12_000);
});

test('says in words what it is going to do', () => {
  const text = describeSearch(planSearch(capacity('capacity', asked)));
  expect(text).toContain('from 40/s to 5000/s, to within 5%');
  expect(text).toContain(within[0]?.sentence);
  expect(text).toContain('each trial lasts 8 s to 32 s');
  expect(text).toMatch(/^mall {6}\d+ gateway, /m);
  expect(text).toMatch(
    /^lasts up to 7 min with 12 s of warm-up and 17 trials; where they contradict each other there are more, at most 60$/m,
  );
});

test('says what a target of one’s own is, and one duration where all trials last as long, and moves no cursor', () => {
  const visit = journey(['list'], async () => {});
  const target = { http: 'http://127.0.0.1:3000' };
  const { mall: _mall, shoppers: _shoppers, ...common } = asked;
  const within = [vocabulary('list').errors('list').below('1%')];
  const text = describeSearch(planSearch(capacity('mine', { ...common, story: 'one\u001b[2J\ntwo', target, journey: visit, within })));
  expect(text).toContain('mine: one [2J two\n\ntarget    http://127.0.0.1:3000\nsteps     list\n');
  expect(text).toContain('\neach trial lasts 8 s, and');
});

test('its visitors wait as long as it says, and it says so', () => {
  const plan = planSearch(capacity('capacity', { ...asked, visitors: { timeout: '1s', atMost: 500 } }));
  expect(plan.plan.limits).toEqual({ timeoutMs: 1_000, maxInFlight: 500, threads: 1 });
  expect(describeSearch(plan)).toContain('\nvisitors  time limit 1 s, at most 500 under way\n');
  expect(describeSearch(planSearch(capacity('capacity', asked)))).not.toContain('visitors');
});

test.each([
  [{ within: [] }, 'expected a target such as'],
  [{ within: [breaker('orders->payment').stays('closed')] }, "not by 'the breaker on orders->payment stays closed'"],
  [{ within: [latency('browse').p95.within(2, 'before')] }, 'each trial stands alone'],
  [{ from: '0.4x' }, "The rate '0.4x' is a multiple of the capacity"],
  [{ from: '0/s' }, "expected 'from' to be a rate above 0, got '0/s'"],
  [{ upTo: '40/s' }, "expected 'upTo' to be a rate above '40/s', got '40/s'"],
  [{ lasts: '2s' }, "expected a trial that lasts from 5s to 60s, got '2s'"],
  [{ lasts: 'soon' as '1s' }, "'lasts': Expected a duration such as '250ms', '30s' or '2m', got 'soon'"],
  [{ lasts: undefined as never }, "Capacity search 'capacity': 'lasts': Expected a duration such as '250ms', '30s' or '2m', got nothing"],
  [{ from: undefined as never }, "Capacity search 'capacity': 'from': Expected a rate such as '120/s' or '0.4x', got nothing"],
  [{ precision: undefined as never }, "Capacity search 'capacity': 'precision': Expected a percentage from '0%' to '100%', got nothing"],
  [{ upTo: 5_000 as never }, "Capacity search 'capacity': 'upTo': Expected a rate such as '120/s' or '0.4x', got 5000"],
  [{ upTo: '100001/s' }, "expected 'upTo' to be a rate up to 100000/s, which is more than one machine can make, got '100001/s'"],
  [
    { within: within[0] as never },
    "Expected 'within' of capacity search 'capacity' to be a list such as [latency(…).p95.below('250ms')], got an object",
  ],
  [{ within: ['fast' as never] }, "not by 'fast'"],
  [{ within: [null as never] }, 'not by null'],
  [{ story: '' }, "Expected 'story' of capacity search 'capacity' to be a sentence, got ''"],
  [{ timeline: [] }, "'within', 'from', 'upTo', 'lasts', 'precision' and 'visitors' only, got 'timeline'"],
  [{ shoppers: undefined as never }, "Expected 'shoppers' of capacity search 'capacity' to be an object, got nothing"],
  [{ journey: undefined }, "got 'journey' and 'mall'"],
  [{ precision: '0%' }, "expected a precision from 1% to 50%, got '0%'"],
  [{ within: [latency('checkout').p99.below('1s')] }, 'a trial of 138 s is needed'],
  [{ visitors: { threads: 0 } }, "Capacity search 'capacity': Expected the 'threads' of visitors to be a whole number from 1 to 16, got 0"],
  [{ shoppers: { browse: 0, view: 0, checkout: 0 } }, 'Expected some shoppers'],
] as const)('%o is refused with one sentence', (change, sentence) => {
  const plan = () => planSearch(capacity('capacity', { ...asked, ...change }));
  expect(plan).toThrow(UsageError);
  expect(plan).toThrow(sentence);
});
