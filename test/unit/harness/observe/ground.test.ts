import { expect, test } from 'vitest';
import type { Fault } from '../../../../chaos/faults.ts';
import type { Replica } from '../../../../compose/deployment.ts';
import { loadDoubt, timingDoubt } from '../../../../harness/expect/validity.ts';
import type { PlayedFault } from '../../../../harness/fault-log.ts';
import { kill, slow } from '../../../../harness/index.ts';
import { groundOf } from '../../../../harness/observe/ground.ts';
import { createSampleStore } from '../../../../harness/observe/samples.ts';
import type { RequestOutcome } from '../../../../harness/record.ts';
import { newHistogram, type Recording, toBase64 } from '../../../../harness/recording.ts';
import type { Service } from '../../../../system/topology.ts';

const startMs = 1_700_000_000_000;
type Seen = Parameters<typeof groundOf>[0];

test('intended visitors are held against those that arrived, phase by phase', () => {
  const seen = evidence({
    phases: [aPhase('calm', 0, 2_000, { intended: 20, shoppers: 20 }), aPhase('rush', 2_000, 4_000, { intended: 90, shoppers: 88 })],
  });
  expect(loadDoubt(ground(seen, 'calm'))).toBeUndefined();
  expect(loadDoubt(ground(seen, 'rush'))).toBe('88 of 90 visitors of the plan arrived');
  expect(ground(seen)).toMatchObject({ intended: 110, arrived: 108 });
});

test('seconds in which a fault was on are left out of lag, hiccups and shares, all that it touched', () => {
  const seen = evidence({
    phases: [aPhase('calm', 0, 5_000)],
    lagsMs: [1, 40, 41, 42, 2],
    hiccupsMs: [3, 80, 81, 82, 5],
    loops: [0.1, 0.9, 0.9, 0.9, 0.3],
    stealShares: [0, 0.5, 0.5, 0.5, 0.01],
    faults: [played(slow('orders->payment', { by: '1s' }), { fromMs: 1_900, untilMs: 3_100 })],
  });
  expect(ground(seen)).toMatchObject({ loopUtilization: 0.3, stealShare: 0.005, throttledShare: 0 });
  expect(near(ground(seen).lagMsP99, 2)).toBe(true);
  expect(near(ground(seen).hiccupMsP999, 5)).toBe(true);
  expect(timingDoubt(ground(seen), 100)).toBeUndefined();
  const { lagMsP99, hiccupMsP999, loopUtilization } = ground({ ...seen, faults: [] });
  expect([near(lagMsP99, 42), near(hiccupMsP999, 82), loopUtilization]).toEqual([true, true, 0.9]);
});

test('what was dropped counts, also while a fault was on', () => {
  const seen = evidence({
    phases: [aPhase('calm', 0, 2_000)],
    drops: [0, 4],
    faults: [played(slow('orders->payment', { by: '1s' }), { fromMs: 0, untilMs: 2_000 })],
  });
  expect(loadDoubt(ground(seen))).toBe('the load generator left out 4 of 20 requests');
});

test('of a second that two phases share, each has its own visitors', () => {
  const seen = evidence({ phases: [aPhase('calm', 0, 1_500), aPhase('rush', 1_500, 3_000)] });
  seen.recording.pace = [
    { phase: 'calm', atMs: 0, planned: 10, sent: 10, dropped: 0, lag: histogram(1) },
    { phase: 'calm', atMs: 1_000, planned: 5, sent: 5, dropped: 0, lag: histogram(2) },
    { phase: 'rush', atMs: 1_000, planned: 50, sent: 47, dropped: 3, lag: histogram(30) },
    { phase: 'rush', atMs: 2_000, planned: 100, sent: 100, dropped: 0, lag: histogram(4) },
  ];
  expect(ground(seen, 'calm')).toMatchObject({ planned: 15, dropped: 0 });
  expect(near(ground(seen, 'calm').lagMsP99, 2)).toBe(true);
  expect(ground(seen, 'rush')).toMatchObject({ planned: 150, dropped: 3 });
  expect(near(ground(seen, 'rush').lagMsP99, 30)).toBe(true);
});

