import { expect, test } from 'vitest';
import { totalOf, valueAt } from '../../../../core/histogram.ts';
import { runClock } from '../../../../core/time.ts';
import { type ProbeOptions, playCrowd, probeCapacity } from '../../../../harness/drivers/crowd.ts';
import type { LiveSecond } from '../../../../harness/drivers/live.ts';
import { startServer } from '../../../support/servers/start.ts';

test('a crowd of 20 gets at most 200 answers a second from a mall that takes 100 ms', async () => {
  await using one = await startServer('answers-after-100ms');
  await using other = await startServer('answers-after-100ms');
  const capacity = await probe([one.address, other.address]);
  expect(capacity).toMatchObject({ connections: 20, measuredMs: 1_000, errors: 0 });
  expect(capacity.requestsPerSecond).toBeGreaterThan(100);
  expect(capacity.requestsPerSecond).toBeLessThan(202);
  expect(capacity.shoppersPerSecond).toBeCloseTo(capacity.requestsPerSecond / 1.7, 5);
  expect(capacity.warning).toBeUndefined();
});

test('the crowd goes through whole journeys on every gateway, leaves the wanted product alone and carries its own tag', async () => {
  await using one = await startServer('answers-at-once');
  await using other = await startServer('answers-at-once');
  await probe([one.address, other.address]);
  for (const tally of [await one.tally(), await other.tally()]) {
    const { '/api/v1/products': browsed = 0, '/api/v1/products/:id': viewed = 0, '/api/v1/orders': ordered = 0 } = tally.byPath;
    expect(viewed / browsed).toBeCloseTo(0.5, 1);
    expect(ordered / browsed).toBeCloseTo(0.2, 1);
    expect(tally.idempotencyKeys).toBe(ordered);
    expect(tally.products['sku-1']).toBeUndefined();
    expect(tally.products['sku-2']).toBeGreaterThan(0);
    expect(tally.traceTags.sort()).toEqual(['0bad000100', '0bad000101', '0bad000102']);
  }
});

test('a mall that refuses most of the crowd is measured by what it serves, with a warning', async () => {
  await using server = await startServer('refuses-by-turns');
  const capacity = await probe([server.address]);
  expect(capacity.errors).toBeGreaterThan(0);
  expect(capacity.warning).toMatch(/^8[78]\.\d% of the probe's requests failed/);
});

test('a mall that is not there is an error, not a capacity of zero', async () => {
  const server = await startServer('answers-at-once');
  await server[Symbol.asyncDispose]();
  await expect(probe([server.address], { measureMs: 200, warmUpMs: 0 })).rejects.toThrow('Expected the mall to serve the capacity probe');
});

test('an interrupted probe ends at once', async () => {
  await using server = await startServer('answers-at-once');
  const interruption = new AbortController();
  const probing = probe([server.address], { measureMs: 60_000, signal: interruption.signal });
  interruption.abort(new Error('interrupted'));
  await expect(probing).rejects.toThrow('interrupted');
});

test('a phase that a crowd plays is counted as the mall counts it, with the orders that were made', async () => {
  await using one = await startServer('answers-at-once');
  await using other = await startServer('answers-at-once');
  const seen: LiveSecond[] = [];
  const crowd = {
    gateways: [one.address, other.address],
    tokens: ['one', 'two'],
    shoppers,
    catalogue: { size: 5 },
    runTag: '0bad0001',
    seed: 1,
  };
  const { epochOffsetNs } = runClock();
  const { signal } = new AbortController();
  const rows = await playCrowd({ ...crowd, epochOffsetNs, name: 'rush', connections: 10, lastsMs: 1_500, signal }, (live) =>
    seen.push(live),
  );
  const tallies = [await one.tally(), await other.tally()];
  const countOf = (route: string) =>
    rows.seconds.filter((row) => row.route === route).reduce((sum, { buckets }) => sum + totalOf(buckets), 0);

  for (const [route, path] of [
    ['browse', '/api/v1/products'],
    ['view', '/api/v1/products/:id'],
    ['checkout', '/api/v1/orders'],
  ] as const) {
    const served = tallies.reduce((sum, { byPath }) => sum + (byPath[path] ?? 0), 0);
    expect(countOf(route)).toBeGreaterThan(50);
    // autocannon drops what its connections still wait for when the time is up.
    expect(served - countOf(route)).toBeLessThanOrEqual(10);
    expect(served - countOf(route)).toBeGreaterThanOrEqual(0);
  }
  expect(rows.shoppers).toBe(countOf('browse'));
  expect(rows.checkouts).toHaveLength(countOf('checkout'));
  expect(rows.checkouts[0]).toMatchObject({ orderId: expect.stringMatching(/^order-/), status: 'PAID' });
  expect(new Set(rows.seconds.map(({ second }) => second))).toEqual(new Set([0, 1]));
  expect(seen[0]).toMatchObject({ phase: 'rush', inFlight: 10, outcomes: { ok: expect.any(Number) } });
});

test('who waits in vain in a crowd is a timeout that took the time limit, in the second of the sending', async () => {
  await using server = await startServer('hangs-every-50th');
  const { epochOffsetNs } = runClock();
  const { signal } = new AbortController();
  const crowd = { gateways: [server.address], tokens: ['one'], shoppers: { ...shoppers, view: 0, checkout: 0 }, catalogue: { size: 5 } };
  const rows = await playCrowd(
    { ...crowd, runTag: '0bad0001', seed: 1, epochOffsetNs, name: 'rush', connections: 4, lastsMs: 6_500, signal },
    () => undefined,
  );
  const broken = rows.seconds.filter(({ outcome }) => outcome !== 'ok');
  expect(new Set(broken.map(({ outcome }) => outcome))).toEqual(new Set(['timeout']));
  expect(broken[0]).toMatchObject({ second: 0 });
  for (const { buckets } of broken) expect(valueAt(buckets, 0)).toBeCloseTo(5_000_000, -5);
});

const shoppers = { browse: 5, view: 3, checkout: 2, wanted: { product: 'sku-1', share: 0.5 } };

const probe = (gateways: readonly string[], options: Partial<ProbeOptions> = {}) =>
  probeCapacity({
    gateways,
    tokens: ['one', 'two'],
    shoppers,
    catalogue: { size: 5 },
    runTag: '0bad0001',
    seed: 1,
    epochOffsetNs: runClock().epochOffsetNs,
    warmUpMs: 200,
    warmUpConnections: 4,
    measureMs: 1_000,
    connections: 20,
    signal: new AbortController().signal,
    ...options,
  });
