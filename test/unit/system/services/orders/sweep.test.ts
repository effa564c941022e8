import { trace } from '@opentelemetry/api';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { OrderStatus } from '../../../../../system/services/orders/orders.ts';
import type { ClaimedOrder } from '../../../../../system/services/orders/store.ts';
import { startSweep } from '../../../../../system/services/orders/sweep.ts';

test('every order that is due is claimed and settled, a few at a time', async () => {
  const mall = sweptMall(10);
  await mall.untilPause();
  expect(mall.settled).toEqual(mall.orders.map(({ id }) => id));
  expect(mall.mostAtOnce()).toBe(4);
});

test('a full batch is followed by the next one almost at once, anything else by a second of rest', async () => {
  const mall = sweptMall(25);
  expect(await mall.untilPause()).toBe(20);
  expect(mall.settled).toHaveLength(20);
  expect(await mall.untilPause()).toBe(1_000);
  expect(mall.settled).toHaveLength(25);
  expect(await mall.untilPause()).toBe(1_000);
});

test('a batch ends with the first orders that have to wait', async () => {
  const mall = sweptMall(10, { becomes: (index) => (index === 1 ? 'PENDING' : 'PAID') });
  expect(await mall.untilPause()).toBe(1_000);
  expect(mall.settled).toHaveLength(4);
});

test('an order that somebody else has claimed is passed over', async () => {
  const mall = sweptMall(6, { isLost: (index) => index === 1 });
  await mall.untilPause();
  expect(mall.settled).toEqual(['O0', 'O2', 'O3', 'O4', 'O5']);
});

test('a database that fails is asked again a second later', async () => {
  const mall = sweptMall(1, { failsFirst: true });
  expect(await mall.untilPause()).toBe(1_000);
  expect(mall.settled).toEqual([]);
  await mall.untilPause();
  expect(mall.settled).toEqual(['O0']);
});

test('a stop waits for the orders in hand and takes up no others', async () => {
  const gate = Promise.withResolvers<void>();
  const mall = sweptMall(10, { gate: gate.promise });
  await mall.begun;
  const stopped = mall.stop();
  gate.resolve();
  await stopped;
  expect(mall.settled).toEqual(['O0', 'O1', 'O2', 'O3']);
});

test('a stop does not wait longer than a second for an order that hangs', async () => {
  const mall = sweptMall(1, { gate: new Promise(() => undefined) });
  await mall.begun;
  const stopped = mall.stop();
  expect(await mall.untilPause()).toBe(1_000);
  mall.goOn();
  await stopped;
});

/** `count` orders that are due, in a process that sweeps. `untilPause` lets it go on until it next wants to wait, and answers for how long. */
function sweptMall(
  count: number,
  {
    becomes = () => 'PAID',
    isLost = () => false,
    failsFirst = false,
    gate = Promise.resolve(),
  }: {
    becomes?: (index: number) => OrderStatus;
    isLost?: (index: number) => boolean;
    failsFirst?: boolean;
    gate?: Promise<void>;
  } = {},
) {
  const orders = Array.from(
    { length: count },
    (_, index): ClaimedOrder => ({ id: `O${index}`, userId: 1, status: 'PENDING', totalCents: 100, lines: [], claimMs: 1 }),
  );
  const indexOf = (order: ClaimedOrder) => orders.findIndex(({ id }) => id === order.id);
  const seen = new Set<string>();
  const settled: string[] = [];
  const begun = Promise.withResolvers<void>();
  let stop = async () => undefined as unknown;
  let willFail = failsFirst;
  let atOnce = 0;
  let mostAtOnce = 0;
  let paused = Promise.withResolvers<number>();
  let goOn = () => undefined as unknown;

  startSweep(
    {
      tracer: trace.getTracer('test'),
      clock: { epochOffsetNs: 0n, nowNs: () => 0n, nowMs: () => 0 },
      log: pino({ enabled: false }),
      onStop: (_name, run) => {
        stop = run;
      },
    },
    {
      store: {
        async due(most) {
          if (willFail) {
            willFail = false;
            throw new Error('The database is away');
          }
          return orders.filter(({ id }) => !seen.has(id)).slice(0, most);
        },
        async claim(order) {
          seen.add(order.id);
          return isLost(indexOf(order)) ? undefined : { ...order, claimMs: 2 };
        },
      },
      async settle(order) {
        atOnce += 1;
        mostAtOnce = Math.max(mostAtOnce, atOnce);
        begun.resolve();
        await gate;
        atOnce -= 1;
        settled.push(order.id);
        return { ...order, status: becomes(indexOf(order)) };
      },
      pause: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve();
          signal?.addEventListener('abort', () => resolve());
          goOn = resolve;
          paused.resolve(ms);
        }),
    },
  );
  return {
    orders,
    settled,
    begun: begun.promise,
    stop: () => stop(),
    goOn: () => goOn(),
    mostAtOnce: () => mostAtOnce,
    async untilPause() {
      const ms = await paused.promise;
      paused = Promise.withResolvers();
      goOn();
      return ms;
    },
  };
}
