import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { createPageReader } from './prometheus-text.ts';
import { createSampleStore } from './samples.ts';

/** What is read of each page. */
const families = [
  'http_server_requests_code_total',
  'mall_breaker_requests_total',
  'mall_shedding_requests_total',
  'mall_p2c_picks_total',
  'mall_cpu_usage_milli',
  'mall_spans_ended_total',
];

export type Target = { instance: string; url: string };
export type Scraper = ReturnType<typeof createSampleStore> & {
  /** One round now. Never throws; returns the instances that did not answer. */
  scrapeNow: () => Promise<string[]>;
  /** Ends after the round that is under way; what was read stays. */
  close: () => Promise<void>;
};

/**
 * Reads the Prometheus page of every target once in `everyMs`, until `signal` fires or `close` is called. A target that does not answer
 * in time is passed over: gaps are expected where processes are killed and networks cut. `now` gives milliseconds of the run.
 */
export function startScraper({
  targets,
  everyMs = 1_000,
  timeoutMs = 900,
  now,
  signal,
}: {
  targets: readonly Target[];
  everyMs?: number;
  timeoutMs?: number;
  now: () => number;
  signal?: AbortSignal;
}): Scraper {
  const samples = createSampleStore();
  const read = createPageReader(families);
  const agent = new Agent({ connections: 1, pipelining: 1, keepAliveTimeout: 30_000 });
  const closing = new AbortController();
  const stop = signal === undefined ? closing.signal : AbortSignal.any([closing.signal, signal]);

  async function scrape({ instance, url }: Target): Promise<boolean> {
    const startedMs = now();
    try {
      const { statusCode, body } = await request(url, { dispatcher: agent, signal: AbortSignal.timeout(timeoutMs) });
      const page = await body.text();
      if (statusCode !== 200) throw new Error(`Expected status 200 from ${url}, got ${statusCode}`);
      // The page was written somewhere between question and answer.
      samples.add({ instance, atMs: (startedMs + now()) / 2 }, read(page));
      return true;
    } catch {
      // Whatever the reason, there is no sample: that is all a gap can say.
      return false;
    }
  }

  async function scrapeNow(): Promise<string[]> {
    const answered = await Promise.all(targets.map(scrape));
    return targets.filter((_, index) => !answered[index]).map(({ instance }) => instance);
  }

  async function scrapeUntilStopped(): Promise<void> {
    let nextMs = now();
    while (!stop.aborted) {
      await scrapeNow();
      nextMs = Math.max(nextMs + everyMs, now());
      await sleep(Math.max(0, nextMs - now()), undefined, { signal: stop }).catch(() => undefined);
    }
  }

  const rounds = scrapeUntilStopped();
  return {
    ...samples,
    scrapeNow,
    async close() {
      closing.abort();
      await rounds;
      await agent.close();
    },
  };
}
