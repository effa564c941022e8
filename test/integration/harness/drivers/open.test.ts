import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { bucketOf, highestUs, lowestUs } from '../../../../core/histogram.ts';
import { runClock, waitUntil } from '../../../../core/time.ts';
import { createHttpTransport } from '../../../../harness/drivers/http/transport.ts';
import { logIn } from '../../../../harness/drivers/mall/log-in.ts';
import { type ShopperOptions, shoppersOf, withBusiness } from '../../../../harness/drivers/mall/shopper.ts';
import { type LiveSecond, type OpenDriver, type OpenOptions, startOpenDriver } from '../../../../harness/drivers/open.ts';
import { visitorsOf } from '../../../../harness/drivers/visitor.ts';
import { fromBase64, histogramOf, outcomesOf, paceOf, percentilesOf, type Recording } from '../../../../harness/recording.ts';
import type { Arrivals } from '../../../../harness/schedule.ts';
import { startServer } from '../../../support/servers/start.ts';

const aMinute = { name: 'rush', stages: [{ lastsMs: 60_000, fromPerSecond: 1, toPerSecond: 1 }], arrivals: 'uniform' } as const;
const browsing = { browse: 1, view: 0, checkout: 0 };

test('a mall that takes 100 ms shows 100 ms in every percentile', async () => {
  await using server = await startServer('answers-after-100ms');
  const recording = await drive({ gateways: [server.address] }, { lastsMs: 1_500, ratePerSecond: 200 });
  expect(outcomesOf(recording)).toEqual({ ok: 300 });
  expect(histogramOf(recording).minNonZeroValue).toBeGreaterThanOrEqual(100_000);
  // A busy machine makes the mall itself slower: what it took by its own stamps is the truth.
  const { tookMs } = await server.tally();
  const lagMs = percentilesOf(paceOf(recording).lag)?.p99 ?? 0;
  const response = percentilesOf(histogramOf(recording));
  for (const [percentile, index] of [['p50', 149] as const, ['p90', 269] as const, ['p99', 296] as const]) {
    expect(response?.[percentile]).toBeGreaterThan((tookMs[index] ?? 0) - 1);
    expect(response?.[percentile]).toBeLessThan((tookMs[index] ?? 0) + lagMs + 150);
  }
});

test('a mall that sends its head at once and the rest 200 ms later has an early first byte and a long service', async () => {
  await using server = await startServer('answers-head-first');
  const { totals } = await drive({ gateways: [server.address] }, { lastsMs: 1_000, ratePerSecond: 100 });
  expect(totals.map(({ outcome, count }) => [outcome, count])).toEqual([['ok', 100]]);
  const [service, firstByte] = [totals[0]?.service ?? '', totals[0]?.firstByte ?? ''].map(fromBase64);
  expect(service?.getValueAtPercentile(50)).toBeGreaterThanOrEqual(199_000);
  expect(firstByte?.totalCount).toBe(100);
  expect(firstByte?.getValueAtPercentile(50)).toBeGreaterThan(0);
  expect(firstByte?.getValueAtPercentile(50)).toBeLessThan(service?.getValueAtPercentile(50) ?? 0);
});

test('a frozen mall shows in the percentiles by arithmetic, for all who would have come, and the live view counts them all', async () => {
  await using server = await startServer('answers-at-once');
  const lastsMs = 3_000;
  let freezing: Promise<void> | undefined;
  const seen: LiveSecond[] = [];
  const freeze = async () => {
    server.process.kill('SIGSTOP');
    await sleep(600);
    server.process.kill('SIGCONT');
  };
  const recording = await drive({ gateways: [server.address] }, { lastsMs, ratePerSecond: 400 }, (live) => {
    seen.push(live);
    freezing ??= freeze();
  });
  await freezing;

  expect(outcomesOf(recording)).toEqual({ ok: 1_200 });
  const response = percentilesOf(histogramOf(recording));
  // A busy machine may wake the mall late: how long it stood still it says itself.
  const { stoodStillMs } = await server.tally();
  expect(stoodStillMs).toBeGreaterThan(590);
  const lagMs = percentilesOf(paceOf(recording).lag)?.max ?? 0;
  // Arrivals are spread evenly, so the slowest 1% of the phase lie within the first 1% of its length after the freeze began.
  for (const [percentile, share] of [['p90', 0.1] as const, ['p99', 0.01] as const]) {
    const truth = stoodStillMs - share * lastsMs;
    expect(response?.[percentile]).toBeGreaterThan(0.95 * truth);
    expect(response?.[percentile]).toBeLessThan(truth + lagMs + 200);
  }
  expect(response?.p50).toBeLessThan(100);
  expect(seen.map(({ phase }) => phase)).toContain('rush');
  // Whoever was frozen or not, the seconds of the live view add up to the load.
  const whole = seen.filter(({ atMs }) => atMs <= 2_000);
  expect(whole).toHaveLength(2);
  for (const count of ['planned', 'sent'] as const) {
    expect(Math.abs(whole.reduce((sum, second) => sum + second[count], 0) - 800)).toBeLessThan(40 + lagMs);
  }
});

