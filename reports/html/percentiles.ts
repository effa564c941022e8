import type { Percentiles, RequestRow, RunRecord } from '../../harness/record.ts';
import { requestOutcomes, unexplainedOutcomes } from '../../harness/record.ts';
import { formatCount, formatMs, formatShare, outcomeWords } from '../format.ts';
import { colourOfOutcome } from './colours.ts';
import { curves } from './curves.ts';
import { awaitedDistribution, type Distribution, formatMeasured, isAwaited, isServed } from './distribution.ts';
import { percent as percentOf } from './frame.ts';
import type { Markup } from './markup.ts';
import { html } from './markup.ts';
import { routesOf } from './timeline.ts';

const percents = [50, 90, 95, 99, 99.9];
const names = ['p50', 'p90', 'p95', 'p99', 'p999', 'max'] as const;

/** A row for each route and phase, the curves behind it, and each outcome's own percentiles folded away. Nothing where nobody asked for anything. */
export function percentilesSection(record: RunRecord): Markup | undefined {
  const { requests, phases, generator } = record;
  if (requests.length === 0) return undefined;
  const cells = routesOf(record).map((route) => ({
    route,
    phases: phases.map((phase) => {
      const rows = requests.filter((row) => row.route === route && row.phase === phase.name);
      return { phase: phase.name, rows, awaited: awaitedDistribution(rows, generator.timeoutMs) };
    }),
  }));
  return html`<section id="requests" aria-labelledby="requests-title"><h2 id="requests-title">Requests by route and phase</h2>
${explanation(record)}
<div class="scroll" tabindex="0" role="region" aria-label="Requests by route and phase"><table class="numbers parts">
<thead><tr class="over"><td colspan="3"></td><th scope="colgroup" colspan="${names.length}">response</th><th scope="colgroup" colspan="2">service</th><th scope="colgroup" colspan="2">first byte</th><th scope="colgroup">queue</th><td></td></tr>
<tr><th scope="col">phase</th><th scope="col">requests</th><th scope="col">served</th>${percents.map((percent, index) => html`<th scope="col"${index === 0 && html` class="part"`}>p${percent}</th>`)}<th scope="col">max</th>${[1, 2].map(() => html`<th scope="col" class="part">p50</th><th scope="col">p99</th>`)}<th scope="col" class="part">p99</th><th scope="col" class="wide">outcomes</th></tr></thead>
${cells.map(
  (cell) =>
    html`<tbody><tr class="group"><th colspan="${columns}" scope="rowgroup"><span>${cell.route}</span></th></tr>${cell.phases.map(routeRow)}</tbody>`,
)}</table></div>
${curves(cells)}
${byOutcome(requests)}</section>`;
}

const columns = 3 + names.length + 6;

/** What the five times are, for whom the claim of no coordinated omission holds, and what is not in them. */
function explanation(record: RunRecord): Markup {
  const { generator } = record;
  const lags = lagsByPhase(record);
  const wait = generator.timeoutMs === undefined ? '' : ` after ${formatMs(generator.timeoutMs)}`;
  return html`<p class="lead"><b>Response</b> is what a visitor has, from the intended start to the last byte: generator <b>lag</b> until dispatch, our own fault (p99 of the run ${formatMs(generator.lagMsP99)}), client <b>queue</b> until the request is written, waiting for a connection, and <b>service</b>, from the last byte written to the last byte read; its <b>first byte</b> is when the answer began.</p>
<p class="note wordy">A later step of a visit has no time in the plan: it is intended when the step before it has ended and the thought is over. So free of coordinated omission are the first step and the visit as a whole.</p>
<p class="note wordy">Response is of requests that were served (ok or degraded) or given up${wait}; a percentile among the latter reads “≥”. Service, first byte and queue are of the ok ones, or of the degraded where those are more. In grey italics: fewer than ten requests lie above.</p>
${lags.length > 0 && html`<p class="note wordy">Lag is of a phase, whatever the route; p99 of its worst second: ${lags.join(' · ')}.</p>`}`;
}

/** Per second is what the record knows; that of the phase is no higher. Nothing of an older record. */
function lagsByPhase({ phases, ground = [] }: RunRecord): string[] {
  return phases.flatMap(({ name, fromMs, untilMs }) => {
    const lags = ground.filter(({ atMs }) => atMs + 1_000 > fromMs && atMs < untilMs).map(({ lagMsP99 }) => lagMsP99);
    return lags.length === 0 ? [] : [`${name} ${formatMs(Math.max(...lags))}`];
  });
}

type PhaseCell = { phase: string; rows: RequestRow[]; awaited: Distribution | undefined };

