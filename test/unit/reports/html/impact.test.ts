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
    'orders-&gt;payment after 6.5 s 4,120 640 (15.5%) 2,730 (66.3%) 0.34 1.2 s 2.41 s 9.2 ms · 1.19 s · 11.3 ms 6.18 s',
  );
  expect(text).toContain('▲ not in 30 s, 34% in trouble');
  expect(text).toContain('gateway-&gt;orders, checkout did not come back');
  expect(text).toContain('Hurt as well, though less: gateway-&gt;product .');
});

test('tells what shoppers had of it, and how their requests ended', () => {
  const text = section(record);
  expect(text).toContain(
    'checkout ▲ not in 30 s, 31% in trouble 4,830 702 (14.5%) 410 (8.5%) – ≤ 2 s ≤ 8 s 96.4 ms · 1.61 s · 940 ms ≤ 30 s',
  );
  expect(text).toContain('browse at once 6,120 0 0 – none none 41.2 ms · 44.7 ms · 40.9 ms none');
  expect(text).toContain('checkout: 598 timeout · 410 breaker open · 104 unavailable');
});

test('what a fault broke where calls leave no spans is unknown, not nothing', () => {
  const silent: FaultRecord = {
    ...faultOf(),
    sentence: 'orders->etcd: cut',
    places: ['orders->etcd'],
    impacts: [],
    alsoHurt: [],
    routes: [],
  };
  expect(section({ ...record, faults: [silent] })).toContain('Unknown: what it broke on orders-&gt;etcd , for these calls leave no spans.');
  expect(section(record)).not.toContain('leave no spans');
});

test('a fault of an older record says where it was, and that nobody watched', () => {
  const old: FaultRecord = { ...faultOf(), effects: [], impacts: [], alsoHurt: [], routes: [] };
  expect(section({ ...record, faults: [old] })).toContain('on for 25 s · on orders-&gt;payment.1 , not watched');
});

test('a fault that comes again is told once in full and folded after that', () => {
  const again = Array.from({ length: 50 }, (_, index): FaultRecord => ({ ...faultOf(), fromMs: 36_000 + index, untilMs: 36_001 + index }));
  const text = section({ ...record, faults: [faultOf(), ...again] });
  expect(text.match(/slowed by 1s/g)).toHaveLength(1);
  expect(text).toContain('50 more times');
  expect(text).toContain(
    '0:36 1 ms 514 ms 24 s orders-&gt;payment (back after 6.5 s), gateway-&gt;orders ▲ not back in 30 s , checkout ▲ not back in 30 s , and 1 more',
  );
});

test('of a storm the worst are told in full, the others in a line each', () => {
  const harmless = faultOf();
  const storm = Array.from(
    { length: 200 },
    (_, index): FaultRecord => ({
      ...harmless,
      sentence: `gust ${index}`,
      ...(index === 150
        ? {}
        : { impacts: [], alsoHurt: [], routes: harmless.routes.slice(1), ...(index === 198 && { places: ['orders->etcd'] }) }),
    }),
  );
  const page = renderHtml({ ...record, faults: storm });
  expect(page.match(/<article class="impact">/g)).toHaveLength(12);
  expect(page).toContain('<h3>gust 150</h3>');
  const text = section({ ...record, faults: storm });
  expect(text).toContain('188 more, none of them worse');
  expect(text).toContain('0:35 gust 198 25 s 514 ms 41 ms unknown 0:35 gust 199 25 s 514 ms 41 ms nothing failed');
});

test('a run that was aborted says so at the top', () => {
  const page = renderHtml({ ...record, aborted: { atMs: 61_000, why: 'more than 50% of browse requests fail for 10s' } });
  expect(page.slice(0, page.indexOf('</header>'))).toContain('▲ Aborted at 1:01: what should have come after was not played.');
  expect(renderHtml(record)).not.toContain('Aborted at');
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
