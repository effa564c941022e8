import type { RequestRow, RunRecord } from '../../harness/record.ts';
import { requestOutcomes } from '../../harness/record.ts';
import { formatCount, formatMs, formatShare, outcomeWords } from '../format.ts';
import { colourOfOutcome } from './colours.ts';
import { curves } from './curves.ts';
import type { Distribution } from './distribution.ts';
import { isServed, servedDistribution } from './distribution.ts';
import { percent as percentOf } from './frame.ts';
import type { Markup } from './markup.ts';
import { html } from './markup.ts';
import { routesOf } from './timeline.ts';

const percents = [50, 90, 95, 99];

/** A row for each route and phase, the curves behind it, and each outcome's own percentiles folded away. */
export function percentilesSection(record: RunRecord): Markup {
  const cells = routesOf(record).map((route) => ({
    route,
    phases: record.phases.map(({ name }) => {
      const rows = record.requests.filter((row) => row.route === route && row.phase === name);
      return { phase: name, rows, served: servedDistribution(rows) };
    }),
  }));
  return html`<section id="requests" aria-labelledby="requests-title"><h2 id="requests-title">Requests by route and phase</h2>
<p class="lead">Response times count from the intended start, so waiting for a late generator is included; they are of requests that were served (ok or degraded). Percentiles in grey italics have fewer than ten requests above them.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Requests by route and phase"><table class="numbers">
<thead><tr><th scope="col">phase</th><th scope="col">requests</th><th scope="col">served</th>${percents.map((percent) => html`<th scope="col">p${percent}</th>`)}<th scope="col">max</th><th scope="col" class="wide">outcomes</th></tr></thead>
${cells.map(
  ({ route, phases }) =>
    html`<tbody><tr class="group"><th colspan="9" scope="rowgroup"><span>${route}</span></th></tr>${phases.map(({ phase, rows, served }) => routeRow(phase, rows, served))}</tbody>`,
)}</table></div>
${curves(cells)}
${byOutcome(record.requests)}</section>`;
}

function routeRow(phase: string, rows: RequestRow[], served: Distribution | undefined): Markup {
  const count = countOf(rows);
  if (count === 0) return html`<tr><th scope="row">${phase}</th><td>0</td><td colspan="7"></td></tr>`;
  return html`<tr><th scope="row">${phase}</th><td>${formatCount(count)}</td><td>${formatShare(countOf(rows.filter(isServed)) / count)}</td>
${percents.map((percent) => (served === undefined ? html`<td>–</td>` : html`<td${isThin(served.count, percent) && html` class="thin"`}>${formatMs(served.atShare(percent / 100))}</td>`))}
<td>${served === undefined ? '–' : formatMs(served.maxMs)}</td><td class="wide">${outcomesOf(rows, count)}</td></tr>`;
}

function outcomesOf(rows: RequestRow[], count: number): Markup {
  const present = requestOutcomes
    .map((outcome) => ({ outcome, share: countOf(rows.filter((row) => row.outcome === outcome)) }))
    .filter(({ share }) => share > 0);
  return html`<div class="stack" aria-hidden="true">${present.map(
    ({ outcome, share }) => html`<i style="width:${percentOf(share / count)};--colour:var(--${colourOfOutcome(outcome)})"></i>`,
  )}</div><small>${present.map(({ outcome, share }) => `${outcomeWords[outcome]} ${formatCount(share)}`).join(' · ')}</small>`;
}

function byOutcome(requests: RequestRow[]): Markup {
  return html`<details><summary>Response times of each outcome</summary><div class="scroll" tabindex="0" role="region" aria-label="Response times of each outcome"><table class="numbers">
<thead><tr><th scope="col">route, phase, outcome</th><th scope="col">requests</th><th scope="col">p50</th><th scope="col">p90</th><th scope="col">p95</th><th scope="col">p99</th><th scope="col">p99.9</th><th scope="col">max</th></tr></thead><tbody>${requests.map(
    ({ route, phase, outcome, count, latencyMs }) =>
      html`<tr><th scope="row">${route}, ${phase}, ${outcomeWords[outcome]}</th><td>${formatCount(count)}</td>${(
        ['p50', 'p90', 'p95', 'p99', 'p999', 'max'] as const
      ).map((name) => html`<td>${latencyMs === undefined ? '–' : formatMs(latencyMs[name])}</td>`)}</tr>`,
  )}</tbody></table></div></details>`;
}

/** Fewer than ten of `count` lie above; in whole numbers, since 100 * (1 - 0.9) is a little less than ten. */
const isThin = (count: number, percent: number) => count * (100 - percent) < 1_000;

const countOf = (rows: readonly RequestRow[]) => rows.reduce((sum, { count }) => sum + count, 0);
