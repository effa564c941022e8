import type { EffectRecord, FaultRecord, ImpactRecord, RunRecord } from '../../harness/record.ts';
import { formatCount, formatMoment, formatMs, formatShare } from '../format.ts';
import { html, type Markup, unbroken } from './markup.ts';

/** Whether each fault was felt, what it broke, and for how long. Nothing where there was no fault. */
export function impactSection({ faults }: RunRecord): Markup | undefined {
  if (faults.length === 0) return undefined;
  const groups = bySentence(faults);
  return html`<section id="impact" aria-labelledby="impact-title"><h2 id="impact-title">What broke, and for how long</h2>
<p class="lead">${summary(faults)}</p>
<p class="note">First error and refusal count from the fault's acknowledgement, last error and the way back from its end. Latencies are of calls that went well.</p>
${groups.map(([first, ...again]) => html`${faultCard(first)}${again.length > 0 && repetitions(again)}`)}
</section>`;
}

/** A fault that comes again and again is told once in full. */
function bySentence(faults: readonly FaultRecord[]): [FaultRecord, ...FaultRecord[]][] {
  const groups = new Map<string, [FaultRecord, ...FaultRecord[]]>();
  for (const fault of faults) {
    const group = groups.get(`${fault.phase} ${fault.sentence}`);
    if (group === undefined) groups.set(`${fault.phase} ${fault.sentence}`, [fault]);
    else group.push(fault);
  }
  return [...groups.values()];
}

function summary(faults: readonly FaultRecord[]): string {
  const unfelt = faults.filter(({ effects }) => effects.some(({ felt }) => felt === undefined)).length;
  const stuck = new Set(faults.flatMap(({ impacts }) => impacts.flatMap(({ edge, recovered }) => (recovered === 'no' ? [edge] : []))));
  return [
    `${formatCount(faults.length)} ${faults.length === 1 ? 'time' : 'times'} a fault was on`,
    unfelt === 0 ? 'each was felt' : `${formatCount(unfelt)} of them not everywhere felt`,
    stuck.size === 0 ? undefined : `${[...stuck].join(', ')} did not come back`,
  ]
    .filter((part) => part !== undefined)
    .join(' · ');
}

function faultCard(fault: FaultRecord): Markup {
  const { phase, sentence, askedMs, fromMs, untilMs, effects, idle, impacts } = fault;
  return html`<article class="impact"><h3>${unbroken(sentence)}</h3>
<p class="note">in ${phase} · asked for at ${formatMoment(askedMs)}, acknowledged ${formatMs(fromMs - askedMs)} later, on for ${formatMs(untilMs - fromMs)}${
    idle.length > 0 && html` · <b>no call of the mall on ${unbroken(idle.join(', '))}</b>`
  }</p>
<ul class="effects">${effects.map((effect) => html`<li>${effectLine(effect, fault)}</li>`)}</ul>
${impacts.length > 0 && impactTable(impacts)}</article>`;
}

function effectLine({ place, felt, goneAtMs, doubt }: EffectRecord, { askedMs, untilMs }: FaultRecord): Markup {
  const seen =
    felt === undefined
      ? html`<b class="trouble">▲ not felt</b>${doubt !== undefined && `: ${doubt}`}`
      : html`felt after ${formatMs(Math.max(0, felt.atMs - askedMs))}: ${felt.sign}`;
  // It may be gone a moment before the server says so.
  const gone =
    goneAtMs === undefined
      ? html`<b class="trouble">▲ not seen to be gone</b>`
      : `gone ${formatMs(Math.max(0, goneAtMs - untilMs))} after its end`;
  return html`${unbroken(place)} <span>${seen}${(felt !== undefined || goneAtMs === undefined) && html` · ${gone}`}</span>`;
}

function impactTable(impacts: readonly ImpactRecord[]): Markup {
  return html`<div class="scroll"><table class="numbers"><thead><tr><th scope="col">edge</th><th scope="col">wanted</th><th scope="col">failed</th><th scope="col">refused</th><th scope="col">sent per wanted</th><th scope="col">first error</th><th scope="col">first refusal</th><th scope="col">p95 before, during, after</th><th scope="col">last error</th><th scope="col">back</th></tr></thead><tbody>${impacts.map(
    (impact) => html`<tr><th scope="row">${unbroken(impact.edge)}</th>
<td>${formatCount(impact.wanted)}</td><td>${shareOf(impact.failed, impact)}</td><td>${shareOf(impact.refused, impact)}</td><td>${impact.amplification === undefined ? '–' : impact.amplification.toFixed(2)}</td>
<td>${after(impact.firstErrorAfterMs)}</td><td>${after(impact.firstRefusalAfterMs)}</td>
<td>${[impact.latencyMsP95.before, impact.latencyMsP95.during, impact.latencyMsP95.after].map((ms) => (ms === undefined ? '–' : formatMs(ms))).join(' · ')}</td>
<td>${after(impact.lastErrorAfterMs)}</td><td${impact.recovered === 'no' && html` class="trouble"`}>${back(impact)}</td></tr>`,
  )}</tbody></table></div>`;
}

function back({ recovered, calmAfterMs = 0, watchedMs, troubledShareAfter = 0 }: ImpactRecord): string {
  switch (recovered) {
    case 'yes':
      return calmAfterMs === 0 ? 'at once' : `after ${formatMs(calmAfterMs)}`;
    case 'no':
      return `▲ not in ${formatMs(watchedMs)}, ${formatShare(troubledShareAfter)} in trouble`;
    case 'unknown':
      return 'unknown';
    default:
      return recovered satisfies never;
  }
}

/** Every other time that a fault was on, in a line each. */
function repetitions(again: readonly FaultRecord[]): Markup {
  return html`<details class="again"><summary>${formatCount(again.length)} more ${again.length === 1 ? 'time' : 'times'}</summary><ul>${again.map(
    ({ fromMs, untilMs, effects, impacts }) => {
      const unfelt = effects.filter(({ felt }) => felt === undefined).map(({ place }) => place);
      const stuck = impacts.filter(({ recovered }) => recovered === 'no').map(({ edge }) => edge);
      return html`<li>${formatMoment(fromMs)}–${formatMoment(untilMs)} ${unfelt.length === 0 ? 'felt' : html`<b class="trouble">▲ not felt</b> on ${unbroken(unfelt.join(', '))}`}${stuck.length > 0 && html` · ${unbroken(stuck.join(', '))} did not come back`}</li>`;
    },
  )}</ul></details>`;
}

const after = (ms: number | undefined) => (ms === undefined ? 'none' : formatMs(Math.max(0, ms)));
const shareOf = (count: number, { wanted, sent, refused }: ImpactRecord) =>
  count === 0 ? '0' : `${formatCount(count)} (${formatShare(count / Math.max(1, wanted, sent + refused))})`;
