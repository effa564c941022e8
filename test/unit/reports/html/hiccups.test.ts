import { expect, test } from 'vitest';
import type { GroundPoint, RunRecord, TimelinePoint } from '../../../../harness/record.ts';
import { groundOf } from '../../../../reports/html/ground.ts';
import { hiccupPanels, suspectSeconds } from '../../../../reports/html/hiccups.ts';
import { sampleRecord } from '../../../support/records/sample.ts';
import { pausedSecond } from '../../../support/records/traffic.ts';

const record = sampleRecord();
const seconds = [0, 1_000, 2_000, 3_000, 4_000];

test.each<[string, { p99Ms: number; pause: Partial<GroundPoint>; isSuspect: boolean }]>([
  ['a pause as long as the latency that stands out', { p99Ms: 100, pause: { hiccupMsMax: 100 }, isSuspect: true }],
  ['a pause half as long', { p99Ms: 100, pause: { hiccupMsMax: 50 }, isSuspect: true }],
  ['a pause that is too short to explain it', { p99Ms: 100, pause: { hiccupMsMax: 49 }, isSuspect: false }],
  ['a latency as always, however long the pause', { p99Ms: 19, pause: { hiccupMsMax: 500 }, isSuspect: false }],
  ['visitors who were sent late', { p99Ms: 100, pause: { lagMsP99: 60 }, isSuspect: true }],
])('suspects the machine or not: %s', (_name, { p99Ms, pause, isSuspect }) => {
  const timeline = seconds.map((atMs) => answered('view', atMs, atMs === 2_000 ? p99Ms : 10));
  const ground = seconds.map((atMs) => ({ ...quiet(atMs), ...(atMs === 2_000 ? pause : {}) }));
  expect(suspectSeconds({ ...record, timeline, ground }, seconds)).toEqual([false, false, isSuspect, false, false]);
});

test('suspects the machine of the routes whose latency stands out, and of no other', () => {
  const timeline = seconds.flatMap((atMs) => [answered('view', atMs, atMs === 2_000 ? 100 : 10), answered('browse', atMs, 10)]);
  const ground = seconds.map((atMs) => ({ ...quiet(atMs), hiccupMsMax: atMs === 2_000 ? 100 : 0.2 }));
  const of = (route?: string) => suspectSeconds({ ...record, timeline, ground }, seconds, route).indexOf(true);
  expect([of('view'), of('browse'), of()]).toEqual([2, -1, 2]);
});

test('suspects nothing where nothing is known of the machine', () => {
  const { ground: _, ...older } = record;
  expect(suspectSeconds(older, seconds)).not.toContain(true);
  expect(hiccupPanels(older, groundOf(older))).toBeUndefined();
  expect(hiccupPanels({ ...record, ground: [] }, groundOf(record))).toBeUndefined();
});

test('tells every number of a second', () => {
  expect(toldAt(record, pausedSecond)).toMatchObject({ 'hiccup max': '96.3 ms', 'loop busy': expect.stringMatching(/%$/), steal: '17%' });
  expect(Object.keys(toldAt(record, 0))).toEqual(['hiccup max', 'hiccup p99', 'lag p99', 'loop busy', 'steal']);
});

test('tells of a quota only where it held something back, and of steal only where the system knows it', () => {
  const ground = [{ ...quiet(0), throttledShare: 0.25 }];
  expect(Object.keys(toldAt({ ...record, ground }, 0))).toEqual(['hiccup max', 'hiccup p99', 'lag p99', 'loop busy', 'throttled']);
  expect(toldAt({ ...record, ground }, 0)).toMatchObject({ throttled: '25%' });
});

test('marks the second in which a pause is as large as the spike above it', () => {
  const { markup = '' } = hiccupPanels(record, groundOf(record)) ?? {};
  expect(markup.match(/<i class="suspect-band"[^>]*>/g)).toEqual([
    expect.stringContaining(`left:${Math.round((pausedSecond / 90) * 1_000) / 10}%`),
  ]);
  expect(markup).toContain('longest hiccup 96.3 ms at 1:11; 1 second in which a pause may explain a latency');
});

const answered = (route: string, atMs: number, p99: number): TimelinePoint => ({
  ...{ atMs, route, planned: 10, outcomes: { ok: 10 } },
  latencyMs: { p50: p99 / 2, p95: p99, p99 },
});

const quiet = (atMs: number): GroundPoint => ({
  ...{ atMs, hiccupMsP99: 0.1, hiccupMsMax: 0.2 },
  ...{ lagMsP99: 0.1, lagMsMax: 0.2, loopUtilization: 0.1 },
});

/** What all panels together tell the crosshair of a second. */
function toldAt(of: RunRecord, second: number): Record<string, string> {
  const { markup = '' } = hiccupPanels(of, groundOf(of)) ?? {};
  const panels = [...markup.matchAll(/<script type="application\/json">(.*?)<\/script>/gs)].map(([, text]) => JSON.parse(text ?? ''));
  return Object.fromEntries(
    panels.flatMap(({ series }) => series.map(({ name, values }: { name: string; values: string[] }) => [name, values[second]])),
  );
}
