import { expect, test } from 'vitest';
import type { RunRecord } from '../../../../harness/record.ts';
import { renderHtml } from '../../../../reports/html/page.ts';
import { sampleRecord } from '../../../support/records/sample.ts';

const record = sampleRecord();

test('is the same page for the same record, and below a megabyte', () => {
  const page = renderHtml(record);
  expect(renderHtml(sampleRecord())).toBe(page);
  expect(Buffer.byteLength(page)).toBeLessThan(1_000_000);
});

test('holds the whole record and gives it back', () => {
  const json = /<script type="application\/json" id="record">(.*?)<\/script>/s.exec(renderHtml(record))?.[1] ?? '';
  expect(JSON.parse(json)).toEqual(record);
});

test('refers to nothing outside itself', () => {
  expect(renderHtml(record)).not.toMatch(/(?:src|href)="(?!#|data:)|url\(|@import|https?:\/\//);
});

test.each([
  ['met', 'met'],
  ['missed', 'missed'],
  ['unknown', 'inconclusive'],
] as const)('says of a run that is %s: %s', (outcome, word) => {
  expect(renderHtml({ ...record, outcome })).toContain(`<header class="verdict ${outcome}">`);
  expect(renderHtml({ ...record, outcome })).toContain(`<p class="outcome">${word}</p>`);
});

test('shows every expectation and what was observed', () => {
  const text = renderHtml(record).replaceAll(/<[^>]*>/g, '');
  for (const { sentence, observed } of record.verdicts) {
    expect(text).toContain(sentence.replaceAll('>', '&gt;'));
    expect(text).toContain(observed.replaceAll('>', '&gt;'));
  }
});

test('is safe to open whatever the names in the record are', () => {
  const evil = `</script><script>alert(1)</script><img src=x onerror='alert("2")'>`;
  const page = renderHtml(JSON.parse(JSON.stringify(record).replaceAll('checkout', JSON.stringify(evil).slice(1, -1))));
  expect(page).not.toContain('<script>alert');
  expect(page).not.toContain('<img');
});

test('tells of a run that ended before it began', () => {
  const empty: RunRecord = {
    ...record,
    outcome: 'unknown',
    phases: [],
    faults: [],
    verdicts: [],
    requests: [],
    timeline: [],
    breakers: [],
    picks: [],
    shedding: [],
    spans: [],
    traces: [],
    generator: { planned: 0, sent: 0, dropped: 0, lagMsP50: 0, lagMsP99: 0, lagMsMax: 0, peakInFlight: 0 },
  };
  expect(visibleOf(renderHtml(empty)).match(noNumber)).toBeNull();
});

test('has no number that is none, in any attribute or text', () => {
  expect(visibleOf(renderHtml(record)).match(noNumber)).toBeNull();
});

test('folds away breakers that refused nothing, and leaves out edges without a choice of replicas', () => {
  const page = renderHtml(record);
  expect(page).toContain('<h3>Breaker on orders-&gt;payment</h3>');
  expect(page).not.toContain('<h3>Breaker on gateway-&gt;orders</h3>');
  expect(page).toContain('2 breakers refused nothing');
  expect(page).not.toContain('<h3>Picks on gateway-&gt;orders</h3>');
});

test('shows first the longest failed or slow trace of a phase with faults', () => {
  const chosen = /name="trace" value="(\d+)" checked/.exec(renderHtml(record))?.[1];
  expect(record.traces[Number(chosen)]).toMatchObject({ phase: 'rush', route: 'checkout', outcome: 'timeout' });
});

test('stays below a megabyte with far more traces than it shows, and says how many it leaves out', () => {
  const traces = Array.from({ length: 60 }, (_, index) =>
    record.traces.map((trace) => ({ ...trace, traceId: `${index}${trace.traceId}` })),
  ).flat();
  const page = renderHtml({ ...record, traces: traces.slice(0, 100) });
  expect(Buffer.byteLength(page)).toBeLessThan(1_000_000);
  const shown = page.match(/data-trace="\d+" aria/g)?.length ?? 0;
  expect(shown).toBeLessThan(100);
  expect(page).toContain(`${100 - shown} more are in the record.`);
});

const noNumber = /NaN|Infinity|undefined|\[object/;
const visibleOf = (page: string) => page.replaceAll(/<script.*?<\/script>/gs, '');
