import { expect, test } from 'vitest';
import type { RunRecord } from '../../../../harness/record.ts';
import { groundOf, phaseStrip } from '../../../../reports/html/ground.ts';
import { sampleRecord } from '../../../support/records/sample.ts';

type Phase = RunRecord['phases'][number];
const level = (perSecond: number) => ({ lastsMs: 10_000, fromPerSecond: perSecond, toPerSecond: perSecond });

test.each<[string, Partial<Phase>, string | undefined]>([
  [
    'one stage is told from its start to its end',
    { stages: [{ lastsMs: 30_000, fromPerSecond: 50, toPerSecond: 80 }] },
    '50 → 80 shoppers/s',
  ],
  ['a spike is told by its lowest and its highest rate', { stages: [level(50), level(300), level(50)] }, '50 – 300 shoppers/s'],
  ['a crowd has no planned rate', { stages: [], load: 'crowd of 20' }, undefined],
  ['a record from before there were stages has two rates', {}, '50 → 80 shoppers/s'],
])('%s', (_name, phase, rate) => {
  const record = recordWith({
    name: 'rush',
    fromMs: 0,
    untilMs: 30_000,
    load: 'a load',
    shoppersPerSecondFrom: 50,
    shoppersPerSecondTo: 80,
    ...phase,
  });
  const { markup } = phaseStrip(record, groundOf(record));
  if (rate === undefined) expect(markup).not.toContain('shoppers/s');
  // Before the load, which may be too long for its phase.
  else expect(markup).toContain(`<b>rush</b> <small>${rate}</small> <span>a load</span>`);
});

function recordWith(phase: Phase): RunRecord {
  return { ...sampleRecord(), phases: [phase] };
}
