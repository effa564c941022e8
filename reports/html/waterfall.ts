import type { RunRecord, SpanRecord, TraceExample } from '../../harness/record.ts';
import { formatCount, formatMs, outcomeWords } from '../format.ts';
import { colourOf } from './colours.ts';
import { percent } from './frame.ts';
import type { Markup } from './markup.ts';
import { html } from './markup.ts';
import { within } from './scale.ts';
import { hasMall } from './verdicts.ts';

/** A page holds at most this many spans, so that it opens at once; the others are in the record. */
const mostSpans = 900;

/**
 * The examples to choose from, and the chosen one as a waterfall. Attributes of a span are told by the script, from the record. Nothing for a target
 * of one's own, which hands over no spans.
 */
export function tracesSection({ traces, faults, mall }: RunRecord): Markup | undefined {
  if (traces.length === 0 && !hasMall({ mall })) return undefined;
  const shown = thoseThatFit(traces);
  const chosen = mostTelling(shown, new Set(faults.map(({ phase }) => phase)));
  const services = ['shopper', ...Object.keys(mall.replicas)];
  const left = traces.length - shown.length;
  const more = left === 0 ? '' : left === 1 ? ' 1 more is in the record.' : ` ${formatCount(left)} more are in the record.`;
  return html`<section id="traces" class="traces" aria-labelledby="traces-title"><h2 id="traces-title">Traces</h2>
${
  chosen === undefined
    ? html`<p class="lead">${traces.length === 0 ? 'No trace was kept.' : `None is short enough to be shown.${more}`}</p>`
    : html`<p class="lead">Examples of each phase and route, as the spans of all processes tell it.${more}</p>
<div class="examples"><fieldset class="trace-choice"><legend>Example</legend><div class="list">${shown.map((trace) => choice(trace, traces.indexOf(trace), trace === chosen))}</div></fieldset>
<div class="waterfalls">${shown.map((trace) => waterfall(trace, traces.indexOf(trace), services))}</div></div>`
}</section>`;
}

/** In the order of the record; typical traces are left out before telling ones. */
function thoseThatFit(traces: TraceExample[]): TraceExample[] {
  const telling = traces.filter(({ why }) => why !== 'typical');
  const typical = traces.filter(({ why }) => why === 'typical');
  let spans = 0;
  const fitting = new Set(
    [...telling, ...typical].filter((trace) => {
      const fits = spans + trace.spans.length <= mostSpans;
      if (fits) spans += trace.spans.length;
      return fits;
    }),
  );
  return traces.filter((trace) => fitting.has(trace));
}

/** The longest story told under a fault. */
function mostTelling(traces: TraceExample[], troubled: Set<string>): TraceExample | undefined {
  const weight = ({ phase, why, spans }: TraceExample) =>
    (troubled.has(phase) ? 10_000 : 0) + (why === 'typical' ? 0 : 1_000) + spans.length;
  return traces.toSorted((a, b) => weight(b) - weight(a) || b.durationMs - a.durationMs)[0];
}

function choice({ phase, route, why, outcome, durationMs }: TraceExample, index: number, isChosen: boolean): Markup {
  return html`<label><input type="radio" name="trace" value="${index}"${isChosen && html` checked`}><span><b>${phase} · ${route}</b> <small>${why === outcome ? why : `${why}, ${outcomeWords[outcome]}`}</small> <em>${formatMs(durationMs)}</em></span></label>`;
}

function waterfall({ traceId, phase, route, why, outcome, durationMs, spans }: TraceExample, index: number, services: string[]): Markup {
  const fromMs = spans.reduce((min, { startMs }) => Math.min(min, startMs), spans[0]?.startMs ?? 0);
  const untilMs = spans.reduce((max, span) => Math.max(max, span.startMs + span.durationMs), fromMs);
  const time = within({ max: Math.max(untilMs - fromMs, 0.001), format: formatMs });
  const present = services.filter((service) => spans.some((span) => serviceOf(span) === service));
  return html`<article class="waterfall" data-trace="${index}" aria-label="Trace ${traceId}">
<h3>${route} in ${phase}: ${why}</h3>
<p class="note">${outcomeWords[outcome]} after ${formatMs(durationMs)}, ${formatCount(spans.length)} spans · <code>${traceId}</code></p>
<ul class="legend">${present.map((service) => html`<li><i style="--colour:var(--${colourOfService(service, services)})"></i>${service}</li>`)}${spans.some(({ failed }) => failed) && html`<li><i class="failed"></i>failed</li>`}</ul>
<div class="span-axis" aria-hidden="true"><div>${time.ticks.map(({ value, label }) => html`<span style="left:${percent(time.at(value))}">${label}</span>`)}</div></div>
<ol class="spans" tabindex="0" aria-label="Spans, in order of the calls">${inTreeOrder(spans).map(({ span, depth }) => spanRow(span, depth, { index, at: spans.indexOf(span), fromMs, lastsMs: untilMs - fromMs, colour: colourOfService(serviceOf(span), services) }))}</ol></article>`;
}

type Row = { index: number; at: number; fromMs: number; lastsMs: number; colour: string };

function spanRow(span: SpanRecord, depth: number, { index, at, fromMs, lastsMs, colour }: Row): Markup {
  const left = (span.startMs - fromMs) / Math.max(lastsMs, 0.001);
  const width = Math.min(span.durationMs / Math.max(lastsMs, 0.001), 1 - left);
  return html`<li data-span="${index}/${at}"${span.failed && html` class="failed"`}><span class="who" style="--depth:${Math.min(depth, 12)}">${span.failed && html`<b class="cross" title="failed">✗</b>`}<b>${span.instance}</b> ${span.name}</span><span class="track"><i style="left:${percent(left)};width:${percent(width)};--colour:var(--${colour})"></i>${span.events.map(
    ({ name, atMs }) =>
      html`<s title="${name}" style="left:${percent(Math.min(Math.max((atMs - fromMs) / Math.max(lastsMs, 0.001), 0), 1))}"></s>`,
  )}</span><em>${formatMs(span.durationMs)}</em></li>`;
}

/** Callers before those they call. A span whose parent was never received stands at the left, where its absence shows. */
function inTreeOrder(spans: SpanRecord[]): { span: SpanRecord; depth: number }[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const children = Map.groupBy(spans, ({ parentId }) => (parentId !== null && ids.has(parentId) ? parentId : null));
  const ordered: { span: SpanRecord; depth: number }[] = [];
  const visit = (span: SpanRecord, depth: number) => {
    ordered.push({ span, depth });
    for (const child of children.get(span.spanId) ?? []) visit(child, depth + 1);
  };
  for (const root of children.get(null) ?? []) visit(root, 0);
  return ordered;
}

const serviceOf = ({ instance }: SpanRecord) => instance.replace(/\.\d+$/, '');

/** The shopper is no service and has the colour of ink. */
function colourOfService(service: string, services: string[]): string {
  const place = services.indexOf(service);
  return place <= 0 ? 'ink-soft' : colourOf(place - 1);
}
