import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { createPageReader } from './prometheus-text.ts';
import { createSampleStore } from './samples.ts';

/** What is read of each page unless others are asked for. */
export const families = [
  'mall_breaker_requests_total',
  'mall_breaker_trips_total',
  'mall_shedding_requests_total',
  'mall_p2c_picks_total',
  'mall_cpu_usage_milli',
  'mall_spans_ended_total',
  'mall_spans_exported_total',
  'http_server_requests_code_total',
  'rpc_client_requests_code_total',
  'process_cpu_seconds_total',
  'nodejs_eventloop_lag_p99_seconds',
] as const;

export type Target = { instance: string; url: string };
export type Scraper = ReturnType<typeof createSampleStore> & {
  /** One round now. Never throws; returns the instances that did not answer. */
  scrapeNow: () => Promise<string[]>;
  /** How many pages were read, and how many were not, per instance. */
  scrapes: () => ReadonlyMap<string, { answered: number; failed: number }>;
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
  wanted = families,
}: {
  targets: readonly Target[];
  everyMs?: number;
  timeoutMs?: number;
  now: () => number;
  signal?: AbortSignal;
  wanted?: readonly string[];
}): Scraper {
  const samples = createSampleStore();
  const scrapes = new Map(targets.map(({ instance }) => [instance, { answered: 0, failed: 0 }]));
  const read = createPageReader(wanted);
  const agent = new Agent({ connections: 1, pipelining: 1, keepAliveTimeout: 30_000 });
  const closing = new AbortController();
  const stop = signal === undefined ? closing.signal : AbortSignal.any([closing.signal, signal]);

  async function scrape({ instance, url }: Target): Promise<boolean> {
    const outcome = scrapes.get(instance);
    const startedMs = now();
    try {
      const { statusCode, body } = await request(url, { dispatcher: agent, signal: AbortSignal.timeout(timeoutMs) });
      const page = await body.text();
      if (statusCode !== 200) throw new Error(`Expected status 200 from ${url}, got ${statusCode}`);
      // The page was written somewhere between question and answer.
      samples.add({ instance, atMs: (startedMs + now()) / 2 }, read(page));
      if (outcome !== undefined) outcome.answered++;
      return true;
    } catch {
      // Whatever the reason, there is no sample: that is all a gap can say, and it is counted.
      if (outcome !== undefined) outcome.failed++;
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
      await sleep(nextMs - now(), undefined, { signal: stop }).catch(() => undefined);
    }
  }

  const rounds = scrapeUntilStopped();
  return {
    ...samples,
    scrapeNow,
    scrapes: () => scrapes,
    async close() {
      closing.abort();
      await rounds;
      await agent.close();
    },
  };
}
