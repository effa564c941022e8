import { readFileSync } from 'node:fs';
import { runClock } from '../core/time.ts';
import { startOpenDriver } from '../harness/drivers/open.ts';
import { outcomesOf } from '../harness/recording.ts';
import { type Bench, median } from './figure.ts';
import { startLoadServer } from './load-play.ts';
import { asking } from './truth/contestants/ours-journey.ts';

/**
 * Does the generator grow with the number of requests? Ten million of them in one run, and what its process held once a second: the median of the
 * second million, by when its code is warm, beside that of the last. Takes seven minutes.
 */
export const bench: Bench = {
  about: 'Memory of our load generator at 25,000/s, from the second million of requests to the tenth',
  async measure(say) {
    await using undo = new AsyncDisposableStack();
    const { url } = await startLoadServer(undo);
    const { origin, pathname } = new URL(url);
    const { signal } = new AbortController();
    const driver = await startOpenDriver({ journeys: asking({ origin, path: pathname }), seed: 1, clock: runClock(), signal });
    undo.defer(() => driver.close());

    const heldMb: number[] = [];
    const looking = setInterval(() => heldMb.push(rssMb(driver.pid)), 1_000);
    undo.defer(() => clearInterval(looking));
    const easing = { lastsMs: easesInMs, fromPerSecond: 0, toPerSecond: ratePerSecond };
    const steady = { lastsMs: 10 * millionMs, fromPerSecond: ratePerSecond, toPerSecond: ratePerSecond };
    say(`${(10_000_000).toLocaleString('en')} requests`);
    await driver.play({ name: 'load', stages: [easing, steady], arrivals: 'uniform' });
    await driver.drained();
    clearInterval(looking);
    const { ok = 0, ...others } = outcomesOf(await driver.finish());
    if (Object.keys(others).length > 0) say(`Not all of them were answered: ${JSON.stringify(others)}`);

    const inMillion = (number: number) => heldMb.slice(((number - 1) * millionMs) / 1_000, (number * millionMs) / 1_000);
    const [second, last] = [median(inMillion(2)), median(inMillion(10))];
    return [
      { name: 'requests answered', unit: 'million', value: ok / 1e6 },
      { name: 'RSS in the second million', unit: 'MB', ...second },
      { name: 'RSS in the tenth million', unit: 'MB', ...last },
      { name: 'highest RSS of any second', unit: 'MB', value: Math.max(...heldMb) },
      { name: 'growth', unit: '%', goal: { atMost: 10 }, value: (last.value / second.value - 1) * 100 },
    ];
  },
};

const ratePerSecond = 25_000;
const easesInMs = 1_000;
const millionMs = (1_000_000 / ratePerSecond) * 1_000;

/** What the process holds in memory now. */
function rssMb(pid: number): number {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1_024;
}
