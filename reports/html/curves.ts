import { formatMs } from '../format.ts';
import { colourOf } from './colours.ts';
import { type Distribution, formatMeasured } from './distribution.ts';
import { frame, linePath, plotWidth } from './frame.ts';
import type { Markup } from './markup.ts';
import { html } from './markup.ts';
import { legend } from './panel.ts';
import type { Scale } from './scale.ts';
import { logarithmic } from './scale.ts';

type RouteCells = { route: string; phases: { phase: string; awaited: Distribution | undefined }[] };

const heightPx = 170;

/**
 * The whole distribution of each route, a line for each phase, on HdrHistogram's axis: every step to the right leaves out nine of ten
 * requests (https://hdrhistogram.github.io/HdrHistogram/plotFiles.html). A line ends where no request is left, and is dashed where those that are
 * left gave up waiting: there it is as low as can be.
 */
export function curves(routes: RouteCells[]): Markup | undefined {
  const cells = routes.filter(({ phases }) => phases.some(({ awaited }) => awaited !== undefined));
  const distributions = cells.flatMap(({ phases }) => phases.flatMap(({ awaited }) => (awaited === undefined ? [] : [awaited])));
  if (distributions.length === 0) return undefined;
  const isAnyCensored = distributions.some(({ timedOut }) => timedOut > 0);
  const x = shareScale(Math.max(...distributions.map(({ count }) => count)));
  const y = logarithmic({
    min: Math.max(Math.min(...distributions.map(({ atShare }) => atShare(0).ms)), 0.01),
    max: Math.max(...distributions.map(({ max }) => max.ms), 0.02),
    format: formatMs,
  });
  return html`<h3>Percentile curves</h3><p class="note">The share of requests answered within a time; every step to the right leaves out nine of ten.${isAnyCensored && ' Dashed: only requests are left whose answer nobody waited for; they took at least that long.'}</p>${legend(cells[0]?.phases.map(({ phase }, index) => ({ name: phase, colour: colourOf(index) })) ?? [])}
<div class="curves">${cells.map(({ route, phases }) => {
    const lines = phases.map(({ awaited }, index) => awaited && curve(awaited, x, y, colourOf(index)));
    const ends = phases.flatMap(({ phase, awaited }) =>
      awaited === undefined ? [] : [`${phase} ${formatMeasured(awaited.atShare(0.99))}`],
    );
    return html`<figure aria-label="Percentile curve of ${route}; p99: ${ends.join(', ')}"><figcaption>${route}</figcaption>${frame({ heightPx, x, y, drawing: html`${lines}`, labelsX: true })}</figure>`;
  })}</div>`;
}

function curve({ count, atShare }: Distribution, x: Scale, y: Scale, colour: string): Markup {
  const most = Math.log10(count);
  const points = Array.from({ length: 81 }, (_, index) => {
    const share = 1 - 10 ** ((-most * index) / 80);
    const { ms, isCensored } = atShare(share);
    return { isCensored, point: [x.at(share) * plotWidth, (1 - y.at(ms)) * heightPx] as const };
  });
  const known = points.flatMap(({ isCensored, point }) => (isCensored ? [] : [point]));
  const censored = points.flatMap(({ isCensored, point }) => (isCensored ? [point] : []));
  const last = known.at(-1);
  return html`<path class="line" style="--colour:var(--${colour})" d="${linePath(known)}"/>${
    censored.length > 0 &&
    html`<path class="dashed" style="--colour:var(--${colour})" d="${linePath(last === undefined ? censored : [last, ...censored])}"/>`
  }`;
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
