import { expect, test } from 'vitest';
import type { FaultRecord, RunRecord } from '../../../../harness/record.ts';
import { renderHtml } from '../../../../reports/html/page.ts';
import { sampleRecord } from '../../../support/records/sample.ts';

const record = sampleRecord();
const [fault] = record.faults;

test('tells when each fault was asked for, acknowledged, felt, removed and gone, and by what it was felt', () => {
  expect(section(record)).toContain('asked for at 0:35, acknowledged 2 ms later, on for 25 s');
  expect(section(record)).toContain('felt after 514 ms: no answer after 500 ms, directly after 1.1 ms · gone 41 ms after its end');
});

test('says where a fault was not felt, and where it met no traffic', () => {
  expect(section(record)).toContain('orders-&gt;inventory.2 ▲ not felt: the callee itself did not answer · ▲ not seen to be gone');
  expect(section(record)).toContain('no call of the mall on orders-&gt;inventory.2');
});

test('tells of each edge what broke and for how long', () => {
  const text = section(record);
  expect(text).toContain(
    'orders-&gt;payment 4,120 640 (15.5%) 2,730 (66.3%) 0.34 1.2 s 2.41 s 9.2 ms · 1.19 s · 11.3 ms 6.18 s after 6.5 s',
  );
  expect(text).toContain('▲ not in 30 s, 34% in trouble');
  expect(text).toContain('gateway-&gt;orders did not come back');
});

test('a fault that comes again is told once in full and folded after that', () => {
  const again = Array.from({ length: 50 }, (_, index): FaultRecord => ({ ...faultOf(), fromMs: 36_000 + index, untilMs: 36_001 + index }));
  const text = section({ ...record, faults: [faultOf(), ...again] });
  expect(text.match(/slowed by 1s/g)).toHaveLength(1);
  expect(text).toContain('50 more times');
});

test('the lanes of a storm are folded, so that the timeline stays in sight', () => {
  const storm = Array.from(
    { length: 40 },
    (_, index): FaultRecord => ({ ...faultOf(), sentence: `gust ${index}`, fromMs: 30_000 + index * 500 }),
  );
  expect(renderHtml({ ...record, faults: storm })).toContain('<summary>28 more faults</summary>');
});

test('a run without faults has no such section', () => {
  expect(renderHtml({ ...record, faults: [] })).not.toContain('What broke');
});

/** The text of the section, each run of blanks as one. */
function section(told: RunRecord): string {
  const page = renderHtml(told);
  const start = page.indexOf('<section id="impact"');
  return page
    .slice(start, page.indexOf('</section>', start))
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(' :', ':');
}

function faultOf(): FaultRecord {
  if (fault === undefined) throw new Error('Expected the sample to have a fault');
  return fault;
}
