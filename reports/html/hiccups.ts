import type { GroundPoint, RunRecord } from '../../harness/record.ts';
import { formatMoment, formatMs, formatShare } from '../format.ts';
import { wholeSecond } from './ground.ts';
import type { Markup } from './markup.ts';
import { html } from './markup.ts';
import type { Ground, Series } from './panel.ts';
import { panel } from './panel.ts';
import { logarithmic } from './scale.ts';

/**
 * What the machine and the load generator did to the latencies above them: pauses in which nobody ran, visitors that were sent late, and CPU time
 * that others took. Nothing for a record that knows none of it.
 */
export function hiccupPanels(record: RunRecord, ground: Ground): Markup | undefined {
  const points = new Map((record.ground ?? []).map((point) => [wholeSecond(point.atMs), point]));
  if (points.size === 0) return undefined;
  const of = (value: (point: GroundPoint) => number | undefined) =>
    ground.seconds.map((second) => {
      const point = points.get(second);
      return point === undefined ? undefined : value(point);
    });
  return html`${pausesPanel(record, ground, of)}${sharesPanel(ground, of)}`;
}

/**
 * Seconds in which a route's latency stands out and may be the machine's doing: p99 is twice its median or more, and a canary was held up, or
 * visitors sent late, at least half as long. Without a route: those of any.
 */
export function suspectSeconds({ ground = [], timeline }: RunRecord, seconds: readonly number[], route?: string): boolean[] {
  const pauses = new Map(ground.map((point) => [wholeSecond(point.atMs), Math.max(point.hiccupMsMax, point.lagMsP99)]));
  const suspects = new Set<number>();
  for (const [name, points] of Map.groupBy(timeline, (point) => point.route)) {
    if (route !== undefined && name !== route) continue;
    const usualMs = medianOf(points.flatMap(({ latencyMs }) => latencyMs?.p99 ?? []));
    for (const { atMs, latencyMs } of points) {
      // Seconds of a phase begin within those of the machine.
      const pauseMs = Math.max(pauses.get(wholeSecond(atMs)) ?? 0, pauses.get(wholeSecond(atMs + 999)) ?? 0);
      if (latencyMs !== undefined && latencyMs.p99 >= 2 * usualMs && pauseMs >= latencyMs.p99 / 2) suspects.add(wholeSecond(atMs));
    }
  }
  return seconds.map((second) => suspects.has(second));
}

type Values = (value: (point: GroundPoint) => number | undefined) => (number | undefined)[];

function pausesPanel(record: RunRecord, ground: Ground, of: Values): Markup {
  const longest = of(({ hiccupMsMax }) => hiccupMsMax);
  const series: Series[] = [
    { name: 'hiccup max', colour: 'hiccup-max', values: longest, drawn: 'columns' },
    { name: 'hiccup p99', colour: 'hiccup-p99', values: of(({ hiccupMsP99 }) => hiccupMsP99) },
    { name: 'lag p99', colour: 'lag-p99', values: of(({ lagMsP99 }) => lagMsP99), drawn: 'dashed' },
  ];
  const suspect = suspectSeconds(record, ground.seconds);
  const suspects = suspect.filter((is) => is).length;
  const worst = Math.max(...longest.map((ms) => ms ?? 0));
  return panel(ground, {
    title: 'Hiccups and generator lag',
    note: `how late threads woke that only wanted to wake every millisecond, and visitors set out; not the target's doing${suspects === 0 ? '' : '. Marked here and above: a latency that stands out, and a pause at least half as long in the same second'}`,
    summary: `longest hiccup ${formatMs(worst)} at ${formatMoment(ground.seconds[longest.indexOf(worst)] ?? 0)}; ${suspects === 0 ? 'no second' : suspects === 1 ? '1 second' : `${suspects} seconds`} in which a pause may explain a latency`,
    heightPx: 80,
    y: logarithmic({
      min: 0.1,
      max: Math.max(worst, ...series.flatMap(({ values }) => values.map((ms) => ms ?? 0)), 10),
      format: formatMs,
    }),
    format: formatMs,
    shape: 'lines',
    suspect,
    series,
  });
}

function sharesPanel(ground: Ground, of: Values): Markup {
  const throttled = of(({ throttledShare }) => throttledShare);
  const all: Series[] = [
    { name: 'loop busy', colour: 'series-1', values: of(({ loopUtilization }) => loopUtilization) },
    { name: 'steal', colour: 'series-2', values: of(({ stealShare }) => stealShare), drawn: 'columns' },
    { name: 'throttled', colour: 'series-6', values: throttled.some((share) => (share ?? 0) > 0) ? throttled : [], drawn: 'dashed' },
  ];
  const series = all.filter(({ values }) => values.some((share) => share !== undefined));
  const highest = ({ name, values }: Series) => `${name} at most ${formatShare(Math.max(...values.map((share) => share ?? 0)))}`;
  return panel(ground, {
    title: 'Load of the generator and its machine',
    note: 'busy share of the busiest event loop of the generator, and CPU time that others took; logarithmic',
    summary: series.map(highest).join(', '),
    heightPx: 64,
    y: logarithmic({ min: 0.001, max: 1, format: formatShare }),
    format: formatShare,
    shape: 'lines',
    series,
  });
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
