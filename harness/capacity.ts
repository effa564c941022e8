import { runClock } from '../core/time.ts';
import { type Capacity, probeCapacity } from './drivers/crowd.ts';
import type { Shoppers } from './load.ts';
import { population } from './population.ts';
import { untilAtRest } from './rest.ts';
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
    gateways: testbed.gateways,
    tokens: testbed.tokens,
    shoppers,
    catalogue: population.catalogue,
    // Another tag than the run's: the probe's traces cost what traces cost, but are no part of the story.
    runTag: 'ffffffff',
    seed,
    epochOffsetNs: runClock().epochOffsetNs,
    signal,
    ...probe,
  });
  const isAtRest = await untilAtRest({ testbed, timeoutMs: 10_000, signal });
  note(`capacity: ${Math.round(capacity.shoppersPerSecond)} shoppers/s (${Math.round(capacity.requestsPerSecond)} requests/s)`);
  if (capacity.warning !== undefined) note(capacity.warning);
  if (!isAtRest) note('the machine is busy with something else: the mall may turn shoppers away because of it');
  return capacity;
}

const probe = { warmUpMs: 7_000, warmUpConnections: 6, measureMs: 4_000, connections: 32 };