test.each(['resets-every-50th', 'closes-every-50th'])(
  'a mall that %s: each is counted, and no other answer is touched',
  async (fixture) => {
    await using server = await startServer(fixture);
    const recording = await drive({ gateways: [server.address] }, { lastsMs: 1_000, ratePerSecond: 400 });
    const { byPath } = await server.tally();
    expect(byPath['/api/v1/products']).toBe(400);
    expect(outcomesOf(recording)).toEqual({ ok: 392, reset: 8 });
  },
);

test('a request that is never answered is a timeout of exactly the time limit after it was sent', async () => {
  await using server = await startServer('hangs-every-50th');
  const recording = await drive({ gateways: [server.address], timeoutMs: 600 }, { lastsMs: 1_000, ratePerSecond: 400 });
  expect(outcomesOf(recording)).toEqual({ ok: 392, timeout: 8 });
  const hung = histogramOf(recording, { outcomes: ['timeout'] });
  const lagMsMax = percentilesOf(paceOf(recording).lag)?.max ?? 0;
  expect(hung.minNonZeroValue).toBeGreaterThanOrEqual(lowestUs(bucketOf(600_000)));
  expect(hung.maxValue / 1_000).toBeLessThanOrEqual(highestUs(bucketOf(601_000)) / 1_000 + lagMsMax);
});

test('shoppers beyond the limit are dropped, counted, and part of the plan', async () => {
  await using server = await startServer('answers-after-100ms');
  const recording = await drive({ gateways: [server.address], maxInFlight: 10 }, { lastsMs: 1_000, ratePerSecond: 400 });
  const { planned, sent, dropped } = paceOf(recording);
  expect(planned).toBe(400);
  expect(dropped).toBeGreaterThan(200);
  expect(sent + dropped).toBe(planned);
  expect(outcomesOf(recording)).toEqual({ ok: sent, dropped });
  expect(recording.generator.peakInFlight).toBe(10);
});

test('refusals are told apart by their header, their code and their status', async () => {
  await using server = await startServer('refuses-by-turns');
  const recording = await drive({ gateways: [server.address] }, { lastsMs: 800, ratePerSecond: 100 });
  expect(outcomesOf(recording)).toEqual({
    shed: 10,
    breakerOpen: 10,
    limited: 10,
    deadline: 10,
    unavailable: 10,
    failed: 20,
    outOfStock: 10,
  });
});

test('a gateway that is gone refuses every connection', async () => {
  const server = await startServer('answers-at-once');
  await server[Symbol.asyncDispose]();
  const recording = await drive({ gateways: [server.address] }, { lastsMs: 500, ratePerSecond: 100 });
  expect(outcomesOf(recording)).toEqual({ refused: 50 });
  expect(recording.totals.map(({ firstByte }) => fromBase64(firstByte).totalCount)).toEqual([0]);
});

