import type { RunRecord } from '../../harness/record.ts';
import { formatBytes, formatCount, formatMs, formatShare } from '../format.ts';
import type { Markup } from './markup.ts';
import { html } from './markup.ts';

/** What a reader needs to know before believing the rest: did the generator keep pace, did all spans arrive, on what did this run. */
export function honestySection({ version, scenario, run, generator, spans, leftOut, deaths }: RunRecord): Markup {
  const { machine } = run;
  const made = spans.reduce((sum, span) => sum + span.made, 0);
  const received = spans.reduce((sum, span) => sum + span.received, 0);
  return html`<section id="honesty" aria-labelledby="honesty-title"><h2 id="honesty-title">How far to trust this</h2>
<div class="cards">
${card('Load generator', [
  ['planned', formatCount(generator.planned)],
  ['sent', `${formatCount(generator.sent)} (${formatShare(generator.sent / Math.max(generator.planned, 1))})`],
  ['dropped, too many in flight', formatCount(generator.dropped)],
  ['sent late, p50', formatMs(generator.lagMsP50)],
  ['sent late, p99', formatMs(generator.lagMsP99)],
  ['sent late, max', formatMs(generator.lagMsMax)],
  ['most in flight', formatCount(generator.peakInFlight)],
  ['CPU time', formatMs(generator.cpuMs)],
  ['event loop busy', formatShare(generator.loopUtilization)],
  ['goes before others', generator.priorityRaised ? 'yes' : 'no'],
])}
${card('Run', [
  ['id', run.id],
  ['scenario', scenario.file],
  ['seed', String(run.seed)],
  ['started', run.startedAt],
  ['processes that died', deaths.length === 0 ? 'none' : deaths.map(({ instance, how }) => `${instance} (${how})`).join(', ')],
  ['tuned', (run.tuned ?? []).length === 0 ? 'nothing' : (run.tuned ?? []).join(', ')],
  ['switched off', run.without.length === 0 ? 'nothing' : run.without.join(', ')],
  ['record version', String(version)],
])}
${card('Machine', [
  ['processor', machine.cpu],
  ['cores', String(machine.cores)],
  ['memory', formatBytes(machine.memoryBytes)],
  ['system', machine.platform],
  ['Node.js', machine.node],
])}
<div class="card"><h3>Spans</h3><p class="note">${formatCount(received)} received of ${formatCount(made)} made${leftOut.traces > 0 && `; ${formatCount(leftOut.traces)} traces were too many to keep`}</p><table class="numbers"><thead><tr><th scope="col">process</th><th scope="col">made</th><th scope="col">received</th><th scope="col">lost</th></tr></thead><tbody>${spans.map(
    ({ instance, ...span }) =>
      html`<tr${span.received < span.made && html` class="lost"`}><th scope="row">${instance}</th><td>${formatCount(span.made)}</td><td>${formatCount(span.received)}</td><td>${span.received < span.made && '▲ '}${formatCount(Math.max(span.made - span.received, 0))}</td></tr>`,
  )}</tbody></table></div>
</div>
<p class="download"><button type="button" id="download" hidden data-file="${run.id}.json">Download the record (JSON)</button> <span class="note">The record is inside this file, in the element <code>#record</code>; every number here comes from it.</span></p></section>`;
}

function card(title: string, facts: [string, string][]): Markup {
  return html`<div class="card"><h3>${title}</h3><dl>${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></div>`;
}
