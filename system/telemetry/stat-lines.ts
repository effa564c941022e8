import type { Logger } from 'pino';
import type { Metrics } from './metrics.ts';

type Totals = { pass: number; fail: number; drop: number };

/**
 * Every minute a line for each kind of shedder, also when nothing came, and one for the process (governance.md 2.5). Runs until it is stopped, and
 * does not keep the process alive. `total` is what was judged and has ended.
 */
export function startStatLines(
  { log, metrics }: { log: Logger; metrics: Metrics },
  { everyMs = 60_000 }: { everyMs?: number } = {},
): { stop(): void } {
  const before = new Map<string, Totals>();

  function sheddingLines() {
    for (const [kind, now] of totalsByKind(metrics)) {
      const last = before.get(kind) ?? none;
      before.set(kind, now);
      const pass = now.pass - last.pass;
      const drop = now.drop - last.drop;
      const total = pass + drop + now.fail - last.fail;
      log.info({ kind, cpu: metrics.levels.cpuMilli(), total, pass, drop }, drop === 0 ? 'shedding_stat' : 'shedding_stat_drop');
    }
  }

  async function processLine() {
    const { heapUsed, rss } = process.memoryUsage();
    log.info(
      { cpu: metrics.levels.cpuMilli(), heapMiB: mebibytes(heapUsed), rssMiB: mebibytes(rss), collections: await collections(metrics) },
      'process_stat',
    );
  }

  const timer = setInterval(() => {
    sheddingLines();
    void processLine();
  }, everyMs).unref();
  return { stop: () => clearInterval(timer) };
}

const none: Totals = { pass: 0, fail: 0, drop: 0 };

/** Shedders of one kind are told of together: that for priority routes is no kind of its own. */
function totalsByKind({ levels }: Metrics): Map<string, Totals> {
  const sums = new Map<string, Totals>();
  for (const { kind, shedder } of levels.shedders) {
    const { pass, fail, drop } = shedder.totals;
    const sum = sums.get(kind) ?? none;
    sums.set(kind, { pass: sum.pass + pass, fail: sum.fail + fail, drop: sum.drop + drop });
  }
  return sums;
}

/** How often garbage was collected since the process began, as the default metrics count it; undefined where they are not collected. */
async function collections({ registry }: Metrics): Promise<number | undefined> {
  const seen = await registry.getSingleMetric('nodejs_gc_duration_seconds')?.get();
  return seen?.values.reduce((sum, one) => ('metricName' in one && String(one.metricName).endsWith('_count') ? sum + one.value : sum), 0);
}

const mebibytes = (bytes: number): number => Math.round(bytes / 1_048_576);