test('whole journeys: both sides count the same requests, orders are remembered, and every trace names the run', async () => {
  await using one = await startServer('answers-at-once');
  await using other = await startServer('answers-at-once');
  const shoppers = { browse: 5, view: 3, checkout: 2, wanted: { product: 'sku-1', share: 0.5 } };
  const recording = await drive(
    { gateways: [one.address, other.address], shoppers, accounts: { count: 5 } },
    { lastsMs: 1_500, ratePerSecond: 300, arrivals: 'poisson' },
  );
  const tallies = [await one.tally(), await other.tally()];
  const served = (path: string) => tallies.map((tally) => tally.byPath[path] ?? 0);
  const asked = (route: 'browse' | 'view' | 'checkout') => outcomesOf(recording, { route }).ok ?? 0;

  for (const [route, path] of [
    ['browse', '/api/v1/products'],
    ['view', '/api/v1/products/:id'],
    ['checkout', '/api/v1/orders'],
  ] as const) {
    const [first = 0, second = 0] = served(path);
    expect(asked(route)).toBe(first + second);
    expect(Math.min(first, second)).toBeGreaterThan(0);
  }
  expect(asked('browse')).toBe(recording.phases[0]?.shoppers);
  expect(asked('checkout')).toBe(recording.checkouts.kept.length);
  expect(asked('checkout')).toBe(tallies.reduce((sum, { idempotencyKeys }) => sum + idempotencyKeys, 0));
  expect(new Set(tallies.flatMap(({ traceTags }) => traceTags))).toEqual(new Set(['cafe000100', 'cafe000101', 'cafe000102']));
  expect(recording.checkouts.kept[0]).toMatchObject({
    orderId: expect.stringMatching(/^order-/),
    status: 'PAID',
    idempotencyKey: expect.stringMatching(/^cafe0001-/),
    phase: 'rush',
  });
  expect(recording.exemplars.filter(({ route, why }) => route === 'checkout' && why === 'slowest')).toHaveLength(5);
});

test('an order accepted for later is degraded, and a success without an order is a failure', async () => {
  await using server = await startServer('accepts-orders-for-later');
  const shoppers = { browse: 0, view: 0, checkout: 1 };
  const recording = await drive({ gateways: [server.address], shoppers }, { lastsMs: 600, ratePerSecond: 100 });
  expect(outcomesOf(recording, { route: 'checkout' })).toEqual({ degraded: 40, failed: 20 });
  expect(recording.checkouts.kept).toHaveLength(40);
  expect(recording.checkouts.kept.every(({ status }) => status === 'PENDING')).toBe(true);
});

test('a checkout that is repeated is the same order, and is in no other count', async () => {
  await using one = await startServer('answers-at-once');
  await using other = await startServer('answers-at-once');
  const shoppers = { browse: 0, view: 0, checkout: 1 };
  const recording = await drive(
    { gateways: [one.address, other.address], shoppers, repeatShare: 0.5 },
    { lastsMs: 1_000, ratePerSecond: 100 },
  );
  const tallies = [await one.tally(), await other.tally()];
  const orders = tallies.reduce((sum, { byPath }) => sum + (byPath['/api/v1/orders'] ?? 0), 0);
  expect(recording.repeated.count).toBeGreaterThan(20);
  expect(recording.repeated).toEqual({ asked: orders - 100, count: orders - 100, different: 0 });
  expect(recording.checkouts.kept).toHaveLength(100);
  expect(outcomesOf(recording)).toEqual({ ok: 300 });
  expect(paceOf(recording).sent).toBe(300);
  expect(tallies.flatMap(({ traceTags }) => traceTags)).toContain('cafe0001ff');
});

test('a mall that makes another order of a repeated checkout, or says that it made one and names none, is caught', async () => {
  await using server = await startServer('accepts-orders-for-later');
  const shoppers = { browse: 0, view: 0, checkout: 1 };
  const { repeated } = await drive({ gateways: [server.address], shoppers, repeatShare: 1 }, { lastsMs: 600, ratePerSecond: 100 });
  expect(repeated.count).toBeGreaterThan(20);
  expect(repeated.different).toBe(repeated.count);
});

