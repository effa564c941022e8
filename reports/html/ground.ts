import type { RunRecord } from '../../harness/record.ts';
import { formatCount, formatMoment } from '../format.ts';
import { axis, percent } from './frame.ts';
import type { Markup } from './markup.ts';
import { html } from './markup.ts';
import type { Ground } from './panel.ts';
import type { Timeline } from './scale.ts';
import { timeline } from './scale.ts';
import { hasMall } from './verdicts.ts';

/** At most this much of what happened before the first and after the last phase is shown. */
const marginMs = 15_000;

/** Those of a storm after these are folded away. */
const mostLanes = 12;

/** The shared axis of a record, and the bands that every panel has behind its lines. */
export function groundOf(record: RunRecord): Ground {
  const time = timeline(stretchOf(record));
  const seconds: number[] = [];
  for (let second = time.fromMs; second < time.untilMs; second += 1_000) seconds.push(second);
  return { time, seconds, bands: html`${faultBands(record, time)}${phaseBands(record, time)}` };
}

/** The phases with their load over the axis; it stays in sight while the panels scroll by. What has no room is left out, the longest first. */
export function phaseStrip(record: RunRecord, { time }: Ground): Markup {
  const { phases } = record;
  const who = hasMall(record) ? 'shoppers' : 'visitors';
  return html`<div class="phase-strip frame"><div class="values"></div><div class="plot"><ol>${phases.map(
    ({ name, fromMs, untilMs, load, ...rates }) => {
      const rate = rateOf(rates);
      const told = rate?.replace('/s', ` ${who}/s`);
      return html`<li style="${placed(time, fromMs, untilMs)}" title="${name}: ${load}${told !== undefined && `, ${told}`}"><b>${name}</b>${rate !== undefined && load !== rate && html` <small>${told}</small>`} <span>${load}</span></li>`;
    },
  )}</ol></div><div class="ends"></div>${axis(time)}</div>`;
}

/** A row for each fault: its letter, what it is, when, and a bar where it lies. */
export function faultLanes(record: RunRecord, { time }: Ground): Markup | undefined {
  const faults = byStart(record);
  if (faults.length === 0) return undefined;
  const lanes = faults.map(
    (
      { sentence, fromMs, untilMs },
      index,
    ) => html`<li><p><b class="letter">${letterOf(index)}</b> ${sentence} <small>${formatMoment(fromMs)}–${formatMoment(untilMs)}</small></p>
<div class="frame"><div class="values"></div><div class="plot"><i style="${placed(time, fromMs, untilMs)}"></i></div><div class="ends"></div></div></li>`,
  );
  const [shown, folded] = [lanes.slice(0, mostLanes), lanes.slice(mostLanes)];
  return html`<ol class="faults" aria-label="Faults">${shown}</ol>${
    folded.length > 0 &&
    html`<details class="again"><summary>${formatCount(folded.length)} more faults</summary><ol class="faults" aria-label="More faults">${folded}</ol></details>`
  }`;
}

function stretchOf({ phases, timeline: points }: RunRecord): { fromMs: number; untilMs: number } {
  const startMs = phases[0]?.fromMs ?? 0;
  const endMs = phases.at(-1)?.untilMs ?? 0;
  const seen = points.map(({ atMs }) => wholeSecond(atMs));
  return {
    fromMs: wholeSecond(
      Math.max(
        startMs - marginMs,
        seen.reduce((a, b) => Math.min(a, b), startMs),
      ),
    ),
    untilMs: Math.min(
      endMs + marginMs,
      seen.reduce((a, b) => Math.max(a, b + 1_000), endMs),
    ),
  };
}

const phaseBands = ({ phases }: RunRecord, time: Timeline) =>
  phases.map(({ fromMs, untilMs }) => html`<i class="phase-band" style="${placed(time, fromMs, untilMs)}"></i>`);

/** Letters of faults that begin at nearly the same time stand side by side. */
function faultBands(record: RunRecord, time: Timeline): Markup[] {
  return byStart(record).map(({ fromMs, untilMs }, index, faults) => {
    const beside = faults.slice(0, index).filter((other) => Math.abs(time.at(other.fromMs) - time.at(fromMs)) < 0.05).length;
    return html`<i class="fault-band" style="${placed(time, fromMs, untilMs)};--beside:${beside}"><b>${letterOf(index)}</b></i>`;
  });
}

function placed(time: Timeline, fromMs: number, untilMs: number): Markup {
  return html`left:${percent(time.at(fromMs))};width:${percent(time.at(untilMs) - time.at(fromMs))}`;
}

/** Where the rate begins and ends; where it goes up and down on the way, its lowest and highest. A crowd has none. */
function rateOf({
  shoppersPerSecondFrom: from,
  shoppersPerSecondTo: to,
  stages,
}: Pick<RunRecord['phases'][number], 'shoppersPerSecondFrom' | 'shoppersPerSecondTo' | 'stages'>): string | undefined {
  if (stages !== undefined && stages.length !== 1) {
    const rates = stages.flatMap(({ fromPerSecond, toPerSecond }) => [fromPerSecond, toPerSecond]);
    return rates.length === 0 ? undefined : `${formatCount(Math.min(...rates))} – ${formatCount(Math.max(...rates))}/s`;
  }
  return from === to ? `${formatCount(from)}/s` : `${formatCount(from)} → ${formatCount(to)}/s`;
}

const byStart = ({ faults }: RunRecord) => faults.toSorted((a, b) => a.fromMs - b.fromMs);
const letterOf = (index: number) => String.fromCharCode(65 + (index % 26));
export const wholeSecond = (atMs: number) => Math.floor(atMs / 1_000) * 1_000;
