import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { monotonic, waitUntil } from '../../../core/time.ts';
import { startScraper } from '../../../harness/observe/metrics.ts';

const always = { fromMs: 0, untilMs: 1e9 };

/** A process of the mall as far as its metrics go: it answers well, not at all, or with an error. */
async function startPage() {
  const registry = new Registry();
  const counter = new Counter({
    name: 'mall_shedding_requests_total',
    help: 'Judged.',
    labelNames: ['kind', 'result'],
    registers: [registry],
  });
  const page = { mood: 'well' as 'well' | 'silent' | 'unwell', connections: 0, asked: 0, counter };
  const server = createServer(async (_request, response) => {
    page.asked++;
    if (page.mood === 'silent') return;
    response.statusCode = page.mood === 'well' ? 200 : 500;
    response.end(await registry.metrics());
  });
  server.on('connection', () => page.connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
  const close = async () => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  onTestFinished(close);
  return Object.assign(page, { url, close });
}

test('reads every target again and again over one connection, and adds up what they counted', async () => {
  const [gateway, orders] = await Promise.all([startPage(), startPage()]);
  gateway.counter.inc({ kind: 'http', result: 'pass' }, 1_000);
  const targets = [
    { instance: 'gateway.1', url: gateway.url },
    { instance: 'orders.1', url: orders.url },
  ];
  const scraper = startScraper({ targets, everyMs: 20, now: monotonic });
  const pagesRead = (count: number) => () => gateway.asked >= count && orders.asked >= count;
  await waitUntil({ timeoutMs: 10_000, describe: () => 'no page was read' }, pagesRead(2));
  gateway.counter.inc({ kind: 'http', result: 'pass' }, 30);
  gateway.counter.inc({ kind: 'http', result: 'drop' }, 10);
  orders.counter.inc({ kind: 'rpc', result: 'pass' }, 5);
  await waitUntil(
    { timeoutMs: 10_000, describe: () => 'the pages were not read again' },
    pagesRead(Math.max(gateway.asked, orders.asked) + 3),
  );
  await scraper.close();

  const query = { name: 'mall_shedding_requests_total', window: always };
  expect(Object.fromEntries(scraper.counterIncrease(query))).toEqual({ 'gateway.1': 40, 'orders.1': 5 });
  const byResult = scraper.counterIncrease({ ...query, labels: { instance: 'gateway.1' }, by: 'result' });
  expect(Object.fromEntries(byResult)).toEqual({ pass: 30, drop: 10 });
  expect(gateway.connections).toBe(1);
});

test('a target that is silent, unwell or gone is named, and does not hold up the others', async () => {
  const [well, silent, unwell, gone] = await Promise.all([startPage(), startPage(), startPage(), startPage()]);
  await gone.close();
  silent.mood = 'silent';
  unwell.mood = 'unwell';
  const targets = Object.entries({ 'well.1': well, 'silent.1': silent, 'unwell.1': unwell, 'gone.1': gone }).map(([instance, { url }]) => ({
    instance,
    url,
  }));
  const stop = new AbortController();
  const scraper = startScraper({ targets, everyMs: 60_000, timeoutMs: 1_000, now: monotonic, signal: stop.signal });
  expect((await scraper.scrapeNow()).sort()).toEqual(['gone.1', 'silent.1', 'unwell.1']);
  silent.mood = 'well';
  unwell.mood = 'well';
  expect(await scraper.scrapeNow()).toEqual(['gone.1']);
  stop.abort();
  // A last look is still possible after the scraper was told to stop.
  expect(await scraper.scrapeNow()).toEqual(['gone.1']);
  await scraper.close();
});
