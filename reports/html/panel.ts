import { formatMoment } from '../format.ts';
import { frame, linePath, plotWidth, rounded, stretchesOf } from './frame.ts';
import type { Markup } from './markup.ts';
import { embedded, html, trusted } from './markup.ts';
import type { Scale, Timeline } from './scale.ts';

/** A run of values, one for each second of the timeline; `undefined` where nothing is known. */
export type Series = {
  name: string;
  /** A custom property of the style sheet, without its dashes. */
  colour: string;
  values: (number | undefined)[];
  /** A column fills the whole of its second. */
  drawn?: 'line' | 'dashed' | 'columns';
  /** In place of the formatted value, for those seconds that have one here. */
  told?: (string | undefined)[];
  /** In the legend of a stack, after the name. */
  total?: string;
};

/** What every panel of the timeline shares: one axis, its seconds, and the bands of phases and faults that lie behind it. */
export type Ground = { time: Timeline; seconds: number[]; bands: Markup };

type Panel = {
  title: string;
  note?: string;
  /** In a sentence, for those who do not see it. */
  summary: string;
  /** Numbers of the routes it is shown for; without, it always is. */
  shownFor?: string;
  heightPx: number;
  y: Scale;
  format: (value: number) => string;
  shape: 'lines' | 'stack';
  series: Series[];
  /** Seconds with a band behind them that catches the eye. */
  suspect?: boolean[];
  /** A strip over the plot that marks some of the seconds. */
  lane?: { label: string; colour: string; marked: boolean[] };
};

/** One panel of the timeline; its values also lie beside it as text, for the crosshair to tell. */
export function panel(
  ground: Ground,
  { title, note, summary, shownFor, heightPx, y, format, shape, series, suspect, lane }: Panel,
): Markup {
  const drawing =
    shape === 'stack'
      ? stack(ground, y, heightPx, series)
      : series.map((one) => (one.drawn === 'columns' ? stack(ground, y, heightPx, [one]) : line(ground, y, heightPx, one)));
  const told = {
    title,
    series: series.map(({ name, colour, values, told = [] }) => ({
      name,
      colour,
      values: values.map((value, index) => told[index] ?? (value === undefined || (shape === 'stack' && value === 0) ? '' : format(value))),
    })),
  };
  return html`<figure class="panel"${shownFor !== undefined && html` data-routes="${shownFor}"`} aria-label="${title}: ${summary}">
<figcaption><h3>${title}</h3>${note !== undefined && html`<p class="note">${note}</p>`}${shape === 'stack' && legend(series)}</figcaption>
${lane && strip(ground, lane)}${frame({
  heightPx,
  x: ground.time,
  y,
  drawing: html`${drawing}`,
  behind: html`${ground.bands}${suspect && suspectBands(ground, suspect)}`,
  ends: shape === 'lines' ? series.flatMap((one) => endOf(one, y)) : [],
  attributes: trusted(' tabindex="0" data-told'),
})}<script type="application/json">${embedded(told)}</script></figure>`;
}

/** Swatches with names, in the order of the stack from its ground up. */
export function legend(series: Pick<Series, 'name' | 'colour' | 'total'>[]): Markup {
  return html`<ul class="legend">${series.map(
    ({ name, colour, total }) =>
      html`<li><i style="--colour:var(--${colour})"></i>${name}${total !== undefined && html` <b>${total}</b>`}</li>`,
  )}</ul>`;
}

/** Neighbours make one band. */
function suspectBands({ time, seconds }: Ground, suspect: boolean[]): Markup[] {
  return stretchesOf(seconds.map((second, index) => (suspect[index] === true ? second : undefined))).map((stretch) => {
    const left = time.at(stretch[0] ?? 0) * 100;
    return html`<i class="suspect-band" style="left:${rounded(left)}%;width:${rounded(time.at((stretch.at(-1) ?? 0) + 1_000) * 100 - left)}%"></i>`;
  });
}

function line({ time, seconds }: Ground, y: Scale, heightPx: number, { colour, values, drawn = 'line' }: Series): Markup {
  const points = seconds.map((second, index) => {
    const value = values[index];
    return value === undefined ? undefined : ([time.at(second + 500) * plotWidth, (1 - y.at(value)) * heightPx] as const);
  });
  return html`<path class="${drawn}" style="--colour:var(--${colour})" d="${linePath(points)}"/>`;
}

/** Each second is a step, so that a column's height is that second's number and nothing is smoothed away. */
function stack({ time, seconds }: Ground, y: Scale, heightPx: number, series: Series[]): Markup[] {
  const grounds = seconds.map(() => 0);
  return series.map(({ colour, values }) => {
    const columns = seconds.map((second, index) => {
      const value = values[index] ?? 0;
      const base = grounds[index] ?? 0;
      grounds[index] = base + value;
      if (value === 0) return undefined;
      const edge = (share: number) => rounded((1 - y.at(share)) * heightPx);
      return {
        left: rounded(time.at(second) * plotWidth),
        right: rounded(time.at(second + 1_000) * plotWidth),
        top: edge(base + value),
        bottom: edge(base),
      };
    });
    const outline = stretchesOf(columns).map((stretch) => {
      const there = stretch.map(({ left, right, top }) => `${left} ${top}H${right}`).join('L');
      const back = stretch.toReversed().map(({ left, right, bottom }) => `${right} ${bottom}H${left}`);
      return `M${there}L${back.join('L')}Z`;
    });
    return html`<path class="layer" style="--colour:var(--${colour})" d="${outline.join('')}"/>`;
  });
}

function endOf({ name, colour, values, drawn = 'line' }: Series, y: Scale) {
  const last = values.findLast((value) => value !== undefined);
  return last === undefined ? [] : [{ name, colour, drawn, at: y.at(last) }];
}

function strip({ time, seconds }: Ground, { label, colour, marked }: NonNullable<Panel['lane']>): Markup {
  const stretches = stretchesOf(seconds.map((second, index) => (marked[index] === true ? second : undefined)));
  return html`<div class="frame lane"><div class="values" aria-hidden="true"><span>${label}</span></div><div class="plot">${stretches.map(
    (stretch) => {
      const fromMs = stretch[0] ?? 0;
      const untilMs = (stretch.at(-1) ?? 0) + 1_000;
      const left = time.at(fromMs) * 100;
      return html`<i title="${label} ${formatMoment(fromMs)}–${formatMoment(untilMs)}" style="left:${rounded(left)}%;width:${rounded(time.at(untilMs) * 100 - left)}%;--colour:var(--${colour})"></i>`;
    },
  )}</div><div class="ends"></div></div>`;
}