test('phases that are asked for in time follow each other without a gap', async () => {
  await using server = await startServer('answers-at-once');
  await using driver = await start({ gateways: [server.address] });
  const steady = { stages: [{ lastsMs: 400, fromPerSecond: 100, toPerSecond: 100 }], arrivals: 'uniform' } as const;
  await Promise.all([driver.play({ name: 'one', ...steady }), driver.play({ name: 'two', ...steady })]);
  await driver.drained();
  const { phases } = withBusiness(await driver.finish());
  expect(phases.map(({ name, fromMs, untilMs, planned }) => ({ name, fromMs, untilMs, planned }))).toEqual([
    { name: 'one', fromMs: 0, untilMs: 400, planned: 40 },
    { name: 'two', fromMs: 400, untilMs: 800, planned: 40 },
  ]);
});

test('the machine is watched to the end of a phase, however short, and no moment is counted twice', async () => {
  await using server = await startServer('answers-at-once');
  await using driver = await start({ gateways: [server.address] });
  const played = async (name: string, lastsMs: number) => {
    await driver.play({ name, stages: [{ lastsMs, fromPerSecond: 100, toPerSecond: 100 }], arrivals: 'uniform' });
    await driver.drained();
    const { ground, phases } = await driver.finish();
    return {
      seconds: ground.map(({ atMs }) => atMs / 1_000),
      watchedMs: ground.reduce((sum, { lastsMs = 1_000 }) => sum + lastsMs, 0),
      loads: ground.map(({ loopUtilization }) => loopUtilization),
      // For each core a tick a millisecond, but that each takes a little longer.
      ticks: ground.map(({ hiccups }) => fromBase64(hiccups).totalCount / availableParallelism()),
      untilMs: phases.at(-1)?.untilMs ?? 0,
    };
  };
  const one = await played('one', 300);
  expect(one.seconds[0]).toBe(0);
  // A timer may ring a fraction of a millisecond early.
  expect(one.watchedMs).toBeGreaterThan(300 - 1);
  expect(one.ticks.reduce((sum, ticks) => sum + ticks, 0)).toBeGreaterThan(200);
  expect(Math.min(...one.loads)).toBeGreaterThan(0);

  const two = await played('two', 900);
  expect(two.seconds).toEqual(two.seconds.map((_, index) => index));
  expect(two.watchedMs).toBeGreaterThan(two.untilMs - 1);
  expect(two.watchedMs).toBeGreaterThan(1_000 * (two.seconds.length - 1));
  for (const ticks of two.ticks.slice(0, -1)) {
    expect(ticks).toBeGreaterThan(700);
    expect(ticks).toBeLessThanOrEqual(1_001);
  }
});

test('nobody is left behind at the end of a phase, however soon the findings are asked for', async () => {
  await using server = await startServer('answers-at-once');
  await using driver = await start({ gateways: [server.address] });
  const stages = [{ lastsMs: 60, fromPerSecond: 5_000, toPerSecond: 5_000 }];
  for (let turn = 0; turn < 40; turn += 1) {
    await driver.play({ name: `turn ${turn}`, stages, arrivals: 'uniform' });
    await driver.drained();
    const { phases } = await driver.finish();
    expect(phases.at(-1)).toMatchObject({ name: `turn ${turn}`, intended: 300, shoppers: 300 });
  }
});

test('after the load was broken off nobody arrives in another phase either', async () => {
  await using server = await startServer('answers-at-once');
  await using driver = await start({ gateways: [server.address] });
  await driver.play({ name: 'one', stages: [{ lastsMs: 200, fromPerSecond: 100, toPerSecond: 100 }], arrivals: 'uniform' });
  await driver.drained();
  await driver.halt();
  // Its arrivals lie in the past, so that whoever were let in would be in at once.
  await driver.play({
    name: 'two',
    startAtMs: runClock().nowMs(),
    stages: [{ lastsMs: 1, fromPerSecond: 50_000, toPerSecond: 50_000 }],
    arrivals: 'uniform',
  });
  await sleep(100);
  await driver.drained();
  const { phases } = await driver.finish();
  expect(phases.map(({ shoppers }) => shoppers)).toEqual([20, 0]);
  expect((await server.tally()).byPath['/api/v1/products']).toBe(20);
});

