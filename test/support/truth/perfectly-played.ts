import { createTurns, type Spoiling, spoilingOf } from '../../../bench/truth/behaviour.ts';
import type { Measured } from '../../../bench/truth/contestant.ts';
import type { Script, Seen } from '../../../bench/truth/scripts.ts';
import { percentile } from '../../../bench/truth/truth.ts';
import { arrivalTimes } from '../../../harness/schedule.ts';

const wireMs = 0.03;

/** What a script sees of a contestant that makes no mistake, on a machine that never waits: every request is worked out, one by one. */
export function perfectlyPlayed(script: Script): Seen {
  const { workload, behaviour, stop } = script;
  const { lastsMs, ratePerSecond, toPerSecond = ratePerSecond, arrivals, timeoutMs, ownPause } = workload;
  const stages = [{ lastsMs, fromPerSecond: ratePerSecond, toPerSecond }];
  const intendedMs = [...arrivalTimes({ stages, arrivals, seed: 1 })];
  const sentMs = intendedMs.map((ms) => afterPause(ms, ownPause));
  const arrivedUs = Float64Array.from(sentMs, (ms) => afterPause(ms, stop) * 1_000);
  const turns = createTurns(behaviour);
  const dueUs = arrivedUs.map((us) => turns(us));
  const spoilt: Record<Spoiling, number> = { reset: 0, fin: 0, hang: 0 };
  for (let number = 1; number <= arrivedUs.length; number += 1) {
    const spoiling = spoilingOf(behaviour, number);
    if (spoiling !== undefined) spoilt[spoiling] += 1;
  }
  const answeredUs = dueUs.map((us, i) => (spoilingOf(behaviour, i + 1) === undefined ? us : Number.NaN));
  const endsMs = dueUs.map((us, i) => (spoilingOf(behaviour, i + 1) === 'hang' ? Number.POSITIVE_INFINITY : us / 1_000 + wireMs));
  const isOut = (i: number) => (endsMs[i] ?? 0) - (sentMs[i] ?? 0) > timeoutMs;
  const broken = (i: number) => ['reset', 'fin'].includes(spoilingOf(behaviour, i + 1) ?? '');
  const numbers = [...arrivedUs.keys()];
  const responses = numbers
    .filter((i) => !broken(i))
    .map((i) => Math.min(endsMs[i] ?? 0, (sentMs[i] ?? 0) + timeoutMs) - (intendedMs[i] ?? 0));
  const lags = sentMs.map((ms, i) => ms - (intendedMs[i] ?? 0));
  const service = numbers.filter((i) => !broken(i) && !isOut(i)).map((i) => (endsMs[i] ?? 0) - (sentMs[i] ?? 0));
  const at = (values: number[], share: number) => percentile(values, share) ?? Number.NaN;
  const measured: Measured & { cpuMs: number } = {
    cpuMs: 0,
    percentilesMs: { p50: at(responses, 0.5), p90: at(responses, 0.9), p99: at(responses, 0.99), p999: at(responses, 0.999) },
    ...{ planned: numbers.length, sent: numbers.length, dropped: 0 },
    timeouts: numbers.filter(isOut).length,
    answered: numbers.filter((i) => !isOut(i) && !broken(i)).length,
    errors: { reset: numbers.filter(broken).length },
    lagMs: { p50: at(lags, 0.5), p90: at(lags, 0.9), p99: at(lags, 0.99) },
    serviceMsP99: at(service, 0.99),
  };
  const logged = { arrived: numbers.length, arrivedUs, answeredUs, spoilt, pauses: [] };
  return { workload, measured, logged, stoppedMs: stop?.lastsMs ?? 0, pingMs: wireMs };
}

/** What a pause makes of a moment within it: its end. */
function afterPause(ms: number, pause: { atMs: number; lastsMs: number } | undefined): number {
  return pause !== undefined && ms >= pause.atMs && ms < pause.atMs + pause.lastsMs ? pause.atMs + pause.lastsMs : ms;
}