test('a phase of less than a second has the machine of the second it lies in', () => {
  const seen = evidence({ phases: [aPhase('calm', 0, 300), aPhase('rush', 300, 700)], hiccupsMs: [7], loops: [0.85] });
  expect(ground(seen, 'rush').loopUtilization).toBe(0.85);
  expect(near(ground(seen, 'rush').hiccupMsP999, 7)).toBe(true);
});

test.each([
  ['that were answered at once', 20, 1, { loopUtilization: 0.1, stealShare: 0 }],
  ['that were answered later', 1_600, 80, { loopUtilization: 0.9, stealShare: 0.25 }],
])('a phase with requests %s is watched until the last answer', (_, longestMs, lateMs, shares) => {
  const seen = evidence({
    phases: [aPhase('calm', 0, 1_990), aPhase('rush', 1_990, 5_000)],
    hiccupsMs: [1, 1, 1, 80, 200],
    loops: [0.1, 0.1, 0.1, 0.9, 1],
    stealShares: [0, 0, 0, 1, 1],
    outcomes: [['ok', 10]],
    responseMs: longestMs,
  });
  // The plan of those who came later, and how many of them were dropped, is no matter of the phase.
  seen.recording.pace = [
    { phase: 'calm', atMs: 0, planned: 10, sent: 10, dropped: 0, lag: histogram(1) },
    { phase: 'calm', atMs: 1_000, planned: 10, sent: 10, dropped: 0, lag: histogram(1) },
    { phase: 'rush', atMs: 3_000, planned: 10, sent: 7, dropped: 3, lag: histogram(80) },
    { phase: 'rush', atMs: 4_000, planned: 10, sent: 10, dropped: 0, lag: histogram(200) },
  ];
  const calm = ground(seen, 'calm');
  expect(calm).toMatchObject({ ...shares, planned: 20, dropped: 0 });
  expect([near(calm.hiccupMsP999, lateMs), near(calm.lagMsP99, lateMs)]).toEqual([true, true]);
});

test('the last answer is waited for no longer than the time limit and two seconds', () => {
  const loops = [0, 0, 0, 0, 0, 0, 0, 0.3, 0.9];
  const seen = evidence({ phases: [aPhase('calm', 0, 1_000)], loops, outcomes: [['timeout', 1]], responseMs: 30_000 });
  expect(ground(seen).loopUtilization).toBe(0.3);
});

test('a fault of the next phase puts nothing in doubt while the last answers come', () => {
  const seen = evidence({
    phases: [aPhase('calm', 0, 2_000), aPhase('rush', 2_000, 4_000)],
    hiccupsMs: [1, 1, 80, 1],
    loops: [0.1, 0.1, 0.9, 0.2],
    outcomes: [['ok', 10]],
    responseMs: 1_500,
    faults: [played(slow('orders->payment', { by: '1s' }), { fromMs: 2_000, untilMs: 2_900 })],
  });
  expect(ground(seen, 'calm').loopUtilization).toBe(0.2);
  expect(near(ground(seen, 'calm').hiccupMsP999, 1)).toBe(true);
});

test('what comes after a fault that lasted to the end of its phase is its aftermath, and puts nothing in doubt', () => {
  const seen = evidence({
    phases: [aPhase('rush', 0, 2_000), aPhase('after', 2_000, 4_000)],
    hiccupsMs: [1, 1, 80, 1],
    loops: [0.1, 0.1, 0.9, 0.2],
    outcomes: [['ok', 10]],
    responseMs: 1_500,
    faults: [played(slow('orders->payment', { by: '1s' }), { fromMs: 500, untilMs: 2_000 })],
  });
  expect(ground(seen, 'rush')).toMatchObject({ loopUtilization: 0, hiccupMsP999: 0 });
  expect(ground(seen, 'after').loopUtilization).toBe(0.9);
});

test('a part of a second weighs as much as it lasts, and too short a part says nothing of a loop', () => {
  const seen = evidence({ phases: [aPhase('calm', 0, 1_900)], loops: [0.1, 0.95], stealShares: [0, 0.38] });
  const withLast = (lastsMs: number) => {
    const [first, last] = seen.recording.ground;
    if (first === undefined || last === undefined) throw new Error('Expected two seconds');
    return ground({ ...seen, recording: { ...seen.recording, ground: [first, { ...last, lastsMs }] } });
  };
  expect(withLast(900)).toMatchObject({ loopUtilization: 0.95, stealShare: expect.closeTo(0.18, 9) });
  expect(withLast(5)).toMatchObject({ loopUtilization: 0.1, stealShare: expect.closeTo(0.00189, 5) });
});

