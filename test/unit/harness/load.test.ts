import { expect, test } from 'vitest';
import { crowd, ramp, spike, stages, steady, steps, uniformly } from '../../../harness/index.ts';
import { arrivalsOf, isOpen, type Load, type OpenLoad, ratesOf, requestsPerShopper, sentenceOf, stagesOf } from '../../../harness/load.ts';

const stage = (lastsMs: number, fromPerSecond: number, toPerSecond = fromPerSecond) => ({ lastsMs, fromPerSecond, toPerSecond });

test.each<[string, OpenLoad, unknown]>([
  ['a steady load is one level stage', steady('0.4x'), [stage(30_000, 40)]],
  ['a ramp is one slope', ramp('0.4x', '250/s'), [stage(30_000, 40, 250)]],
  [
    'a spike is a plateau between two others',
    spike({ base: '0.4x', to: '3x', at: '10s', lasts: '5s' }),
    [stage(10_000, 40), stage(5_000, 300), stage(15_000, 40)],
  ],
  ['a spike may be there from the start', spike({ base: '1x', to: '3x', at: '0s', lasts: '5s' }), [stage(5_000, 300), stage(25_000, 100)]],
  ['a spike may last to the end', spike({ base: '1x', to: '3x', at: '20s', lasts: '10s' }), [stage(20_000, 100), stage(10_000, 300)]],
  ['steps are equally long', steps(['100/s', '200/s', '400/s']), [stage(10_000, 100), stage(10_000, 200), stage(10_000, 400)]],
  [
    'stages are as they were written, level where they say no more',
    stages([
      { lasts: '5s', from: '0/s', to: '1x' },
      { lasts: '20s', from: '1x' },
      { lasts: '5s', from: '1x', to: '0/s' },
    ]),
    [stage(5_000, 0, 100), stage(20_000, 100), stage(5_000, 100, 0)],
  ],
])('%s', (_name, load, expected) => {
  expect(stagesOf(load, 30_000, 100)).toEqual(expected);
});

test('fractions of milliseconds fill a phase too', () => {
  expect(stagesOf(stages(Array.from({ length: 10 }, () => ({ lasts: '0.1ms' as const, from: '1/s' as const }))), 1)).toHaveLength(10);
});

test.each<[string, OpenLoad, string]>([
  ['stages that leave a gap', stages([{ lasts: '29s', from: '1/s' }]), 'Expected stages that together last 30000 ms, got 29000 ms'],
  ['stages that outlast the phase', stages([{ lasts: '31s', from: '1/s' }]), 'Expected stages that together last 30000 ms, got 31000 ms'],
  ['a late spike', spike({ base: '1/s', to: '2/s', at: '28s', lasts: '3s' }), 'over after 30000 ms, got one until 31000 ms'],
  ['a spike of no length', spike({ base: '1/s', to: '2/s', at: '28s', lasts: '0s' }), "lasts for some time, got '0s'"],
  ['no steps', steps([]), "Expected steps such as steps(['100/s', '200/s']), got none"],
  ['a multiple of nothing', steady('2x'), 'no capacity is known'],
])('%s cannot be played', (_name, load, sentence) => {
  expect(() => stagesOf(load, 30_000)).toThrow(sentence);
});

test.each<[Load, string, string[]]>([
  [steady('0.4x'), '0.4x', ['0.4x']],
  [ramp('0.4x', '2x'), '0.4x → 2x', ['0.4x', '2x']],
  [spike({ base: '1/s', to: '9/s', at: '10s', lasts: '5s' }), '1/s, from 10s for 5s 9/s', ['1/s', '9/s']],
  [steps(['1/s', '2/s']), '1/s, 2/s', ['1/s', '2/s']],
  [
    stages([
      { lasts: '5s', from: '0/s', to: '9/s' },
      { lasts: '1m', from: '9/s' },
    ]),
    '0/s → 9/s for 5s, 9/s for 1m',
    ['0/s', '9/s', '9/s'],
  ],
  [uniformly(ramp('1/s', '2/s')), '1/s → 2/s, evenly spaced', ['1/s', '2/s']],
  [crowd(200), 'crowd of 200', []],
])('%j says itself in words and lists its rates', (load, sentence, rates) => {
  expect(sentenceOf(load)).toBe(sentence);
  expect(ratesOf(load)).toEqual(rates);
});

test('shoppers come by chance unless the load says otherwise', () => {
  expect(arrivalsOf(steady('1/s'))).toBe('poisson');
  expect(arrivalsOf(uniformly(steady('1/s')))).toBe('uniform');
  expect(stagesOf(uniformly(steady('1/s')), 10)).toEqual(stagesOf(steady('1/s'), 10));
});

test('only a crowd waits for answers', () => {
  expect([crowd(1), steady('1/s'), steps(['1/s'])].map(isOpen)).toEqual([false, true, true]);
});

test('all shoppers browse, some go on to view and some of those check out', () => {
  expect(requestsPerShopper({ browse: 5, view: 3, checkout: 2 })).toEqual({ browse: 1, view: 0.5, checkout: 0.2 });
});
