import { readFileSync } from 'node:fs';
import { runClock } from '../../../core/time.ts';
import { startOpenDriver } from '../../../harness/drivers/open.ts';
import { fromBase64, histogramOf, newHistogram, outcomesOf, paceOf, percentilesOf } from '../../../harness/recording.ts';
import type { Contestant, Measured } from '../contestant.ts';
import { asking } from './ours-journey.ts';

/** Our own driver, as scenarios use it. Its process ends with the run, so what it cost is read before. */
export const ours: Contestant = {
  name: 'stampede',
  version: async () => (JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }).version,
  run: async ({ url, lastsMs, ratePerSecond, toPerSecond = ratePerSecond, arrivals, timeoutMs, easesInMs = 0, ownPause }, signal) => {
    const { origin, pathname, search } = new URL(url);
    const pause = ownPause && { pauseAt: Math.round((ownPause.atMs / 1_000) * ratePerSecond), pauseMs: ownPause.lastsMs };
    const driver = await startOpenDriver({
      journeys: asking({ origin, path: pathname + search, ...pause }),
      seed: 1,
      clock: runClock(),
      timeoutMs,
      signal,
    });
    try {
      const easing = easesInMs === 0 ? [] : [{ lastsMs: easesInMs, fromPerSecond: 0, toPerSecond: ratePerSecond }];
      await driver.play({ name: 'load', stages: [...easing, { lastsMs, fromPerSecond: ratePerSecond, toPerSecond }], arrivals });
      await driver.drained();
      return { ...measuredBy(await driver.finish()), ...costOf(driver.pid) };
    } finally {
      await driver.close();
    }
  },
};

function measuredBy(recording: Parameters<typeof paceOf>[0]): Measured {
  const { ok: answered = 0, timeout: timeouts = 0, dropped: _, ...errors } = outcomesOf(recording);
  const { planned, sent, dropped, lag } = paceOf(recording);
  const { p50 = 0, p90 = 0, p99 = 0 } = percentilesOf(lag) ?? {};
  const service = newHistogram();
  for (const row of recording.totals) if (row.outcome === 'ok') service.add(fromBase64(row.service));
  const serviceMsP99 = percentilesOf(service)?.p99;
  return {
    percentilesMs: percentilesOf(histogramOf(recording, { outcomes: ['ok', 'timeout'] })) ?? {},
    ...{ planned, sent, dropped, answered, timeouts, errors, lagMs: { p50, p90, p99 } },
    ...(serviceMsP99 === undefined ? {} : { serviceMsP99 }),
  };
}

/** Of all its threads, from its start on. */
function costOf(pid: number): { cpuMs: number; rssPeakBytes: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const [, peakKib = '0'] = /^VmHWM:\s+(\d+) kB/m.exec(status) ?? [];
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * msPerTick, rssPeakBytes: Number(peakKib) * 1_024 };
}

/** Linux counts CPU time of processes in hundredths of a second. */
const msPerTick = 10;