test('a system that does not tell of its CPU time takes none; a run without a second of it doubts nothing', () => {
  expect(ground(evidence({ phases: [aPhase('calm', 0, 2_000)], loops: [0.1, 0.2] }))).toMatchObject({ stealShare: 0, throttledShare: 0 });
  const nothing = ground(evidence({ phases: [aPhase('calm', 0, 2_000, { intended: 0, shoppers: 0 })] }));
  expect(nothing).toMatchObject({ lagMsP99: 0, hiccupMsP999: 0, loopUtilization: 0 });
  expect(timingDoubt(nothing, 10)).toBeUndefined();
});

test('a journey that threw puts in doubt the phase of its visitors and the run as a whole, and no other phase', () => {
  const seen = evidence({ phases: [aPhase('calm', 0, 2_000), aPhase('rush', 2_000, 3_000), aPhase('after', 3_000, 4_000)] });
  const phases = [
    { phase: 'rush', count: 2, first: 'no id' },
    { phase: 'after', count: 1, first: 'no name' },
  ];
  seen.recording.generator.stumbles = { count: 3, first: 'no id', phases };
  expect(loadDoubt(ground(seen, 'calm'))).toBeUndefined();
  expect(loadDoubt(ground(seen, 'rush'))).toBe("the journey itself threw 2 times, first in 'rush': no id");
  expect(loadDoubt(ground(seen, 'after'))).toBe("the journey itself threw once, first in 'after': no name");
  expect(loadDoubt(ground(seen))).toBe("the journey itself threw 3 times, first in 'rush': no id");
});

const outcomes: [RequestOutcome, number][] = [
  ['ok', 60],
  ['shed', 20],
  ['failed', 10],
  ['timeout', 6],
  ['dropped', 100],
];

test.each([
  [77, '96 requests were sent and 80 answered, but the gateways counted 77'],
  [78, undefined],
  [98, undefined],
  [99, '96 requests were sent and 80 answered, but the gateways counted 99'],
])('gateways that counted %i of 96 requests, of which 80 were surely answered: %s', (counted, doubt) => {
  const seen = evidence({ phases: [aPhase('calm', 0, 3_000)], outcomes, gateways: [counted - 30, 30] });
  expect(ground(seen).counted).toEqual({ answered: 80, sent: 96, byServer: counted });
  expect(loadDoubt(ground(seen))).toBe(doubt);
});

test('checkouts that were repeated are in no other count, but the gateways saw them', () => {
  const seen = evidence({ phases: [aPhase('calm', 0, 3_000)], outcomes, gateways: [97] });
  seen.recording.repeated = { asked: 1, count: 1, different: 0 };
  expect(ground(seen).counted).toEqual({ answered: 80, sent: 97, byServer: 97 });
});

test('gateways are asked for no count when nobody knows when the load began', () => {
  const { countsFromMs: _, ...seen } = evidence({ phases: [aPhase('calm', 0, 3_000)], outcomes, gateways: [80] });
  expect(ground(seen).counted).toBeUndefined();
});

test.each<[string, Partial<Parameters<typeof evidence>[0]>]>([
  ['there is none', {}],
  ['one was never read', { gateways: [60, undefined] }],
  ['one was killed', { gateways: [60, 30], faults: [played(kill('gateway', { replica: 1 }), { fromMs: 0, untilMs: 1 })] }],
  ['something died', { gateways: [60, 30], deaths: ['orders.1'] }],
])('gateways are asked for no count when %s', (_, facts) => {
  expect(ground(evidence({ phases: [aPhase('calm', 0, 3_000)], outcomes, ...facts })).counted).toBeUndefined();
});

/** Of a phase, or of the whole run. */
function ground(seen: Seen, name?: string) {
  const phases = seen.recording.phases.filter((phase) => name === undefined || phase.name === name);
  return groundOf(seen, { phases, window: { fromMs: phases[0]?.fromMs ?? 0, untilMs: phases.at(-1)?.untilMs ?? 0 } });
}

