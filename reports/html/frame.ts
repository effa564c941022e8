import type { Markup } from './markup.ts';
import { html, trusted } from './markup.ts';
import type { Scale } from './scale.ts';

/** Plots are drawn this wide and stretched to the page; text lies beside them in HTML, so that it is never stretched. */
export const plotWidth = 1_000;

type Frame = {
  heightPx: number;
  x: Scale;
  y: Scale;
  /** The lines and areas, in plot coordinates. */
  drawing: Markup;
  /** Labels at the right end of lines: where between 0 and 1, measured from the bottom. */
  ends?: { name: string; colour: string; at: number; drawn?: string }[];
  behind?: Markup;
  labelsX?: boolean;
  attributes?: Markup;
};

/** A plot with a recessive grid, values at its left, names of lines at its right and, where asked for, times below. */
export function frame({ heightPx, x, y, drawing, ends = [], behind, labelsX = false, attributes }: Frame): Markup {
  return html`<div class="frame" style="--height:${heightPx}px">
<div class="values" aria-hidden="true">${y.ticks.map(({ value, label }) => html`<span style="bottom:${percent(y.at(value))}">${label}</span>`)}</div>
<div class="plot"${attributes}>${x.ticks.map(({ value }) => html`<i class="rule x" style="left:${percent(x.at(value))}"></i>`)}${y.ticks.map(
    ({ value }) => html`<i class="rule y" style="bottom:${percent(y.at(value))}"></i>`,
  )}${behind}<svg viewBox="0 0 ${plotWidth} ${heightPx}" preserveAspectRatio="none" aria-hidden="true">${drawing}</svg></div>
<div class="ends" aria-hidden="true">${apart(ends, heightPx).map(
    ({ name, colour, at, drawn }) =>
      html`<span${drawn === 'dashed' && html` class="dashed"`} style="bottom:${percent(at)};--colour:var(--${colour})">${name}</span>`,
  )}</div>
${labelsX && axis(x)}</div>`;
}

/** The labels of a horizontal axis. */
export function axis(x: Scale): Markup {
  return html`<div class="axis" aria-hidden="true">${x.ticks.map(({ value, label }) => html`<span style="left:${percent(x.at(value))}">${label}</span>`)}</div>`;
}

export const percent = (share: number) => trusted(`${Math.round(share * 10_000) / 100}%`);

/** Path data through points; a point that is `undefined` breaks the line, and a lone one becomes a short dash. */
export function linePath(points: readonly (readonly [x: number, y: number] | undefined)[]): string {
  return stretchesOf(points)
    .map((stretch) => {
      const [first] = stretch;
      if (first !== undefined && stretch.length === 1) return `M${rounded(first[0] - 3)} ${rounded(first[1])}h6`;
      return `M${stretch.map(([x, y]) => `${rounded(x)} ${rounded(y)}`).join('L')}`;
    })
    .join('');
}

/** Neighbours that are there, together. */
export function stretchesOf<Item>(items: readonly (Item | undefined)[]): Item[][] {
  const stretches: Item[][] = [[]];
  for (const item of items) {
    if (item === undefined) stretches.push([]);
    else stretches.at(-1)?.push(item);
  }
  return stretches.filter(({ length }) => length > 0);
}

export const rounded = (value: number) => Math.round(value * 10) / 10;

const labelPx = 14;

/** Pushes labels apart that would lie on one another, and keeps all of them beside the plot. */
function apart<Label extends { at: number }>(labels: readonly Label[], heightPx: number): Label[] {
  const gap = labelPx / heightPx;
  const placed = labels.map((label) => ({ ...label })).sort((a, b) => a.at - b.at);
  let floor = 0;
  for (const label of placed) {
    label.at = Math.max(label.at, floor);
    floor = label.at + gap;
  }
  let ceiling = 1;
  for (const label of placed.reverse()) {
    label.at = Math.min(label.at, ceiling);
    ceiling = label.at - gap;
  }
  return placed;
}
