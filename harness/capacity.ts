import { type Capacity, probeCapacity } from './drivers/autocannon.ts';
import type { Shoppers } from './load.ts';
import { population } from './population.ts';
import { soon } from './settle.ts';
import type { Steps } from './steps.ts';
import type { Testbed } from './testbed.ts';

/**
 * A closed crowd finds out how many shoppers a second the mall can serve. It warms the mall up first (code that has just started is a
 * third slower), and is over before the shedders' CPU reading, which follows load by about 12 s, makes them turn anybody away.
 * Then it waits for that reading to fall again.
 */
export async function findCapacity({
  testbed,
  shoppers,
  seed,
  signal,
  steps,
  note,
}: {
  testbed: Testbed;
  shoppers: Shoppers;
  seed: number;
  signal: AbortSignal;
  steps: Steps;
  note: (line: string) => void;
}): Promise<Capacity> {
  steps.begin('capacity');
  const capacity = await probeCapacity({
    gateways: testbed.deployment.gateways,
    tokens: testbed.driver.tokens(),
    shoppers,
    catalogue: population.catalogue,
    // Another tag than the run's: the probe's traces cost what traces cost, but are no part of the story.
    runTag: 'ffffffff',
    seed,
    signal,
    ...probe,
  });
  const isAtRest = await soon(10_000, signal, async () => {
    await testbed.scraper.scrapeNow();
    const readings = testbed.scraper.newest('mall_cpu_usage_milli');
    return readings.length > 0 && readings.every(({ value }) => value < restingCpuMilli);
  });
  note(`capacity: ${Math.round(capacity.shoppersPerSecond)} shoppers/s (${Math.round(capacity.requestsPerSecond)} requests/s)`);
  if (capacity.warning !== undefined) note(capacity.warning);
  if (!isAtRest) note('the machine is busy with something else: the mall may turn shoppers away because of it');
  return capacity;
}

const probe = { warmUpMs: 7_000, warmUpConnections: 6, measureMs: 4_000, connections: 32 };
/** The shedders start at 900 of 1000. The story begins when they have forgotten the probe. */
const restingCpuMilli = 700;