test('a load that is broken off ends visits that would never end', async () => {
  await using server = await startServer('answers-after-100ms');
  const scenario = new URL('../../../support/scenarios/never-leaves.ts', import.meta.url).href;
  await using driver = await start({ journeys: visitorsOf({ scenario, target: { http: `http://${server.address}` } }), gateways: [] });
  await driver.play({ name: 'calm', stages: [{ lastsMs: 300, fromPerSecond: 100, toPerSecond: 100 }], arrivals: 'uniform' });
  await driver.halt();
  await driver.drained();
  const recording = withBusiness(await driver.finish());
  expect(recording.generator.stumbles).toEqual({ count: 0 });
  expect(outcomesOf(recording)).toEqual({ ok: recording.phases[0]?.sent });
});

test('every account logs in, and one that cannot is named', async () => {
  const transport = createHttpTransport({ timeoutMs: 5_000, now: () => performance.now() });
  await using healthy = await startServer('answers-at-once');
  const tokens = await logIn(transport, { gateways: [healthy.address], accounts: { count: 20 } });
  expect(tokens).toHaveLength(20);
  expect(tokens[19]).toBe('token of 13800000020');

  await using unwell = await startServer('refuses-account-3');
  await expect(logIn(transport, { gateways: [unwell.address], accounts: { count: 5 } })).rejects.toThrow(
    /^Expected account 3 \(mobile 13800000003\) to log in at 127\.0\.0\.1:\d+, got 401/,
  );
  await transport.close();
});

test('an interrupted run ends the generator at once', async () => {
  const interruption = new AbortController();
  await using driver = await start({ gateways: ['127.0.0.1:1'], signal: interruption.signal });
  const playing = driver.play(aMinute);
  interruption.abort(new Error('interrupted'));
  await expect(playing).rejects.toThrow('interrupted');
  await driver.close();
  expect(isAlive(driver.pid)).toBe(false);
});

test('a generator that dies fails what waits for it, and says so', async () => {
  await using driver = await start({ gateways: ['127.0.0.1:1'] });
  const playing = driver.play(aMinute);
  process.kill(driver.pid, 'SIGKILL');
  await expect(playing).rejects.toThrow('The load generator ended with SIGKILL before its work was done');
});

test('the generator does not outlive its harness', async () => {
  const harness = fork(fileURLToPath(new URL('../../../support/servers/starts-a-driver.ts', import.meta.url)), { execArgv: [] });
  const [pid] = (await once(harness, 'message')) as [number];
  expect(isAlive(pid)).toBe(true);
  harness.kill('SIGKILL');
  await waitUntil({ timeoutMs: 5_000, describe: () => `process ${pid} still runs` }, () => !isAlive(pid));
});

type Shopping = Partial<ShopperOptions> & Partial<OpenOptions> & { gateways: readonly string[]; accounts?: { count: number } };

async function drive(
  options: Shopping,
  { lastsMs, ratePerSecond, arrivals = 'uniform' }: { lastsMs: number; ratePerSecond: number; arrivals?: Arrivals },
  onSecond: (live: LiveSecond) => void = () => {},
): Promise<Recording> {
  await using driver = await start(options);
  driver.onSecond(onSecond);
  await driver.play({ name: 'rush', stages: [{ lastsMs, fromPerSecond: ratePerSecond, toPerSecond: ratePerSecond }], arrivals });
  await driver.drained();
  return withBusiness(await driver.finish());
}

async function start({
  gateways,
  shoppers = browsing,
  accounts = { count: 2 },
  repeatShare = 0,
  ...options
}: Shopping): Promise<OpenDriver & AsyncDisposable> {
  const tokens = Array.from({ length: accounts.count }, (_, index) => `token of ${index + 1}`);
  const runTag = 'cafe0001';
  const driver = await startOpenDriver({
    journeys: shoppersOf({ gateways, shoppers, catalogue: { size: 20 }, tokens, runTag, repeatShare }),
    seed: 1,
    clock: runClock(),
    runTag,
    signal: new AbortController().signal,
    ...options,
  });
  return Object.assign(driver, { [Symbol.asyncDispose]: driver.close });
}

/** A process that has ended and waits to be noticed by its parent is not alive. */
function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] !== 'Z';
  } catch {
    // No such process: that is the answer.
    return false;
  }
}
