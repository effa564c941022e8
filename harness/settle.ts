import { setTimeout as sleep } from 'node:timers/promises';
import { monotonic } from '../core/time.ts';
import { spanLedger } from './observe/evidence.ts';
import type { Testbed } from './testbed.ts';

/**
 * Waits until the books can be read: open orders settled by the mall's own sweep, and every span that was made received. Both are
 * bounded; what is still open then is for the expectations to judge. Where the proxies have died, through which both would go, nobody waits.
 */
export async function settle({ testbed, signal }: { testbed: Testbed; signal: AbortSignal }): Promise<void> {
  if (testbed.proxyDeaths().length > 0) return;
  await soon(20_000, signal, async () => (await testbed.auditor.unsettled().catch(() => Number.NaN)) === 0);
  await spansArrive({ testbed, signal });
}

/** Until every process has handed over the spans it made. The exporters send every 200 ms, so this is soon or never. */
export async function spansArrive({ testbed, signal }: { testbed: Testbed; signal: AbortSignal }): Promise<void> {
  await soon(5_000, signal, async () => {
    await testbed.scraper.scrapeNow();
    const ledger = spanLedger({ samples: testbed.scraper, spans: testbed.spans, replicas: testbed.replicas });
    return ledger.every(({ made, received }) => received >= made);
  });
}

/** Waits for a fact for so long; whether it came true. Throws when interrupted, and what `probe` throws. */
export async function soon(timeoutMs: number, signal: AbortSignal, probe: () => Promise<boolean>): Promise<boolean> {
  const deadlineMs = monotonic() + timeoutMs;
  while (!(await probe())) {
    signal.throwIfAborted();
    if (monotonic() > deadlineMs) return false;
    await sleep(200, undefined, { signal });
  }
  return true;
}
