import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runClock } from '../../../../core/time.ts';
import { withBusiness } from '../../../../harness/drivers/mall/shopper.ts';
import { type OpenDriver, type OpenOptions, startOpenDriver } from '../../../../harness/drivers/open.ts';
import { visitorsOf } from '../../../../harness/drivers/visitor.ts';
import { fromBase64, histogramOf, outcomesOf, paceOf, type Recording, reasonsOf } from '../../../../harness/recording.ts';
import type { Target } from '../../../../harness/target.ts';
import { startServer } from '../../../support/servers/start.ts';

const scenarios = new URL('../../../support/scenarios/', import.meta.url);
const shopProto = fileURLToPath(new URL('../../../support/servers/shop.proto', import.meta.url));
const evenly = { stages: [{ lastsMs: 1_500, fromPerSecond: 100, toPerSecond: 300 }], arrivals: 'uniform' } as const;

test('visitors keep their own cookies, send them back, and take two steps with a thought between', async () => {
  await using shop = await startServer('knows-its-visitors');
  const recording = await visit('visits-a-shop', { http: `http://${shop.address}` });
  expect(outcomesOf(recording, { route: 'list' })).toEqual({ ok: 300 });
  expect(outcomesOf(recording, { route: 'buy' })).toEqual({ ok: 300 });
  const { byPath, products } = await shop.tally();
  expect(byPath).toEqual({ '/products': 300, '/orders': 300 });
  expect(Object.keys(products)).toHaveLength(300);
  expect(recording.generator.stumbles).toEqual({ count: 0 });
  // A thought is no part of any request.
  expect(histogramOf(recording, { route: 'buy' }).getValueAtPercentile(50)).toBeLessThan(50_000);
});

test('what two threads do is what one would have done: the same visitors come in the same seconds, and choose the same', async () => {
  const came = async (threads: number) => {
    await using shop = await startServer('knows-its-visitors');
    const { seconds, phases, generator } = await visit('visits-a-shop', { http: `http://${shop.address}` }, { threads });
    expect(generator.threads).toBe(threads);
    const lists = seconds
      .filter(({ route }) => route === 'list')
      .map(({ phase, outcome, atMs, count }) => ({ phase, outcome, atMs, count }));
    const plans = phases.map(({ intended, shoppers, planned, sent, dropped }) => ({ intended, shoppers, planned, sent, dropped }));
    return { lists, plans, visitors: Object.keys((await shop.tally()).products).toSorted() };
  };
  const alone = await came(1);
  expect(alone.lists.map(({ atMs, count }) => [atMs, count])).toEqual([
    [0, 167],
    [1_000, 133],
  ]);
  expect(alone.plans).toEqual([{ intended: 300, shoppers: 300, planned: 600, sent: 600, dropped: 0 }]);
  expect(await came(2)).toEqual(alone);
});

test('calls over gRPC are told apart by their status, and answers are decoded', async () => {
  await using shop = await startServer('answers-grpc-as-asked');
  const recording = await visit('calls-a-shop', { grpc: shop.address, proto: shopProto });
  expect(outcomesOf(recording, { route: 'place' })).toEqual({ ok: 300 });
  expect(outcomesOf(recording, { route: 'amend' })).toEqual({ failed: 300 });
  // A refusal begins, too: with its status.
  expect(recording.totals.map(({ firstByte }) => fromBase64(firstByte).totalCount)).toEqual([300, 300]);
  expect(recording.generator.stumbles).toEqual({ count: 0 });
});

test('a target that nobody listens at refuses everyone, and no journey stumbles over it', async () => {
  const recording = await visit('visits-a-shop', { http: 'http://127.0.0.1:1' });
  expect(outcomesOf(recording)).toEqual({ refused: 600 });
  expect(recording.generator.stumbles).toEqual({ count: 0 });
});

test.each<[string, () => Target, string, string[]]>([
  ['HTTP', () => ({ http: 'http://127.0.0.1:1' }), 'visits-a-shop', ['list', 'buy']],
  ['gRPC', () => ({ grpc: '127.0.0.1:1', proto: shopProto }), 'calls-a-shop', ['place', 'amend']],
])(
  'requests that the generator itself has no socket for are dropped, over %s and in every step, and are no errors of the target',
  async (_, target, scenario, steps) => {
    await using driver = await start(scenario, target());
    // What is open stays so, and nothing else can be opened.
    execFileSync('prlimit', ['--pid', String(driver.pid), '--nofile=1']);
    await driver.play({ name: 'calm', ...evenly });
    await driver.drained();
    const recording = withBusiness(await driver.finish());
    for (const route of steps) expect(outcomesOf(recording, { route })).toEqual({ dropped: 300 });
    expect(recording.phases[0]).toMatchObject({ planned: 600, sent: 0, dropped: 600 });
    expect(paceOf(recording, { fromMs: 0, untilMs: 2_000 })).toMatchObject({ planned: 600, sent: 0, dropped: 600 });
    expect(reasonsOf(recording, { route: steps[1] ?? '' }).dropped).toContain('EMFILE');
  },
);

test('a load that is broken off ends all thoughts, and nobody stumbles', async () => {
  await using shop = await startServer('knows-its-visitors');
  await using driver = await start('thinks-for-minutes', { http: `http://${shop.address}` });
  const playing = driver.play({ name: 'calm', stages: [{ lastsMs: 600_000, fromPerSecond: 100, toPerSecond: 100 }], arrivals: 'uniform' });
  await new Promise<void>((resolve) => driver.onSecond(({ outcomes, inFlight }) => (outcomes.ok ?? 0) > 0 && inFlight > 50 && resolve()));
  await driver.halt();
  await playing;
  await driver.drained();
  const { generator, phases, routes } = await driver.finish();
  expect(generator.stumbles).toEqual({ count: 0 });
  expect(generator.peakInFlight).toBeGreaterThan(50);
  expect(phases[0]?.intended).toBe(60_000);
  expect(routes).toEqual(['list', 'buy']);
});

test('a journey that cannot be loaded ends the start with what is wrong with it', async () => {
  await expect(start('nowhere', { http: 'http://127.0.0.1:1' })).rejects.toThrow(/Cannot find module '.*nowhere\.ts'/);
});

async function visit(scenario: string, target: Target, options: Partial<OpenOptions> = {}): Promise<Recording> {
  await using driver = await start(scenario, target, options);
  await driver.play({ name: 'calm', ...evenly });
  await driver.drained();
  return withBusiness(await driver.finish());
}

async function start(scenario: string, target: Target, options: Partial<OpenOptions> = {}): Promise<OpenDriver & AsyncDisposable> {
  const driver = await startOpenDriver({
    journeys: visitorsOf({ scenario: new URL(`${scenario}.ts`, scenarios).href, target }),
    seed: 1,
    clock: runClock(),
    signal: new AbortController().signal,
    ...options,
  });
  return Object.assign(driver, { [Symbol.asyncDispose]: driver.close });
}
