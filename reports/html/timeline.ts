import type { RequestOutcome, RunRecord, TimelinePoint } from '../../harness/record.ts';
import { requestOutcomes } from '../../harness/record.ts';
import { formatCount, formatMoment, formatMs, formatShare, outcomeWords } from '../format.ts';
import { colourOfOutcome } from './colours.ts';
import { axis } from './frame.ts';
import { governancePanels } from './governance.ts';
import { faultLanes, groundOf, phaseStrip, wholeSecond } from './ground.ts';
import type { Markup } from './markup.ts';
import { html } from './markup.ts';
import type { Ground, Series } from './panel.ts';
import { panel } from './panel.ts';
import { linear, logarithmic } from './scale.ts';

/** One shared axis, and under it everything that was seen second by second. A route is chosen without a script, by the style sheet. */
export function timelineSection(record: RunRecord): Markup {
  const ground = groundOf(record);
  const routes = routesOf(record);
  const shown = [undefined, ...routes];
  return html`<section id="timeline" class="timeline routed" aria-labelledby="timeline-title" data-from="${ground.time.fromMs}" data-lasts="${ground.time.untilMs - ground.time.fromMs}" data-seconds="${ground.seconds.length}">
<h2 id="timeline-title">Timeline</h2>
<p class="lead">All panels share one axis. Point at one, or focus it and press ← →, to read every value of a second.</p>
${routeChoice(routes)}
${phaseStrip(record, ground)}
${faultLanes(record, ground)}
${shown.map((route, number) => ratePanel(record, ground, route, number))}
${routes.map((route, index) => latencyPanel(record, ground, route, index + 1))}
${shown.map((route, number) => outcomesPanel(record, ground, route, number))}
${governancePanels(record, ground)}
<div class="frame last">${axis(ground.time)}</div>
</section>`;
}

/** Routes in the order of their first row. */
export function routesOf({ timeline, requests }: RunRecord): string[] {
  return [...new Set([...timeline, ...requests].map(({ route }) => route))];
}

/** Radio buttons that the style sheet obeys: what is marked `data-routes` is shown where it names the chosen number; 0 is all routes. */
function routeChoice(routes: string[]): Markup {
  return html`<fieldset class="choice"><legend>Route</legend>${['all', ...routes].map(
    (route, number) =>
      html`<label><input type="radio" name="route" value="${number}"${number === 0 && html` checked`}><span>${route}</span></label>`,
  )}</fieldset>`;
}

function ratePanel({ timeline }: RunRecord, ground: Ground, route: string | undefined, number: number): Markup {
  const points = bySecond(timeline, route);
  const planned = ground.seconds.map((second) => points.get(second)?.reduce((sum, point) => sum + point.planned, 0));
  const answered = ground.seconds.map((second) => points.get(second)?.reduce((sum, point) => sum + answeredInTime(point), 0));
  const [sumPlanned, sumAnswered] = [sumOf(planned), sumOf(answered)];
  return panel(ground, {
    title: `Requests a second${named(route)}`,
    note: 'by their intended start; answered in time counts any answer, also a refusal, and no timeout, reset, refused connection or drop',
    summary: `${formatCount(sumPlanned)} planned, ${formatCount(sumAnswered)} answered in time, at most ${formatCount(maxOf(planned))} planned a second`,
    shownFor: String(number),
    heightPx: 130,
    y: linear({ max: maxOf([leastCount, ...planned, ...answered]), format: formatCount }),
    format: (value) => `${formatCount(value)}/s`,
    shape: 'lines',
    series: [
      { name: 'answered', colour: 'series-1', values: answered },
      { name: 'planned', colour: 'ink-soft', values: planned, drawn: 'dashed' },
    ],
  });
}

function latencyPanel({ timeline }: RunRecord, ground: Ground, route: string, number: number): Markup {
  const points = bySecond(timeline, route);
  const quantiles = (['p50', 'p95', 'p99'] as const).map((name): Series => {
    const values = ground.seconds.map((second) => points.get(second)?.[0]?.latencyMs?.[name]);
    return { name, colour: `latency-${name}`, values };
  });
  const p99 = quantiles[2]?.values ?? [];
  const worst = maxOf(p99);
  return panel(ground, {
    title: `Latency of ${route}`,
    note: 'from intended start to last byte, of requests that were served',
    summary:
      worst > 0 ? `p99 highest with ${formatMs(worst)} at ${formatMoment(ground.seconds[p99.indexOf(worst)] ?? 0)}` : 'nothing was served',
    shownFor: `0 ${number}`,
    heightPx: 110,
    y: latencyScale(timeline),
    format: formatMs,
    shape: 'lines',
    series: quantiles,
  });
}

function outcomesPanel({ timeline }: RunRecord, ground: Ground, route: string | undefined, number: number): Markup {
  const points = bySecond(timeline, route);
  const series = requestOutcomes.flatMap((outcome): Series[] => {
    const values = ground.seconds.map((second) => points.get(second)?.reduce((sum, { outcomes }) => sum + (outcomes[outcome] ?? 0), 0));
    const total = sumOf(values);
    return total === 0 ? [] : [{ name: outcomeWords[outcome], colour: colourOfOutcome(outcome), values, total: formatCount(total) }];
  });
  const heights = ground.seconds.map((_, index) => sumOf(series.map(({ values }) => values[index])));
  return panel(ground, {
    title: `Outcomes${named(route)}`,
    note: 'how the requests planned for each second ended',
    summary: series.map(({ name, values }) => `${name} ${formatShare(sumOf(values) / Math.max(sumOf(heights), 1))}`).join(', ') || 'none',
    shownFor: String(number),
    heightPx: 160,
    y: linear({ max: maxOf([leastCount, ...heights]), format: formatCount }),
    format: formatCount,
    shape: 'stack',
    series,
  });
}

/** One scale for all routes, so that their panels compare. */
function latencyScale(timeline: TimelinePoint[]) {
  const quantiles = timeline
    .flatMap(({ latencyMs }) => (latencyMs === undefined ? [] : [latencyMs.p50, latencyMs.p99]))
    .filter((ms) => ms > 0);
  const min = quantiles.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  return logarithmic({ min: Number.isFinite(min) ? min : 1, max: maxOf(quantiles) || 1_000, format: formatMs });
}

function bySecond(timeline: TimelinePoint[], route: string | undefined): Map<number, TimelinePoint[]> {
  const wanted = timeline.filter((point) => route === undefined || point.route === route);
  return Map.groupBy(wanted, ({ atMs }) => wholeSecond(atMs));
}

/** Below it the ticks of a count would be fractions. */
const leastCount = 4;

/** Records that are older than `deadline` have an answered 504 among their timeouts. */
const unanswered = new Set<RequestOutcome>(['timeout', 'reset', 'refused', 'dropped']);

const answeredInTime = ({ outcomes }: TimelinePoint) =>
  requestOutcomes.reduce((sum, outcome) => (unanswered.has(outcome) ? sum : sum + (outcomes[outcome] ?? 0)), 0);

const named = (route: string | undefined) => (route === undefined ? '' : ` of ${route}`);
const sumOf = (values: readonly (number | undefined)[]) => values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
const maxOf = (values: readonly (number | undefined)[]) => values.reduce<number>((max, value) => Math.max(max, value ?? 0), 0);
