import type { GroundPoint, RunRecord } from '../../harness/record.ts';
import { formatBytes, formatCount, formatMoment, formatMs, formatShare } from '../format.ts';
import type { Markup } from './markup.ts';
import { html, unbroken } from './markup.ts';
import { hasMall } from './verdicts.ts';

/** What a reader needs to know before believing the rest: did the generator keep pace, did all spans arrive, on what did this run. */
export function honestySection(record: RunRecord): Markup {
  const { version, scenario, run } = record;
  const { machine } = run;
  const limits = limitsOf(record);
  return html`<section id="honesty" aria-labelledby="honesty-title"><h2 id="honesty-title">How far to trust this</h2>
${limits.length > 0 && html`<h3>What this run cannot tell</h3><ul class="limits">${limits.map((limit) => html`<li>${unbroken(limit)}</li>`)}</ul>`}
<div class="cards">
${card('Load generator', generatorFacts(record))}
${card('Run', [
  ['id', run.id],
  ['scenario', scenario.file],
  ['seed', String(run.seed)],
  ['started', run.startedAt],
  ...(hasMall(record) ? mallFacts(record) : []),
  ['record version', String(version)],
])}
${card('Machine', [
  ['processor', machine.cpu],
  ['cores', String(machine.cores)],
  ['memory', formatBytes(machine.memoryBytes)],
  ['system', machine.platform],
  ['Node.js', machine.node],
  ...machineFacts(record.ground ?? []),
])}
${record.spans.length > 0 && spansCard(record)}
</div>
<p class="download"><button type="button" id="download" hidden data-file="${run.id}.json">Download the record (JSON)</button> <span class="note">The record is inside this file, in the element <code>#record</code>; every number here comes from it.</span></p></section>`;
}

type Fact = [name: string, value: string];

/** In sentences; empty where nothing is in the way. */
function limitsOf({ generator, ground = [], spans, leftOut, requests }: RunRecord): string[] {
  const { dropped, planned, stumbles, priorityRaised, timeoutMs } = generator;
  const timeouts = requests.reduce((sum, { outcome, count }) => (outcome === 'timeout' ? sum + count : sum), 0);
  const lost = spans.reduce((sum, { made, received }) => sum + Math.max(made - received, 0), 0);
  const taken = highest(ground, ({ stealShare = 0, throttledShare = 0 }) => Math.max(stealShare, throttledShare));
  const limits: [boolean, string][] = [
    [
      dropped > 0,
      `How ${formatCount(dropped)} of ${formatCount(planned)} requests would have gone: too many were in flight, or this machine had no socket left, and they were not sent.`,
    ],
    [
      (stumbles?.count ?? 0) > 0,
      `How ${formatCount(stumbles?.count ?? 0)} ${stumbles?.count === 1 ? 'visit' : 'visits'} would have gone on: the journey itself threw, first${inPhase(stumbles?.phases?.[0]?.phase)}: ${stumbles?.first ?? 'unknown'}`,
    ],
    [
      timeouts > 0,
      `How long ${formatCount(timeouts)} requests would have taken: nobody waited longer${timeoutMs === undefined ? '' : ` than ${formatMs(timeoutMs)}`}.`,
    ],
    [
      taken.value > noticeable,
      `How the target does on a machine of its own: up to ${formatShare(taken.value)} of the CPU time went to others (at ${formatMoment(taken.atMs)}).`,
    ],
    [
      !priorityRaised,
      'Latencies below the scheduler’s slices where the cores are busy: the system refused to let the load generator go before others.',
    ],
    [lost > 0, `What ${formatCount(lost)} spans would have said: they were made and never arrived.`],
    [leftOut.traces > 0, `What ${formatCount(leftOut.traces)} traces look like: they were counted and not kept.`],
  ];
  return limits.flatMap(([applies, limit]) => (applies ? [limit] : []));
}

/** Older records do not tell of which phase. */
const inPhase = (phase: string | undefined) => (phase === undefined ? '' : ` in '${phase}'`);

/** A share of CPU time below which nobody asks. */
const noticeable = 0.02;