const near = (ms: number, expectedMs: number) => Math.abs(ms / expectedMs - 1) < 0.01;

function histogram(ms: number) {
  const filled = newHistogram();
  filled.recordValue(ms * 1_000);
  return toBase64(filled);
}

function aPhase(name: string, fromMs: number, untilMs: number, { intended = 1, shoppers = 1 } = {}): Recording['phases'][number] {
  return { name, fromMs, untilMs, intended, shoppers, planned: 0, sent: 0, dropped: 0, lag: histogram(1) };
}

function played(fault: Fault, { fromMs, untilMs }: { fromMs: number; untilMs: number }): PlayedFault {
  return {
    phase: 'calm',
    fault,
    places: [],
    askedMs: startMs + fromMs,
    fromMs: startMs + fromMs + 300,
    untilMs: startMs + untilMs,
    effects: [],
  };
}

/** Lists have a place for every second. */
function evidence({
  phases,
  lagsMs = [],
  drops = [],
  hiccupsMs = [],
  loops = [],
  stealShares = [],
  faults = [],
  outcomes = [],
  responseMs = 1,
  gateways = [],
  deaths = [],
}: {
  phases: Recording['phases'];
  lagsMs?: readonly number[];
  drops?: readonly number[];
  hiccupsMs?: readonly number[];
  loops?: readonly number[];
  stealShares?: readonly number[];
  faults?: readonly PlayedFault[];
  outcomes?: readonly [RequestOutcome, number][];
  /** Of each of them. */
  responseMs?: number;
  /** What each of them counted; undefined where it was not read. */
  gateways?: readonly (number | undefined)[];
  deaths?: readonly string[];
}): Seen & { recording: Recording } {
  const total = outcomes.reduce((sum, [outcome, count]) => sum + (outcome === 'dropped' ? 0 : count), 0);
  const samples = createSampleStore();
  for (const [index, counted] of gateways.entries()) {
    if (counted === undefined) continue;
    const instance = `gateway.${index + 1}`;
    // Those who logged in before the first shopper came are none of its requests.
    for (const [atMs, value] of [[5_000, 0] as const, [9_000, 40] as const, [9_800, 40] as const, [14_000, 40 + counted] as const]) {
      samples.add({ instance, atMs }, [{ key: 'code 200', name: 'http_server_requests_code_total', labels: { code: '200' }, value }]);
    }
  }
  const seconds = Math.max(lagsMs.length, drops.length);
  return {
    ...{ samples, faults, deaths, countsFromMs: 9_300 },
    replicas: gateways.map((_, index) => aReplica('gateway', index + 1)),
    recording: {
      startMs,
      routes: ['browse'],
      phases: phases.map((phase, index) => (index === 0 ? { ...phase, planned: total, sent: total } : phase)),
      totals: outcomes.map(([outcome, count]) => ({
        ...{ phase: 'calm', route: 'browse', outcome, count },
        ...{ histogram: histogram(responseMs), service: histogram(1), firstByte: histogram(1), queue: histogram(1) },
      })),
      seconds: [],
      pace: Array.from({ length: seconds }, (_, second) => {
        const dropped = drops[second] ?? 0;
        return { phase: 'calm', atMs: second * 1_000, planned: 10, sent: 10 - dropped, dropped, lag: histogram(lagsMs[second] ?? 1) };
      }),
      ground: Array.from({ length: Math.max(hiccupsMs.length, loops.length) }, (_, second) => ({
        atMs: second * 1_000,
        hiccups: histogram(hiccupsMs[second] ?? 1),
        loopUtilization: loops[second] ?? 0,
        stealShare: stealShares[second],
      })),
      checkouts: { kept: [], overflow: 0 },
      repeated: { asked: 0, count: 0, different: 0 },
      exemplars: [],
      generator: {
        ...{ threads: 1, peakInFlight: 1, peakConnections: 1, priorityRaised: false, cpuMs: 1, timeoutMs: 5_000 },
        stumbles: { count: 0 },
      },
    },
  };
}

function aReplica(service: Service, replica: number): Replica {
  return { service, replica, instance: `${service}.${replica}`, pid: 1, address: '127.0.0.1:4001', admin: '127.0.0.1:4002' };
}
