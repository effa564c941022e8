import type {
  EffectRecord,
  FaultRecord,
  HarmRecord,
  ImpactRecord,
  RequestOutcome,
  RouteImpactRecord,
  RunRecord,
} from '../../harness/record.ts';
import { formatCount, formatMoment, formatMs, formatShare, outcomeWords } from '../format.ts';
import { html, type Markup, unbroken } from './markup.ts';

/** Whether each fault was felt, what it broke, and for how long. Nothing where there was no fault. */
export function impactSection({ faults }: RunRecord): Markup | undefined {
  if (faults.length === 0) return undefined;
  const groups = bySentence(faults);
  const inFull = worstOf(groups);
  const rest = groups.filter((group) => !inFull.has(group)).flat();
  return html`<section id="impact" aria-labelledby="impact-title"><h2 id="impact-title">What broke, and for how long</h2>
<p class="lead">${summary(faults)}</p>
<p class="note">First error and refusal count from the fault's acknowledgement, last error and the way back from its end. Latencies are of calls that went well. What shoppers had of it is known to the second.</p>
${groups.filter((group) => inFull.has(group)).map(([first, ...again]) => html`${faultCard(first)}${again.length > 0 && folded(again, again.length === 1 ? 'more time' : 'more times')}`)}
${rest.length > 0 && folded(rest, 'more, none of them worse')}</section>`;
}

type Group = [FaultRecord, ...FaultRecord[]];

/** A fault that comes again and again is told once in full. */
function bySentence(faults: readonly FaultRecord[]): Group[] {
  const groups = new Map<string, Group>();
  for (const fault of faults) {
    const group = groups.get(`${fault.phase} ${fault.sentence}`);
    if (group === undefined) groups.set(`${fault.phase} ${fault.sentence}`, [fault]);
    else group.push(fault);
  }
  return [...groups.values()];
}

/** Of a storm those are told in full that leave the most to ask. */
function worstOf(groups: readonly Group[]): ReadonlySet<Group> {
  const worry = (group: Group) => Math.max(...group.map((fault) => 2 * stuckOf(fault).length + unfeltOf(fault).length));
  return new Set(groups.toSorted((a, b) => worry(b) - worry(a)).slice(0, mostInFull));
}

const mostInFull = 12;

function summary(faults: readonly FaultRecord[]): string {
  const unfelt = faults.filter((fault) => unfeltOf(fault).length > 0).length;
  const stuck = [...new Set(faults.flatMap(stuckOf))];
  return [
    `${formatCount(faults.length)} ${faults.length === 1 ? 'time' : 'times'} a fault was on`,
    unfelt === 0 ? 'each was felt' : `${formatCount(unfelt)} of them not everywhere felt`,
    stuck.length === 0 ? undefined : `${stuck.join(', ')} did not come back`,
  ]
    .filter((part) => part !== undefined)
    .join(' · ');
}

const unfeltOf = ({ effects }: FaultRecord) => effects.filter(({ felt }) => felt === undefined);
const stuckOf = ({ impacts, routes }: FaultRecord) => [
  ...impacts.filter(isStuck).map(({ edge }) => edge),
  ...routes.filter(isStuck).map(({ route }) => route),
];
const isStuck = ({ recovered }: HarmRecord) => recovered === 'no';

function faultCard(fault: FaultRecord): Markup {
  const { phase, sentence, places, askedMs, fromMs, untilMs, effects, idle, impacts, alsoHurt, routes } = fault;
  const spanless = places.filter(isSpanless);
  return html`<article class="impact"><h3>${unbroken(sentence)}</h3>
<p class="note">in ${phase} · asked for at ${formatMoment(askedMs)}, acknowledged ${formatMs(fromMs - askedMs)} later, on for ${formatMs(untilMs - fromMs)}${
    effects.length === 0 && html` · on ${unbroken(places.join(', '))}, not watched`
  }${idle.length > 0 && html` · <b>no call of the mall on ${unbroken(idle.join(', '))}</b>`}</p>
<ul class="effects">${effects.map((effect) => html`<li>${effectLine(effect, fault)}</li>`)}</ul>
${spanless.length > 0 && html`<p class="note">Unknown: what it broke on ${unbroken(spanless.join(', '))}, for these calls leave no spans.</p>`}
${(impacts.length > 0 || routes.length > 0) && impactTable(impacts, routes)}
${alsoHurt.length > 0 && html`<p class="note">Hurt as well, though less: ${unbroken(alsoHurt.join(', '))}.</p>`}
${routes.map(({ route, outcomes }) => troubles(route, outcomes))}</article>`;
}

