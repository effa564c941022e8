import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunRecord } from '../../harness/record.ts';
import { verdictWords } from '../format.ts';
import { honestySection } from './honesty.ts';
import { impactSection } from './impact.ts';
import { embedded, html, trusted } from './markup.ts';
import { percentilesSection } from './percentiles.ts';
import { routesOf, timelineSection } from './timeline.ts';
import { headerSection, verdictsSection } from './verdicts.ts';
import { tracesSection } from './waterfall.ts';

/** Writes `report.html` into a run's folder and returns its path. */
export async function writeHtml(folder: string, record: RunRecord): Promise<string> {
  const file = join(folder, 'report.html');
  await writeFile(file, renderHtml(record));
  return file;
}

/**
 * A run as one page that needs nothing but itself: style, script, charts and the record are inside, and its policy forbids the browser
 * to ask anyone for anything. It reads without its script, which adds the crosshair, the details of spans and the download.
 */
export function renderHtml(record: RunRecord): string {
  const { markup } = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${verdictWords[record.outcome].mark} ${record.scenario.name} · ${record.run.startedAt.slice(0, 10)}</title>
<link rel="icon" href="data:,">
<style>${['colours.css', 'page.css', 'charts.css', 'traces.css', 'impact.css'].map((name) => trusted(beside(name)))}${choices(record)}</style></head>
<body><a class="skip" href="#timeline">Skip to the timeline</a><main>
${headerSection(record)}
${verdictsSection(record)}
${timelineSection(record)}
${impactSection(record)}
${percentilesSection(record)}
${tracesSection(record)}
${honestySection(record)}
</main><div id="told" role="status" hidden></div>
<script type="application/json" id="record">${embedded(record)}</script><script>${trusted(beside('client.js'))}</script></body></html>
`;
  return markup;
}

/** What a chosen radio button shows: the style sheet's rules for as many routes and traces as this record has. */
function choices(record: RunRecord) {
  const routes = routesOf(record).map(
    (_, index) => `.routed:has([name=route][value="${index + 1}"]:checked) [data-routes]:not([data-routes~="${index + 1}"])`,
  );
  const traces = record.traces.map((_, index) => `.traces:has([name=trace][value="${index}"]:checked) [data-trace="${index}"]`);
  return trusted(
    `.routed:not(:has([name=route]:not([value="0"]):checked)) [data-routes]:not([data-routes~="0"])${routes.map((rule) => `,${rule}`).join('')}{display:none}${traces.length > 0 ? `${traces.join(',')}{display:block}` : ''}`,
  );
}

const beside = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8');
