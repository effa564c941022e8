import type { RequestOutcome, RunRecord, TimelinePoint } from '../../harness/record.ts';
import { requestOutcomes } from '../../harness/record.ts';
import { formatCount, formatMoment, formatMs, formatShare, outcomeWords } from '../format.ts';
import { colourOfOutcome } from './colours.ts';
import { formatMeasured, isBeyond } from './distribution.ts';
import { axis } from './frame.ts';
import { governancePanels } from './governance.ts';
import { faultLanes, groundOf, phaseStrip, wholeSecond } from './ground.ts';
import { hiccupPanels, suspectSeconds } from './hiccups.ts';
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
${hiccupPanels(record, ground)}
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

/** Nothing for a route that nobody was served on. */
function latencyPanel(record: RunRecord, ground: Ground, route: string, number: number): Markup | undefined {
  const points = bySecond(record.timeline, route);
  const { timeoutMs } = record.generator;
  const pointAt = ground.seconds.map((second) => points.get(second)?.[0]);
  const quantiles = Object.entries(shares).map(([name, share]): Series => {
    const censored = pointAt.map((point) => timeoutMs !== undefined && point !== undefined && isCensored(point, share));
    return {
      name,
      colour: `latency-${name}`,
      values: pointAt.map((point, index) => (censored[index] ? timeoutMs : point?.latencyMs?.[name as keyof typeof shares])),
      told: censored.map((is) => (is ? formatMeasured({ ms: timeoutMs ?? 0, isCensored: true }) : undefined)),
    };
  });
  if (quantiles.every(({ values }) => values.every((ms) => ms === undefined))) return undefined;
  const p99 = quantiles[2];
  const worst = maxOf(p99?.values ?? []);
  const worstAt = p99?.values.indexOf(worst) ?? 0;
  const givenUp = pointAt.map((point) => (point?.outcomes.timeout ?? 0) > 0);
  const isAnyGivenUp = givenUp.includes(true);
  return panel(ground, {
    title: `Latency of ${route}`,
    note: `from intended start to last byte, of requests that were served${isAnyGivenUp ? '; in marked seconds others were given up, and what lies among those reads “≥”' : ''}`,
    summary: `p99 highest with ${p99?.told?.[worstAt] ?? formatMs(worst)} at ${formatMoment(ground.seconds[worstAt] ?? 0)}`,
    shownFor: `0 ${number}`,
    heightPx: 110,
    y: latencyScale(record),
    format: formatMs,
    shape: 'lines',
    series: quantiles,
    suspect: suspectSeconds(record, ground.seconds, route),
    ...(isAnyGivenUp ? { lane: { label: 'given up', colour: 'outcome-timeout', marked: givenUp } } : {}),
  });
}

const shares = { p50: 0.5, p95: 0.95, p99: 0.99 };

/** Whether so many of a second's visitors gave up waiting that this percentile is among them. */
function isCensored({ outcomes }: TimelinePoint, share: number): boolean {
  const { ok = 0, degraded = 0, timeout = 0 } = outcomes;
  return timeout > 0 && isBeyond({ share, served: ok + degraded, timedOut: timeout });
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
function latencyScale({ timeline, generator }: RunRecord) {
  const quantiles = timeline
    .flatMap((point) => [point.latencyMs?.p50 ?? 0, point.latencyMs?.p99 ?? 0, isCensored(point, 0.99) ? (generator.timeoutMs ?? 0) : 0])
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
