import { expect, test } from 'vitest';
import { playStorm } from '../../../bench/storm.ts';
import { startEmbedded } from '../../../chaos/embedded/start.ts';

/** `npm run bench -- storms` for two hundred of three seconds. */
test.each([1, 2, 3])('storm %i leaves nothing behind', async (seed) => {
  await using undo = new AsyncDisposableStack();
  const { controlUrl, close } = await startEmbedded({ signal: AbortSignal.timeout(10_000), runtimeMetrics: true });
  undo.defer(close);
  const { leftovers, calls, connections, echoedBytes } = await playStorm({ controlUrl, seed, lastsMs: 1_000 });
  expect(leftovers).toEqual([]);
  // There was a storm.
  for (const count of [calls, connections, echoedBytes]) expect(count).toBeGreaterThan(20);
});
