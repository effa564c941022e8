import { expect, test } from 'vitest';
import { breaker, kill, phase, restart, scenario, slow, steady } from '../../../harness/index.ts';
import { outlineOf } from '../../../harness/outline.ts';
import { planRun } from '../../../harness/plan.ts';

test('a plan in outline is its phases one after the other, with the times of their faults', () => {
  const calm = { load: steady('10/s'), expect: [breaker('orders->payment').stays('closed')] } as const;
  const plan = planRun(
    scenario('outlined', {
      story: 'Three phases.',
      mall: {},
      shoppers: { browse: 1, view: 0, checkout: 0 },
      timeline: [
        phase('calm', { lasts: '10s', ...calm }),
        phase('slow', { lasts: '20s', ...calm, faults: [slow('orders->payment', { by: '1s', from: '5s' })] }),
        phase('hard', {
          lasts: '10s',
          ...calm,
          faults: [kill('payment', { from: '1s', lasts: '2s', every: '5s' }), restart('orders', { from: '4s' })],
        }),
      ],
    }),
  );
  expect(outlineOf(plan)).toEqual([
    { name: 'calm', fromMs: 0, untilMs: 10_000, faults: [] },
    { name: 'slow', fromMs: 10_000, untilMs: 30_000, faults: [{ fromMs: 15_000, untilMs: 30_000 }] },
    {
      name: 'hard',
      fromMs: 30_000,
      untilMs: 40_000,
      faults: [
        { fromMs: 31_000, untilMs: 33_000 },
        { fromMs: 36_000, untilMs: 38_000 },
        { fromMs: 34_000, untilMs: 34_000 },
      ],
    },
  ]);
});
