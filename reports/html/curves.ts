import { formatMs } from '../format.ts';
import { colourOf } from './colours.ts';
import type { Distribution } from './distribution.ts';
import { frame, linePath, plotWidth } from './frame.ts';
import type { Markup } from './markup.ts';
import { html } from './markup.ts';
import { legend } from './panel.ts';
import type { Scale } from './scale.ts';
import { logarithmic } from './scale.ts';

type RouteCells = { route: string; phases: { phase: string; served: Distribution | undefined }[] };

const heightPx = 170;

/**
 * The whole distribution of each route, a line for each phase, on HdrHistogram's axis: every step to the right leaves out nine of ten
 * requests (https://hdrhistogram.github.io/HdrHistogram/plotFiles.html). A line ends where no request is left.
 */
export function curves(cells: RouteCells[]): Markup | undefined {
  const distributions = cells.flatMap(({ phases }) => phases.flatMap(({ served }) => (served === undefined ? [] : [served])));
  if (distributions.length === 0) return undefined;
  const x = shareScale(Math.max(...distributions.map(({ count }) => count)));
  const y = logarithmic({
    min: Math.max(Math.min(...distributions.map(({ atShare }) => atShare(0))), 0.01),
    max: Math.max(...distributions.map(({ maxMs }) => maxMs), 0.02),
    format: formatMs,
  });
  return html`<h3>Percentile curves</h3><p class="note">The share of served requests answered within a time; every step to the right leaves out nine of ten.</p>${legend(cells[0]?.phases.map(({ phase }, index) => ({ name: phase, colour: colourOf(index) })) ?? [])}
<div class="curves">${cells.map(({ route, phases }) => {
    const lines = phases.map(({ served }, index) => served && curve(served, x, y, colourOf(index)));
    const ends = phases.flatMap(({ phase, served }) => (served === undefined ? [] : [`${phase} ${formatMs(served.atShare(0.99))}`]));
    return html`<figure aria-label="Percentile curve of ${route}; p99: ${ends.join(', ')}"><figcaption>${route}</figcaption>${frame({ heightPx, x, y, drawing: html`${lines}`, labelsX: true })}</figure>`;
  })}</div>`;
}

function curve(served: Distribution, x: Scale, y: Scale, colour: string): Markup {
  const most = Math.log10(served.count);
  const points = Array.from({ length: 81 }, (_, index) => {
    const share = 1 - 10 ** ((-most * index) / 80);
    return [x.at(share) * plotWidth, (1 - y.at(served.atShare(share))) * heightPx] as const;
  });
  return html`<path class="line" style="--colour:var(--${colour})" d="${linePath(points)}"/>`;
}

/** Even steps of nines: 0, 90%, 99%, … until less than one of `count` requests is left. */
function shareScale(count: number): Scale {
  const nines = Math.max(Math.log10(count), 2);
  const labels = ['0%', '90%', '99%', '99.9%', '99.99%', '99.999%', '99.9999%'];
  return {
    at: (share) => Math.min(-Math.log10(Math.max(1 - share, 1e-9)) / nines, 1),
    ticks: labels.slice(0, Math.floor(nines) + 1).map((label, index) => ({ value: 1 - 10 ** -index, label })),
  };
}