function generatorFacts({ generator, ground = [] }: RunRecord): Fact[] {
  const { planned, sent, dropped, threads, peakInFlight, peakConnections, stumbles, timeoutMs } = generator;
  return [
    ['planned', formatCount(planned)],
    ['sent', `${formatCount(sent)} (${formatShare(sent / Math.max(planned, 1))})`],
    ['dropped, never sent', formatCount(dropped)],
    ...optional('journeys that threw', stumbles?.count, formatCount),
    ['lag p50', formatMs(generator.lagMsP50)],
    ['lag p99', formatMs(generator.lagMsP99)],
    ['lag max', formatMs(generator.lagMsMax)],
    ['most in flight', formatCount(peakInFlight)],
    ...optional('most connections', peakConnections, formatCount),
    ...optional('visitors wait', timeoutMs, formatMs),
    ...optional('threads', threads, formatCount),
    ['CPU time', formatMs(generator.cpuMs)],
    ['event loop busy', formatShare(generator.loopUtilization)],
    ...optional(
      'in its worst second',
      ground.length === 0 ? undefined : highest(ground, (point) => point.loopUtilization).value,
      formatShare,
    ),
    ['priority raised', generator.priorityRaised ? 'yes' : 'no, the system refused'],
  ];
}

function mallFacts({ run: { tuned = [], without }, deaths }: RunRecord): Fact[] {
  return [
    ['processes that died', deaths.length === 0 ? 'none' : deaths.map(({ instance, how }) => `${instance} (${how})`).join(', ')],
    ['tuned', tuned.length === 0 ? 'nothing' : tuned.join(', ')],
    ['switched off', without.length === 0 ? 'nothing' : without.join(', ')],
  ];
}

/** Of the run no p99 of all hiccups is known, but those of its seconds. */
function machineFacts(ground: readonly GroundPoint[]): Fact[] {
  if (ground.length === 0) return [];
  const worst = (name: string, value: (point: GroundPoint) => number | undefined, format: (value: number) => string): Fact => {
    const known = ground.filter((point) => value(point) !== undefined);
    if (known.length === 0) return [name, 'the system does not tell'];
    const found = highest(known, (point) => value(point) ?? 0);
    return [name, found.value === 0 ? format(0) : `${format(found.value)} at ${formatMoment(found.atMs)}`];
  };
  const p99s = ground.map(({ hiccupMsP99 }) => hiccupMsP99).toSorted((a, b) => a - b);
  return [
    ['hiccup p99, usual second', formatMs(p99s[Math.floor(p99s.length / 2)] ?? 0)],
    worst('hiccup p99, worst second', ({ hiccupMsP99 }) => hiccupMsP99, formatMs),
    worst('longest hiccup', ({ hiccupMsMax }) => hiccupMsMax, formatMs),
    worst('most steal', ({ stealShare }) => stealShare, formatShare),
    worst('most throttled', ({ throttledShare }) => throttledShare, formatShare),
  ];
}

function spansCard({ spans, leftOut }: RunRecord): Markup {
  const made = spans.reduce((sum, span) => sum + span.made, 0);
  const received = spans.reduce((sum, span) => sum + span.received, 0);
  return html`<div class="card"><h3>Spans</h3><p class="note">${formatCount(received)} received of ${formatCount(made)} made${leftOut.traces > 0 && `; ${formatCount(leftOut.traces)} traces were too many to keep`}</p><table class="numbers"><thead><tr><th scope="col">process</th><th scope="col">made</th><th scope="col">received</th><th scope="col">lost</th></tr></thead><tbody>${spans.map(
    ({ instance, ...span }) =>
      html`<tr${span.received < span.made && html` class="lost"`}><th scope="row">${instance}</th><td>${formatCount(span.made)}</td><td>${formatCount(span.received)}</td><td>${span.received < span.made && '▲ '}${formatCount(Math.max(span.made - span.received, 0))}</td></tr>`,
  )}</tbody></table></div>`;
}

/** The point where something was highest. */
function highest(points: readonly GroundPoint[], value: (point: GroundPoint) => number): { value: number; atMs: number } {
  return points.reduce((most, point) => (value(point) > most.value ? { value: value(point), atMs: point.atMs } : most), {
    value: 0,
    atMs: 0,
  });
}

/** Older records do not tell everything. */
const optional = (name: string, value: number | undefined, format: (value: number) => string): Fact[] =>
  value === undefined ? [] : [[name, format(value)]];

function card(title: string, facts: Fact[]): Markup {
  return html`<div class="card"><h3>${title}</h3><dl>${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></div>`;
}