function effectLine({ place, felt, goneAtMs, doubt }: EffectRecord, fault: FaultRecord): Markup {
  const seen =
    felt === undefined
      ? html`<b class="trouble">▲ not felt</b>${doubt !== undefined && `: ${doubt}`}`
      : html`felt after ${feltAfter(felt, fault)}: ${felt.sign}`;
  const gone =
    goneAtMs === undefined ? html`<b class="trouble">▲ not seen to be gone</b>` : `gone ${goneAfter(goneAtMs, fault)} after its end`;
  return html`${unbroken(place)} <span>${seen}${(felt !== undefined || goneAtMs === undefined) && html` · ${gone}`}</span>`;
}

const feltAfter = ({ atMs }: { atMs: number }, { askedMs }: FaultRecord) => formatMs(Math.max(0, atMs - askedMs));
/** It may be gone a moment before the server says so. */
const goneAfter = (goneAtMs: number, { untilMs }: FaultRecord) => formatMs(Math.max(0, goneAtMs - untilMs));

function impactTable(impacts: readonly ImpactRecord[], routes: readonly RouteImpactRecord[]): Markup {
  const edgeRow = ({ edge, sent, amplification, ...harm }: ImpactRecord) =>
    impactRow(edge, harm, { total: Math.max(harm.wanted, sent + harm.refused), amplification, timed: formatMs });
  return html`<div class="scroll"><table class="numbers"><thead><tr><th scope="col">edge or route</th><th scope="col" class="wide">back</th><th scope="col">wanted</th><th scope="col">failed</th><th scope="col">refused</th><th scope="col">sent per wanted</th><th scope="col">first error</th><th scope="col">first refusal</th><th scope="col">p95 before, during, after</th><th scope="col">last error</th></tr></thead>
${impacts.length > 0 && html`<tbody>${impacts.map(edgeRow)}</tbody>`}
${routes.length > 0 && html`<tbody class="routes">${routes.map(({ route, ...harm }) => impactRow(route, harm, { total: harm.wanted, timed: toTheSecond }))}</tbody>`}</table></div>`;
}

function impactRow(
  name: string,
  harm: HarmRecord,
  { total, amplification, timed }: { total: number; amplification?: number | undefined; timed: Timed },
): Markup {
  const { before, during, after } = harm.latencyMsP95;
  const time = (ms: number | undefined, bound: Bound) => (ms === undefined ? 'none' : timed(ms, bound));
  return html`<tr><th scope="row">${unbroken(name)}</th><td class="${isStuck(harm) ? 'wide trouble' : 'wide'}">${back(harm, timed)}</td>
<td>${formatCount(harm.wanted)}</td><td>${countOf(harm.failed, total)}</td><td>${countOf(harm.refused, total)}</td><td>${amplification === undefined ? '–' : amplification.toFixed(2)}</td>
<td>${time(harm.firstErrorAfterMs, 'from')}</td><td>${time(harm.firstRefusalAfterMs, 'from')}</td>
<td>${[before, during, after].map((ms) => (ms === undefined ? '–' : formatMs(ms))).join(' · ')}</td>
<td>${time(harm.lastErrorAfterMs, 'until')}</td></tr>`;
}

type Bound = 'from' | 'until';
type Timed = (ms: number, bound: Bound) => string;
/** The first of something is known by the start of its second, the last by the end of it. */
const toTheSecond: Timed = (ms, bound) => `≤ ${formatMs((bound === 'from' ? Math.floor(ms / 1_000) + 1 : Math.ceil(ms / 1_000)) * 1_000)}`;

function back({ recovered, calmAfterMs = 0, watchedMs, troubledShareAfter = 0 }: HarmRecord, timed: Timed): string {
  switch (recovered) {
    case 'yes':
      return calmAfterMs === 0 ? 'at once' : `after ${timed(calmAfterMs, 'until')}`;
    case 'no':
      return `▲ not in ${formatMs(watchedMs)}, ${formatShare(troubledShareAfter)} in trouble`;
    case 'unknown':
      return 'unknown';
    default:
      return recovered satisfies never;
  }
}

