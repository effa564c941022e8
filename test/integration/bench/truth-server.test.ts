import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { Behaviour } from '../../../bench/truth/behaviour.ts';
import { startCanary } from '../../../bench/truth/canary.ts';
import { nowUs } from '../../../bench/truth/clock.ts';
import type { Workload } from '../../../bench/truth/contestant.ts';
import { play, playUntilValid } from '../../../bench/truth/play.ts';
import { runTruth } from '../../../bench/truth/run.ts';
import type { Script } from '../../../bench/truth/scripts.ts';
import { ping, startTruthServer } from '../../../bench/truth/server-control.ts';
import { percentile, servedMs } from '../../../bench/truth/truth.ts';
import { waitUntil } from '../../../core/time.ts';
import { asksOnTime } from '../../support/truth/asks-on-time.ts';

const never = new AbortController().signal;
const noPauses = { pausesSince: () => [] };
const workload: Omit<Workload, 'url'> = {
  ...{ lastsMs: 1_000, ratePerSecond: 200, arrivals: 'uniform', connections: 10, timeoutMs: 500 },
};
const script = (behaviour: Behaviour, more: Partial<Script> = {}): Script => ({
  ...{ name: 'test', about: '', workload, behaviour, figures: () => [] },
  ...more,
});

/** Plays once; where the machine stood still meanwhile, what is true of the counts is true all the same. */
async function played(one: Script) {
  await using server = await disposableServer();
  let result = await play(asksOnTime, one, { server, canary: noPauses, signal: never });
  for (let again = 0; result.kind === 'invalid' && again < 5; again += 1) {
    result = await play(asksOnTime, one, { server, canary: noPauses, signal: never });
  }
  if (result.kind !== 'valid') throw new Error(`Expected a valid play, got ${JSON.stringify(result)}`);
  return result;
}

/** What is so unless the machine stood still at that moment: it does not every time. */
async function someTime(isSo: () => Promise<boolean>): Promise<void> {
  for (let times = 0; times < 5; times += 1) if (await isSo()) return;
  throw new Error('Expected it to be so at least once in five times');
}

async function disposableServer() {
  const server = await startTruthServer();
  return { ...server, [Symbol.asyncDispose]: server.close };
}

