// Tells its parent the process id of the load generator it started, and then does nothing.
import { runClock } from '../../../core/time.ts';
import { shoppersOf } from '../../../harness/drivers/mall/shopper.ts';
import { startOpenDriver } from '../../../harness/drivers/open.ts';

const driver = await startOpenDriver({
  journeys: shoppersOf({
    gateways: ['127.0.0.1:1'],
    shoppers: { browse: 1, view: 0, checkout: 0 },
    catalogue: { size: 2 },
    tokens: ['token'],
    runTag: '00000001',
    repeatShare: 0,
  }),
  seed: 1,
  clock: runClock(),
  signal: new AbortController().signal,
});
process.send?.(driver.pid);