/** How the requests ended that got no good answer, the most frequent first. */
function troubles(route: string, outcomes: RouteImpactRecord['outcomes']): Markup | undefined {
  const counts = (Object.entries(outcomes) as [RequestOutcome, number][]).sort(([, a], [, b]) => b - a);
  if (counts.length === 0) return undefined;
  return html`<p class="note">${route}: ${counts.map(([outcome, count]) => `${formatCount(count)} ${outcomeWords[outcome]}`).join(' · ')}</p>`;
}

/** A line for each time that a fault was on. */
function folded(faults: readonly FaultRecord[], words: string): Markup {
  const isOne = new Set(faults.map(({ sentence }) => sentence)).size === 1;
  return html`<details class="again"><summary>${formatCount(faults.length)} ${words}</summary><div class="scroll"><table class="numbers"><thead><tr><th scope="col">acknowledged</th>${!isOne && html`<th scope="col" class="wide">fault</th>`}<th scope="col">on for</th><th scope="col">felt after</th><th scope="col">gone after</th><th scope="col" class="wide">what it broke</th></tr></thead><tbody>${faults.map(
    (
      fault,
    ) => html`<tr><th scope="row">${formatMoment(fault.fromMs)}</th>${!isOne && html`<td class="wide">${unbroken(fault.sentence)}</td>`}<td>${formatMs(fault.untilMs - fault.fromMs)}</td>
<td>${feltLine(fault)}</td><td>${goneLine(fault)}</td><td class="wide">${brokeLine(fault)}</td></tr>`,
  )}</tbody></table></div></details>`;
}

/** Until it was felt everywhere. */
function feltLine(fault: FaultRecord): Markup | string {
  if (unfeltOf(fault).length > 0) return html`<b class="trouble">▲ not felt</b>`;
  const last = fault.effects.flatMap(({ felt }) => felt ?? []).sort((a, b) => b.atMs - a.atMs)[0];
  return last === undefined ? '–' : feltAfter(last, fault);
}

function goneLine(fault: FaultRecord): Markup | string {
  if (fault.effects.some(({ goneAtMs }) => goneAtMs === undefined)) return html`<b class="trouble">▲ not seen</b>`;
  return fault.effects.length === 0 ? '–' : goneAfter(Math.max(...fault.effects.map(({ goneAtMs = 0 }) => goneAtMs)), fault);
}

function brokeLine(fault: FaultRecord): Markup {
  const { impacts, routes, alsoHurt } = fault;
  const hurt = [
    ...impacts.filter(isHarmed).map(({ edge, ...harm }) => ({ name: edge, timed: formatMs, ...harm })),
    ...routes.filter(isHarmed).map(({ route, ...harm }) => ({ name: route, timed: toTheSecond, ...harm })),
  ];
  if (hurt.length === 0) return nothingBroke(fault);
  return html`${hurt.map(
    (harm, index) =>
      html`${index > 0 && ', '}${unbroken(harm.name)} ${isStuck(harm) ? html`<b class="trouble">▲ not back in ${formatMs(harm.watchedMs)}</b>` : harm.recovered === 'unknown' ? '(way back unknown)' : `(back ${back(harm, harm.timed)})`}`,
  )}${alsoHurt.length > 0 && `, and ${formatCount(alsoHurt.length)} more`}`;
}

/** What nobody could have seen is not told as if it had not been. */
function nothingBroke({ places, idle, impacts, routes }: FaultRecord): Markup {
  if (places.some(isSpanless) || impacts.length + routes.length === 0) return html`unknown`;
  return idle.length > 0 ? html`no call on ${unbroken(idle.join(', '))}` : html`nothing failed`;
}

const isSpanless = (place: string) => /->(etcd|otlp)$/.test(place);
const isHarmed = ({ failed, refused, recovered }: HarmRecord) => failed + refused > 0 || recovered === 'no';
const countOf = (count: number, total: number) =>
  count === 0 ? '0' : `${formatCount(count)} (${formatShare(count / Math.max(1, total))})`;
