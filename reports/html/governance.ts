import type { RunRecord } from '../../harness/record.ts';
import { formatCount, formatMoment, formatShare } from '../format.ts';
import { colourOf } from './colours.ts';
import { wholeSecond } from './ground.ts';
import type { Markup } from './markup.ts';
import { html } from './markup.ts';
import type { Ground } from './panel.ts';
import { panel } from './panel.ts';
import { linear, shares } from './scale.ts';

type BreakerEdge = RunRecord['breakers'][number];
type PicksEdge = RunRecord['picks'][number];
type SheddingService = RunRecord['shedding'][number];

/**
 * Breakers that refused, edges with a choice of replicas, services that shed; what stayed quiet is told in one line each, and what
 * nobody called not at all.
 */
export function governancePanels({ breakers, picks, shedding, faults }: RunRecord, ground: Ground): Markup {
  const called = breakers.filter(({ points }) => totalOf(points, 'calls') > 0);
  const [refusing, quiet] = parted(called, ({ points }) => totalOf(points, 'refused') > 0);
  const judging = shedding.filter(({ points }) => totalOf(points, 'judged') > 0);
  const [shed, calm] = parted(judging, ({ points }) => totalOf(points, 'shed') > 0);
  return html`${mostTelling(refusing, faults).map((edge) => breakerPanel(edge, ground))}
${quiet.length > 0 && quietBreakers(quiet)}
${picks.filter(({ replicas, points }) => replicas.length > 1 && points.some(({ picked }) => picked.some((count) => count > 0))).map((edge) => picksPanel(edge, ground))}
${shed.map((service) => sheddingPanel(service, ground))}
${calm.length > 0 && html`<p class="quiet">Shed nothing: ${calm.map(({ service }) => service).join(', ')}.</p>`}`;
}

/** Edges under a fault before those that only felt it, and of these the one that refused most. */
function mostTelling(edges: BreakerEdge[], faults: RunRecord['faults']): BreakerEdge[] {
  const troubled = new Set(faults.flatMap(({ places }) => places.map((place) => place.replace(/\.\d+$/, ''))));
  const rank = ({ edge }: BreakerEdge) => (troubled.has(edge) ? 0 : 1);
  return edges.toSorted((a, b) => rank(a) - rank(b) || totalOf(b.points, 'refused') - totalOf(a.points, 'refused'));
}

function breakerPanel({ edge, points }: BreakerEdge, ground: Ground): Markup {
  const at = bySecond(points);
  const calls = totalOf(points, 'calls');
  const refused = totalOf(points, 'refused');
  const seconds = points.filter((point) => point.refused > 0).map(({ atMs }) => atMs);
  const told = `refused ${formatCount(refused)} of ${formatCount(calls)} calls, between ${formatMoment(seconds[0] ?? 0)} and ${formatMoment((seconds.at(-1) ?? 0) + 1_000)}`;
  const series = [
    {
      name: 'answered',
      colour: 'outcome-ok',
      of: (point: BreakerEdge['points'][number]) => Math.max(point.calls - point.refused - point.failed, 0),
    },
    { name: 'failed', colour: 'outcome-timeout', of: (point: BreakerEdge['points'][number]) => point.failed },
    { name: 'refused by the breaker', colour: 'outcome-breakerOpen', of: (point: BreakerEdge['points'][number]) => point.refused },
  ];
  return panel(ground, {
    title: `Breaker on ${edge}`,
    note: told,
    summary: told,
    heightPx: 90,
    y: linear({ max: points.reduce((max, point) => Math.max(max, point.calls), 3), most: 3, format: formatCount }),
    format: (value) => `${formatCount(value)} calls`,
    shape: 'stack',
    lane: { label: 'refusing', colour: 'outcome-breakerOpen', marked: ground.seconds.map((second) => (at.get(second)?.refused ?? 0) > 0) },
    series: series.map(({ name, colour, of }) => ({
      name,
      colour,
      values: ground.seconds.map((second) => {
        const point = at.get(second);
        return point === undefined ? undefined : of(point);
      }),
    })),
  });
}

function quietBreakers(edges: BreakerEdge[]): Markup {
  return html`<details class="quiet"><summary>${edges.length === 1 ? '1 breaker' : `${edges.length} breakers`} refused nothing</summary><table><thead><tr><th scope="col">edge</th><th scope="col">calls</th><th scope="col">failed</th></tr></thead><tbody>${edges.map(
    ({ edge, points }) =>
      html`<tr><th scope="row">${edge}</th><td>${formatCount(totalOf(points, 'calls'))}</td><td>${formatCount(totalOf(points, 'failed'))}</td></tr>`,
  )}</tbody></table></details>`;
}

/** Of fewer calls a share says nothing: of a single one it is all or none. */
const fewestCalls = 5;

function picksPanel({ edge, replicas, points }: PicksEdge, ground: Ground): Markup {
  const at = bySecond(points);
  const totals = replicas.map((_, index) => points.reduce((sum, { picked }) => sum + (picked[index] ?? 0), 0));
  const all = totals.reduce((a, b) => a + b, 0);
  const told = replicas
    .map((replica, index) => `replica ${replica} got ${formatShare((totals[index] ?? 0) / Math.max(all, 1))}`)
    .join(', ');
  return panel(ground, {
    title: `Picks on ${edge}`,
    note: `share of the calls each replica was picked for, in seconds with at least ${fewestCalls} calls; dashed is an even share. Over the run ${told}`,
    summary: told,
    heightPx: 110,
    y: shares({ format: formatShare }),
    format: formatShare,
    shape: 'lines',
    series: [
      { name: 'even', colour: 'ink-soft', drawn: 'dashed', values: ground.seconds.map(() => 1 / replicas.length) },
      ...replicas.map((replica, index) => ({
        name: `replica ${replica}`,
        colour: colourOf(index),
        values: ground.seconds.map((second) => {
          const picked = at.get(second)?.picked ?? [];
          const sum = picked.reduce((a, b) => a + b, 0);
          return sum < fewestCalls ? undefined : (picked[index] ?? 0) / sum;
        }),
      })),
    ],
  });
}

function sheddingPanel({ service, points }: SheddingService, ground: Ground): Markup {
  const at = bySecond(points);
  const shed = totalOf(points, 'shed');
  const judged = totalOf(points, 'judged');
  const told = `turned away ${formatCount(shed)} of ${formatCount(judged)} requests (${formatShare(shed / Math.max(judged, 1))})`;
  return panel(ground, {
    title: `Shedding by ${service}`,
    note: told,
    summary: told,
    heightPx: 80,
    y: linear({
      max: points.reduce((max, point) => Math.max(max, point.shed / Math.max(point.judged, 1)), 0.1),
      most: 3,
      format: formatShare,
    }),
    format: formatShare,
    shape: 'stack',
    series: [
      {
        name: 'share turned away',
        colour: 'outcome-shed',
        values: ground.seconds.map((second) => {
          const point = at.get(second);
          return point === undefined || point.judged === 0 ? undefined : point.shed / point.judged;
        }),
      },
    ],
  });
}

function parted<Item>(items: readonly Item[], fits: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(fits), items.filter((item) => !fits(item))];
}

function bySecond<Point extends { atMs: number }>(points: readonly Point[]): Map<number, Point> {
  return new Map(points.map((point) => [wholeSecond(point.atMs), point]));
}

function totalOf<Key extends string>(points: readonly Record<Key, number>[], key: Key): number {
  return points.reduce((sum, point) => sum + point[key], 0);
}
