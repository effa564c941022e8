import { expect, test } from 'vitest';
import type { RunRecord } from '../../../../harness/record.ts';
import { honestySection } from '../../../../reports/html/honesty.ts';
import { sampleRecord } from '../../../support/records/sample.ts';
import { targetRecord } from '../../../support/records/target.ts';

const record = sampleRecord();
const calm: RunRecord = {
  ...targetRecord(),
  ground: [{ atMs: 0, hiccupMsP99: 0.1, hiccupMsMax: 0.9, lagMsP99: 0.2, lagMsMax: 0.3, loopUtilization: 0.1, stealShare: 0.001 }],
};

test('tells how the load generator and its machine were', () => {
  expect(factsOf(record)).toMatchObject({
    threads: '1',
    'most in flight': '412',
    'most connections': '418',
    'priority raised': 'yes',
    'lag p99': '1.87 ms',
    'visitors wait': '5 s',
    'journeys that threw': '0',
    'longest hiccup': '96.3 ms at 1:11',
    'most steal': '17% at 1:11',
    'most throttled': '0%',
  });
  expect(factsOf(record)['hiccup p99, worst second']).toMatch(/^84\.\d ms at 1:11$/);
});

test('says that it was the system that refused to raise the priority', () => {
  expect(factsOf(withGenerator({ priorityRaised: false }))['priority raised']).toBe('no, the system refused');
});

test('tells no more of an older record than it knows', () => {
  const { threads: _, peakConnections: __, timeoutMs: ___, stumbles: ____, ...generator } = record.generator;
  const { ground: _____, ...older } = record;
  const facts = factsOf({ ...older, generator });
  for (const name of ['threads', 'most connections', 'visitors wait', 'journeys that threw', 'longest hiccup', 'most steal']) {
    expect(Object.keys(facts)).not.toContain(name);
  }
  expect(facts['most in flight']).toBe('412');
});

test('says that the system does not tell what it does not', () => {
  expect(factsOf(calm)).toMatchObject({ 'most steal': '0.1% at 0:00', 'most throttled': 'the system does not tell' });
});

test('finds nothing that a calm run cannot tell, and then says nothing of it', () => {
  expect(limitsOf(calm)).toEqual([]);
  expect(honestySection(calm).markup).not.toContain('cannot tell');
});

test.each<[string, RunRecord, RegExp]>([
  [
    'requests that were not sent',
    withGenerator({ dropped: 22 }, calm),
    /^How 22 of 3,000 requests would have gone: too many were in flight, or this machine had no socket left/,
  ],
  [
    'journeys that threw, with the first message',
    withGenerator({ stumbles: { count: 3, first: 'no <b>seat</b> left' } }, calm),
    /^How 3 visits .*threw, first: no &lt;b&gt;seat/,
  ],
  [
    'a single journey that threw',
    withGenerator({ stumbles: { count: 1, first: 'no seat' } }, calm),
    /^How 1 visit would have gone on: .*threw, first: no seat/,
  ],
  [
    'the phase in which the first of them threw',
    withGenerator({ stumbles: { count: 3, first: 'no seat', phases: [{ phase: 'rush', count: 3, first: 'no seat' }] } }, calm),
    /^How 3 visits .*threw, first in &#39;rush&#39;: no seat/,
  ],
  [
    'requests that were given up',
    { ...calm, requests: [{ phase: 'calm', route: 'list', outcome: 'timeout', count: 7, histogram: '' }] },
    /^How long 7 requests would have taken: nobody waited longer than 5 s/,
  ],
  [
    'CPU time that others took',
    { ...calm, ground: [...(calm.ground ?? []), { ...(calm.ground ?? [])[0], atMs: 9_000, throttledShare: 0.3 } as never] },
    /up to 30% of the CPU time went to others \(at 0:09\)/,
  ],
  [
    'a priority that was not raised',
    withGenerator({ priorityRaised: false }, calm),
    /the system refused to let the load generator go before others/,
  ],
  ['spans that were lost', { ...calm, spans: [{ instance: 'a.1', made: 10, received: 7 }] }, /^What 3 spans would have said/],
])('names among what it cannot tell %s', (_name, of, limit) => {
  expect(limitsOf(of)).toHaveLength(1);
  expect(limitsOf(of)[0]).toMatch(limit);
});

test('tells what was changed of the mall and what died in it only where there is one', () => {
  const ofMall = ['processes that died', 'tuned', 'switched off'];
  expect(Object.keys(factsOf(record))).toEqual(expect.arrayContaining(ofMall));
  for (const name of ofMall) expect(Object.keys(factsOf(targetRecord()))).not.toContain(name);
});

test('has no table of spans where there are none', () => {
  expect(honestySection(record).markup).toContain('<h3>Spans</h3>');
  expect(honestySection(calm).markup).not.toContain('<h3>Spans</h3>');
});

function withGenerator(change: Partial<RunRecord['generator']>, of = record): RunRecord {
  return { ...of, generator: { ...of.generator, ...change } };
}

const limitsOf = (of: RunRecord) => [...honestySection(of).markup.matchAll(/<li>(.*?)<\/li>/g)].map(([, limit = '']) => limit);

const factsOf = (of: RunRecord): Record<string, string> =>
  Object.fromEntries([...honestySection(of).markup.matchAll(/<dt>(.*?)<\/dt><dd>(.*?)<\/dd>/g)].map(([, name, value]) => [name, value]));