const isAlive = (pid: number) => {
  try {
    // A process that nobody has taken note of yet is dead all the same.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

test('logs every request with when it came and when it was answered', async () => {
  const { logged, measured } = await played(script({ serves: { kind: 'atOnce' } }));
  expect(logged.arrived).toBe(200);
  expect(measured.answered).toBe(200);
  expect(logged.arrivedUs).toHaveLength(200);
  expect(logged.arrivedUs).toEqual(logged.arrivedUs.toSorted());
  expect([...servedMs(logged)].filter((ms) => ms >= 0)).toHaveLength(200);
});

test('keeps a delay to a fraction of a millisecond, and never answers early', async () => {
  // A timer of whole milliseconds would be 0.75 ms late each time.
  await someTime(async () => {
    const { logged } = await played(script({ serves: { kind: 'after', delayMs: 20.25 } }));
    const served = servedMs(logged);
    expect(Math.min(...served)).toBeGreaterThanOrEqual(20.25);
    return (percentile(served, 0.25) ?? Number.NaN) < 20.75;
  });
});

test('serves one after the other where it has one hand', async () => {
  const { logged } = await played(script({ serves: { kind: 'inTurn', serviceMs: 6 } }, { workload: { ...workload, timeoutMs: 4_000 } }));
  const gaps = logged.answeredUs.slice(1).map((us, i) => (us - (logged.answeredUs[i] ?? 0)) / 1_000);
  expect(percentile(gaps, 0.5)).toBeCloseTo(6, 0);
  const lastMs = servedMs(logged).at(-1);
  // 200 services of 6 ms, and the last came after 199 gaps of 5 ms.
  expect(lastMs).toBeGreaterThan(150);
});

test.each([
  ['reset', 'ECONNRESET'],
  ['fin', 'the end'],
] as const)('every second request ends with a %s, which its client sees as %s', async (by, end) => {
  await using server = await disposableServer();
  await server.begin({ serves: { kind: 'atOnce' }, spoils: { every: 2, by } });
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  const seen = new Promise<string>((resolve) => {
    socket.once('end', () => resolve('the end'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  });
  socket.write('GET / HTTP/1.1\r\nHost: truth\r\n\r\n');
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  socket.write('GET / HTTP/1.1\r\nHost: truth\r\n\r\n');
  expect(await seen).toBe(end);
  const { arrived, spoilt, answeredUs } = await server.logged();
  expect({ arrived, spoilt: spoilt[by] }).toEqual({ arrived: 2, spoilt: 1 });
  expect(answeredUs[1]).toBeNaN();
});

test('errors and time-outs of a client that tells the truth are as many as the server made', async () => {
  const broken = await played(script({ serves: { kind: 'atOnce' }, spoils: { every: 50, by: 'reset' } }));
  expect(broken.measured.errors).toEqual({ broken: 4 });
  expect(broken.logged.spoilt.reset).toBe(4);
  const hung = await played(script({ serves: { kind: 'atOnce' }, spoils: { every: 50, by: 'hang' } }));
  expect(hung.measured.timeouts).toBe(4);
  expect(hung.logged.spoilt.hang).toBe(4);
});

test('a play with a stop stops the server for as long as its stamps say, and lets the stop pass as explained', async () => {
  const stopped = script(
    { serves: { kind: 'atOnce' } },
    { stop: { atMs: 300, lastsMs: 300 }, workload: { ...workload, timeoutMs: 3_000 } },
  );
  await someTime(async () => {
    const { stoppedMs, logged, measured } = await played(stopped);
    expect(stoppedMs).toBeGreaterThanOrEqual(299);
    // Of a second, 0.3 were without service: p90 is 0.3 - 0.1 s.
    expect(measured.percentilesMs.p90).toBeGreaterThan(stoppedMs - 100 - 10);
    const longestMs = Math.max(...logged.pauses.map(({ fromUs, toUs }) => (toUs - fromUs) / 1_000));
    return Math.abs(longestMs - stoppedMs) < 20;
  });
});

test('begins anew without what was before: connections are closed, and the log is empty', async () => {
  await using server = await disposableServer();
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  const closed = once(socket, 'close');
  socket.write('GET / HTTP/1.1\r\nHost: truth\r\n\r\n');
  await once(socket, 'data');
  expect((await server.logged()).arrived).toBe(1);
  await server.begin({ serves: { kind: 'atOnce' } });
  socket.on('error', () => {});
  await closed;
  expect((await server.logged()).arrived).toBe(0);
});

test('a ping has one value for each time it asked', async () => {
  await using server = await disposableServer();
  const tookMs = await ping(server.url, 50);
  expect(tookMs).toHaveLength(50);
  expect(Math.min(...tookMs)).toBeGreaterThan(0);
});

test('a run that is interrupted while the server stands still leaves no server behind', async () => {
  const abort = new AbortController();
  const reason = new Error('interrupted');
  await using server = await disposableServer();
  const interrupting = {
    ...server,
    stop: () => {
      const us = server.stop();
      abort.abort(reason);
      return us;
    },
  };
  const stopped = script({ serves: { kind: 'atOnce' } }, { stop: { atMs: 100, lastsMs: 60_000 } });
  await expect(play(asksOnTime, stopped, { server: interrupting, canary: noPauses, signal: abort.signal })).rejects.toBe(reason);
  // It answers, so it is not stopped any more.
  expect((await server.logged()).arrived).toBeGreaterThan(0);
  await server.close();
  expect(isAlive(server.pid)).toBe(false);
});

test('a stopped server goes with the process that started it', async () => {
  const starter = fork(new URL('../../support/processes/starts-a-truth-server.ts', import.meta.url));
  const [pid] = (await once(starter, 'message')) as [number];
  expect(isAlive(pid)).toBe(true);
  starter.kill('SIGTERM');
  await once(starter, 'exit');
  await waitUntil({ timeoutMs: 10_000, describe: () => `the server ${pid} to be gone` }, () => !isAlive(pid));
});

test('a canary does not take a busy thread for a machine that stands still', async () => {
  const canary = startCanary();
  await someTime(async () => {
    const fromUs = nowUs();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
    return canary.pausesSince(fromUs).every((pause) => pause.toUs - pause.fromUs <= 300_000);
  });
  await canary.close();
});

test('a play is played again while the machine stood still, three times at most', async () => {
  await using server = await disposableServer();
  const short = script({ serves: { kind: 'atOnce' } }, { workload: { ...workload, lastsMs: 50 } });
  const standingStill = (timesLeft: number) => ({ pausesSince: () => (timesLeft-- > 0 ? [{ fromUs: 0, toUs: 21_000 }] : []) });
  const kinds = async (plays: number) => {
    const all = await playUntilValid(asksOnTime, short, { server, canary: standingStill(plays), signal: never });
    return all.map(({ kind }) => kind);
  };
  expect(await kinds(Number.POSITIVE_INFINITY)).toEqual(['invalid', 'invalid', 'invalid', 'invalid']);
  // The machine may really have stood still once more.
  const twice = await kinds(2);
  expect(twice.slice(0, 2)).toEqual(['invalid', 'invalid']);
  expect(twice.length).toBeGreaterThan(2);
});

test('a whole run has one result for each contestant and script, with what it refused or failed', async () => {
  const lines: string[] = [];
  const silent = { ...asksOnTime, name: 'absent', version: async () => undefined };
  const refusing = { ...asksOnTime, name: 'refusing', refuses: () => 'is tired' };
  const failing = {
    ...asksOnTime,
    name: 'failing',
    run: async () => {
      throw new Error('broke down');
    },
  };
  const table = await runTruth({
    contestants: [asksOnTime, silent, refusing, failing],
    scripts: [
      script(
        { serves: { kind: 'atOnce' } },
        { figures: ({ measured }) => [{ name: 'answered', unit: '', said: measured.answered }], workload: { ...workload, lastsMs: 300 } },
      ),
    ],
    repeats: 2,
    signal: never,
    say: (line) => lines.push(line),
  });
  const [results] = table.scripts.map((one) => one.results);
  expect(results?.map(({ contestant }) => contestant)).toEqual(['asks on time', 'refusing', 'failing']);
  const [own, refused, failed] = results ?? [];
  expect(own).toMatchObject({ failed: [], rows: own?.valid === 0 ? [] : [{ name: 'answered', said: { median: 60 } }] });
  expect(refused).toMatchObject({ refused: 'is tired', valid: 0 });
  expect(failed).toMatchObject({ failed: ['broke down', 'broke down'], valid: 0 });
  expect(lines).toHaveLength(4);
});