function routeRow({ phase, rows, awaited }: PhaseCell): Markup {
  const count = countOf(rows);
  if (count === 0) return html`<tr><th scope="row">${phase}</th><td>0</td><td colspan="${columns - 2}"></td></tr>`;
  const isMixed = rows.filter(isAwaited).length > 1;
  const mostServed = rows.filter(isServed).toSorted((a, b) => b.count - a.count)[0];
  return html`<tr><th scope="row">${phase}</th><td>${formatCount(count)}</td><td>${formatShare(countOf(rows.filter(isServed)) / count)}</td>
${percents.map((percent, index) => {
  const kinds = [...(index === 0 ? ['part'] : []), ...(awaited !== undefined && isThin(awaited.count, percent) ? ['thin'] : [])];
  return html`<td${kinds.length > 0 && html` class="${kinds.join(' ')}"`}>${awaited === undefined ? '–' : formatMeasured(awaited.atShare(percent / 100))}</td>`;
})}
<td>${awaited === undefined ? '–' : formatMeasured(awaited.max)}</td>
<td class="part">${mostServed?.serviceMs === undefined ? '–' : formatMs(mostServed.serviceMs.p50)}${mostServed !== undefined && isMixed && html`<small>of ${outcomeWords[mostServed.outcome]}</small>`}</td>${timeCell(mostServed?.serviceMs?.p99)}${timeCell(mostServed?.firstByteMs?.p50, 'part')}${timeCell(mostServed?.firstByteMs?.p99)}${timeCell(mostServed?.queueMs?.p99, 'part')}
<td class="wide">${outcomesOf(rows, count)}</td></tr>`;
}

const timeCell = (ms: number | undefined, kind?: string) =>
  html`<td${kind !== undefined && html` class="${kind}"`}>${ms === undefined ? '–' : formatMs(ms)}</td>`;

function outcomesOf(rows: RequestRow[], count: number): Markup {
  const present = requestOutcomes
    .map((outcome) => ({ outcome, share: countOf(rows.filter((row) => row.outcome === outcome)) }))
    .filter(({ share }) => share > 0);
  return html`<div class="stack" aria-hidden="true">${present.map(
    ({ outcome, share }) => html`<i style="width:${percentOf(share / count)};--colour:var(--${colourOfOutcome(outcome)})"></i>`,
  )}</div><small>${present.map(({ outcome, share }) => `${outcomeWords[outcome]} ${formatCount(share)}`).join(' · ')}</small>${unexplainedOutcomes.map(
    (outcome) => {
      const reason = rows.find((row) => row.outcome === outcome && row.firstReason !== undefined)?.firstReason;
      return reason !== undefined && html`<small>first ${outcomeWords[outcome]}: ${reason}</small>`;
    },
  )}`;
}

function byOutcome(requests: RequestRow[]): Markup {
  const hasReasons = requests.some(({ firstReason }) => firstReason !== undefined);
  return html`<details><summary>Times of each outcome</summary><div class="scroll" tabindex="0" role="region" aria-label="Times of each outcome"><table class="numbers parts">
<thead><tr class="over"><td colspan="2"></td><th scope="colgroup" colspan="${names.length}">response</th><th scope="colgroup" colspan="2">service</th><th scope="colgroup" colspan="2">first byte</th><th scope="colgroup">queue</th>${hasReasons && html`<td></td>`}</tr>
<tr><th scope="col">route, phase, outcome</th><th scope="col">requests</th>${names.map((name, index) => html`<th scope="col"${index === 0 && html` class="part"`}>${name === 'p999' ? 'p99.9' : name}</th>`)}${[1, 2].map(() => html`<th scope="col" class="part">p50</th><th scope="col">p99</th>`)}<th scope="col" class="part">p99</th>${hasReasons && html`<th scope="col" class="wide">first reason</th>`}</tr></thead><tbody>${requests.map(
    (row) => outcomeRow(row, hasReasons),
  )}</tbody></table></div></details>`;
}

/** A timeout's response took at least as long as was waited. */
function outcomeRow(
  { route, phase, outcome, count, latencyMs, serviceMs, firstByteMs, queueMs, firstReason }: RequestRow,
  hasReasons: boolean,
): Markup {
  const isCensored = outcome === 'timeout';
  const told = (of: Percentiles | undefined, name: keyof Percentiles) =>
    of === undefined ? '–' : formatMeasured({ ms: of[name], isCensored });
  return html`<tr><th scope="row">${route}, ${phase}, ${outcomeWords[outcome]}</th><td>${formatCount(count)}</td>${names.map(
    (name, index) => html`<td${index === 0 && html` class="part"`}>${told(latencyMs, name)}</td>`,
  )}<td class="part">${told(serviceMs, 'p50')}</td><td>${told(serviceMs, 'p99')}</td>${timeCell(firstByteMs?.p50, 'part')}${timeCell(firstByteMs?.p99)}${timeCell(queueMs?.p99, 'part')}${hasReasons && html`<td class="wide reason">${firstReason}</td>`}</tr>`;
}

/** Fewer than ten of `count` lie above; in whole numbers, since 100 * (1 - 0.9) is a little less than ten. */
const isThin = (count: number, percent: number) => count * Math.round(1_000 - percent * 10) < 10_000;

const countOf = (rows: readonly RequestRow[]) => rows.reduce((sum, { count }) => sum + count, 0);
