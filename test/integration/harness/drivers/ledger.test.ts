import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { bucketOf } from '../../../../core/histogram.ts';
import { createLedgerReader, histogramOfRow, type LedgerMessage, measure } from '../../../../harness/drivers/ledger/ledger.ts';

const windows = 60;
const perWindow = 50_000;
const outcomes = 3;

test('two threads write while a third one reads, and not one record is lost or counted twice', async () => {
  const reader = createLedgerReader();
  const memories = [0, 0];
  let isOver = false;
  let looks = 0;
  let seen = 0;
  const threads = [0, 1].map(async (number) => {
    const worker = new Worker(new URL('../../../support/processes/writes-a-ledger.ts', import.meta.url), {
      workerData: { windows, perWindow, outcomes },
    });
    worker.on('message', (message: LedgerMessage) => {
      if (message.kind === 'memory') memories[number] = (memories[number] ?? 0) + 1;
      reader.accept(number, message, (slots) => worker.postMessage(slots));
    });
    const [code] = await once(worker, 'exit');
    expect(code).toBe(0);
  });
  const all = Promise.all(threads).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const told = reader.counters().reduce((sum, { sent }) => sum + sent, 0);
    expect(told).toBeGreaterThanOrEqual(seen);
    expect(told).toBeLessThanOrEqual(2 * windows * perWindow);
    seen = told;
    looks += 1;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await all;

  expect(looks).toBeGreaterThan(5);
  expect(reader.counters().map(({ sent }) => sent)).toEqual(Array(windows).fill(2 * perWindow));
  expect(reader.rows().map(({ counts: _, ...row }) => row)).toEqual(expectedRows());
  // Slots went round: both wrote 240 of them, and never had more than the first 64.
  expect(memories).toEqual([1, 1]);

  const middle = reader.rows().find(({ window, outcome }) => window === 30 && outcome === 1);
  const at = (percentile: number) => bucketOf((middle && histogramOfRow(middle).getValueAtPercentile(percentile)) ?? 0);
  expect(at(50)).toBe(bucketOf(perWindow / 2));
  expect(at(99)).toBe(bucketOf(0.99 * perWindow));
});

/** What both threads together must have written, by arithmetic: each µs below `perWindow` is in its own window, or in the one before. */
function expectedRows() {
  return Array.from({ length: windows }, (_, window) =>
    Array.from({ length: outcomes }, (_, outcome) => {
      const values = Array.from({ length: perWindow }, (_, us) => us).filter((us) => us % outcomes === outcome);
      const tenths = values.filter((us) => us % 10 === 0);
      const others = values.filter((us) => us % 10 !== 0);
      // The first window also keeps its own tenths, and nobody is late for the last.
      const mine = [...(window === 0 ? values : others), ...(window === windows - 1 ? [] : tenths)];
      return {
        window,
        measure: measure.response,
        route: 0,
        outcome,
        total: 2 * mine.length,
        max: Math.max(others.at(-1) ?? 0, tenths.at(-1) ?? 0),
      };
    }),
  ).flat();
}
