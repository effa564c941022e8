import { requestOutcomes, servedOutcomes, type TimelinePoint } from './record.ts';
import { histogramOf, percentilesOf, type Recording } from './recording.ts';

/**
 * What each route went through, second by second of the run, as a report draws it. A phase counts its seconds from its own start: each of them is
 * drawn in the second of the run in which it begins, and so may be another phase's last one, with what its visitors did after its end.
 */
export function timelinePoints(recording: Recording): TimelinePoint[] {
  const bySecond = Map.groupBy(recording.seconds, ({ atMs, route }) => `${wholeSecond(atMs)} ${route}`);
  const points = [...bySecond.values()].flatMap(([row]) => (row === undefined ? [] : [{ atMs: wholeSecond(row.atMs), route: row.route }]));
  points.sort((one, other) => one.atMs - other.atMs || one.route.localeCompare(other.route));
  return points.map(({ atMs, route }) => {
    const rows = bySecond.get(`${atMs} ${route}`) ?? [];
    const outcomes: TimelinePoint['outcomes'] = {};
    for (const outcome of requestOutcomes) {
      const count = rows.filter((row) => row.outcome === outcome).reduce((sum, row) => sum + row.count, 0);
      if (count > 0) outcomes[outcome] = count;
    }
    const latencyMs = percentilesOf(histogramOf(recording, { fromMs: atMs, untilMs: atMs + secondMs, outcomes: servedOutcomes, route }));
    return {
      atMs,
      route,
      planned: Object.values(outcomes).reduce((sum, count) => sum + count, 0),
      outcomes,
      ...(latencyMs === undefined ? {} : { latencyMs: { p50: latencyMs.p50, p95: latencyMs.p95, p99: latencyMs.p99 } }),
    };
  });
}

const secondMs = 1_000;
const wholeSecond = (atMs: number) => Math.floor(atMs / secondMs) * secondMs;
