import type { Outcome, RunRecord } from '../../harness/record.ts';
import { formatCount, formatMoment, formatMs, formatShare, verdictWords } from '../format.ts';
import { isServed } from './distribution.ts';
import type { Markup } from './markup.ts';
import { html, trusted, unbroken } from './markup.ts';

/** What was found, why, and under which circumstances. */
export function headerSection(record: RunRecord): Markup {
  const { scenario, run, outcome, why, capacity, phases, mall, target, visitors, aborted } = record;
  const lastedMs = (phases.at(-1)?.untilMs ?? 0) - (phases[0]?.fromMs ?? 0);
  const facts: [string, string][] = [
    ['When', `${run.startedAt.slice(0, 16).replace('T', ' ')} UTC`],
    ['Lasted', `${formatMs(lastedMs)} in ${counted(phases.length, 'phase')}`],
    ['Machine', `${counted(run.machine.cores, 'core')}, ${run.machine.cpu}`],
    ...(capacity === undefined ? [] : ([['Capacity', capacityOf(capacity)]] as [string, string][])),
    ...(hasMall(record) ? ([['Mall', mallOf(mall)]] as [string, string][]) : []),
    ...(target === undefined ? [] : ([['Target', targetOf(target)]] as [string, string][])),
    ...(visitors === undefined ? [] : ([['Visitors', visitors]] as [string, string][])),
    ['Requests', requestsOf(record)],
    ...(run.without.length === 0 ? [] : ([['Switched off', run.without.join(', ')]] as [string, string][])),
    ...((run.tuned ?? []).length === 0 ? [] : ([['Tuned', (run.tuned ?? []).join(', ')]] as [string, string][])),
    ['Steps', run.steps.map(({ title, tookMs }) => `${title} ${formatMs(tookMs)}`).join(' · ')],
  ];
  return html`<header class="verdict ${outcome}">
<div class="banner">${shapeOf(outcome)}<div><p class="outcome">${verdictWords[outcome].run}</p><h1>${scenario.name}</h1></div></div>
<p class="why">${unbroken(why)}</p>
${aborted !== undefined && html`<p class="aborted">▲ Aborted at ${formatMoment(aborted.atMs)}: what should have come after was not played.</p>`}
<p class="story">${scenario.story}</p>
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
</header>`;
}

/** A scenario may point at a target of its own instead, of which nothing is known but its answers. */
export const hasMall = ({ mall }: Pick<RunRecord, 'mall'>) => Object.keys(mall.replicas).length > 0;

/** Every expectation with what was observed, phase by phase. Nothing where nothing was expected. */
export function verdictsSection({ verdicts, phases }: RunRecord): Markup | undefined {
  if (verdicts.length === 0) return undefined;
  const groups = [...phases.map(({ name }) => name), null].map((phase) => ({
    phase,
    group: verdicts.filter((verdict) => verdict.phase === phase),
  }));
  const count = (outcome: Outcome) => verdicts.filter((verdict) => verdict.outcome === outcome).length;
  const counts = (['met', 'missed', 'unknown'] as const).filter((outcome) => count(outcome) > 0);
  return html`<section id="verdicts" aria-labelledby="verdicts-title"><h2 id="verdicts-title">Expectations</h2>
<p class="lead">${counts.map((outcome, index) => html`${index > 0 && ' · '}${count(outcome)} ${verdictWords[outcome].verdict}`)}</p>
<table class="verdicts"><thead><tr><th scope="col">outcome</th><th scope="col">expected</th><th scope="col">observed</th></tr></thead>
${groups
  .filter(({ group }) => group.length > 0)
  .map(
    ({ phase, group }) =>
      html`<tbody><tr class="group"><th colspan="3" scope="rowgroup">${phase ?? 'always'}</th></tr>${group.map(
        ({ outcome, sentence, observed }) =>
          html`<tr class="${outcome}"><td class="mark">${shapeOf(outcome)} ${verdictWords[outcome].verdict}</td><td>${unbroken(sentence)}</td><td class="observed">${unbroken(observed)}</td></tr>`,
      )}</tbody>`,
  )}</table></section>`;
}

/** A circle, an octagon, a diamond: told apart without colour. */
function shapeOf(outcome: Outcome): Markup {
  const drawings: Record<Outcome, string> = {
    met: '<circle cx="12" cy="12" r="11"/><path d="M6.5 12.5l3.8 3.8 7.2-8"/>',
    missed: '<path class="body" d="M7.4 1h9.2L23 7.4v9.2L16.6 23H7.4L1 16.6V7.4z"/><path d="M8 8l8 8M16 8l-8 8"/>',
    unknown: '<path class="body" d="M12 .5L23.5 12 12 23.5.5 12z"/><path d="M9.3 9.6c0-3.6 5.4-3.6 5.4 0 0 1.9-2.7 2-2.7 4M12 16.6v.6"/>',
  };
  return trusted(`<svg class="shape ${outcome}" viewBox="0 0 24 24" aria-hidden="true">${drawings[outcome]}</svg>`);
}

function requestsOf({ requests, generator }: RunRecord): string {
  const served = requests.filter(isServed).reduce((sum, { count }) => sum + count, 0);
  return `${formatCount(generator.planned)} planned, ${formatShare(served / Math.max(generator.planned, 1))} served`;
}

const mallOf = ({ replicas }: RunRecord['mall']) =>
  Object.entries(replicas)
    .map(([service, count]) => (count === 1 ? service : `${service} × ${count}`))
    .join(', ');

const targetOf = ({ address, proto = [] }: NonNullable<RunRecord['target']>) => [address, ...proto].join(', ');

function capacityOf(capacity: NonNullable<RunRecord['capacity']>): string {
  const { shoppersPerSecond, requestsPerSecond, connections, measuredMs, takenPerSecond } = capacity;
  const found = `${formatCount(shoppersPerSecond)} shoppers/s, ${formatCount(requestsPerSecond)} requests/s (${counted(connections, 'connection')}, ${formatMs(measuredMs)})`;
  return takenPerSecond === shoppersPerSecond
    ? `1x is ${found}`
    : `1x was set to ${formatCount(takenPerSecond)} shoppers/s; found ${found}`;
}

const counted = (count: number, noun: string) => `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
