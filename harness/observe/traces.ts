import { endsOf, isEdge, isService, type Service } from '../../system/topology.ts';
import type { SpanRecord } from '../record.ts';
import type { Span } from './otlp-decode.ts';
import type { Trace } from './spans.ts';

/** A span with those it is the parent of, in order of their start. */
export type TreeNode = { span: Span; children: TreeNode[] };

/** `roots` are what the shopper's own span is the parent of; `dangling` are subtrees whose parent is not there. */
export type Tree = { roots: TreeNode[]; dangling: TreeNode[] };

/**
 * Puts the spans of a trace in their places; a span that came twice counts once. The shopper's own span is the load driver's and not in
 * the trace: whatever a server span of the gateway calls its absent parent is taken for it.
 */
export function treeOf({ spans }: Trace): Tree {
  const nodes = new Map<string, TreeNode>();
  for (const span of spans) if (!nodes.has(span.spanId)) nodes.set(span.spanId, { span, children: [] });
  const inOrder = [...nodes.values()].sort((a, b) => a.span.startMs - b.span.startMs);
  const tree: Tree = { roots: [], dangling: [] };
  for (const node of inOrder) {
    const parent = node.span.parentId === null ? undefined : nodes.get(node.span.parentId);
    if (parent !== undefined) parent.children.push(node);
    else if (isEntrance(node.span)) tree.roots.push(node);
    else tree.dangling.push(node);
  }
  return tree;
}

export type Problem = {
  /**
   * `rootless`: the gateway's server span is missing. `dangling`: a span's parent is missing. `parentless`: a span that should have a
   * parent names none, so the context was lost. `unanswered`: a call that a service answered has no server span. `duplicate`: came twice.
   */
  kind: 'rootless' | 'dangling' | 'parentless' | 'unanswered' | 'duplicate';
  /** Absent for `rootless`: that span is not there. */
  span?: Span;
  sentence: string;
};

/**
 * What is missing from a trace, judged by itself. It is whole when the list is empty. A call need not have a server span when it was
 * refused, failed before it was sent, or when its answer was lost on the way: what became of it on the other side nobody can know.
 */
export function problemsOf(trace: Trace): Problem[] {
  const { roots, dangling } = treeOf(trace);
  const problems: Problem[] = roots.length === 0 ? [{ kind: 'rootless', sentence: "the gateway's server span is missing" }] : [];
  for (const { span } of dangling) {
    if (span.parentId === null) problems.push({ kind: 'parentless', span, sentence: `${named(span)} names no parent` });
    else problems.push({ kind: 'dangling', span, sentence: `the parent ${span.parentId} of ${named(span)} is missing` });
  }
  const visit = ({ span, children }: TreeNode): void => {
    const callee = awaitedCallee(span);
    if (callee !== undefined && !children.some((child) => child.span.kind === 'server' && child.span.service === callee)) {
      problems.push({ kind: 'unanswered', span, sentence: `${named(span)} has no server span of ${callee}` });
    }
    children.forEach(visit);
  };
  [...roots, ...dangling].forEach(visit);
  const seen = new Set<string>();
  for (const span of trace.spans) {
    if (seen.has(span.spanId)) problems.push({ kind: 'duplicate', span, sentence: `${named(span)} came twice` });
    seen.add(span.spanId);
  }
  return problems;
}

/** Whether one call path of the trace, from the shopper inwards, meets these services in this order; others may lie between. */
export function passesThrough(trace: Trace, services: readonly Service[]): boolean {
  const passes = ({ span, children }: TreeNode, met: number): boolean => {
    const now = span.service === services[met] ? met + 1 : met;
    return now === services.length || children.some((child) => passes(child, now));
  };
  return treeOf(trace).roots.some((root) => passes(root, 0));
}

/** What the load driver knows of its own span. */
export type ShopperSpan = {
  spanId: string;
  startMs: number;
  durationMs: number;
  failed?: boolean;
  attributes?: SpanRecord['attributes'];
};

/** The spans for the record, in order of start and each once, below the shopper's own span where that is given. Times are rounded to µs. */
export function recordOf(trace: Trace, shopper?: ShopperSpan): SpanRecord[] {
  const unique = new Map(trace.spans.map((span) => [span.spanId, span]));
  const records = [...unique.values()].map(spanRecord);
  if (shopper !== undefined) records.push(shopperRecord(trace, shopper));
  const shopperFirst = ({ parentId }: SpanRecord) => (parentId === null ? 0 : 1);
  return records.sort((a, b) => a.startMs - b.startMs || shopperFirst(a) - shopperFirst(b));
}

const isEntrance = ({ service, kind, parentId }: Span) => service === 'gateway' && kind === 'server' && parentId !== null;

/**
 * The service whose server span must be there: that of a call which was answered. A refusal without a picked replica is the caller's own,
 * and some statuses may come from the caller's side: its deadline, or a connection that broke.
 */
function awaitedCallee({ kind, attributes, failed }: Span): Service | undefined {
  const edge = attributes['mall.edge'];
  if (kind !== 'client' || typeof edge !== 'string' || !isEdge(edge)) return undefined;
  const { callee } = endsOf(edge);
  if (!isService(callee)) return undefined;
  const isOwnRefusal = attributes['mall.refused_by'] !== undefined && attributes['mall.peer'] === undefined;
  const status = attributes['rpc.status_code'];
  const isAnswered = status === undefined ? !failed : !statusesOfLostAnswers.has(status);
  return isAnswered && !isOwnRefusal ? callee : undefined;
}

/** INTERNAL is also a stream that was reset. */
const statusesOfLostAnswers = new Set<unknown>(['CANCELLED', 'UNKNOWN', 'DEADLINE_EXCEEDED', 'INTERNAL', 'UNAVAILABLE']);

const named = ({ instance, kind, name, spanId }: Span) => `${instance}'s ${kind} span '${name}' (${spanId})`;

function spanRecord({ spanId, parentId, instance, name, kind, startMs, endMs, failed, attributes, events }: Span): SpanRecord {
  return {
    spanId,
    parentId,
    instance,
    name,
    kind,
    startMs: toMicroseconds(startMs),
    durationMs: toMicroseconds(endMs - startMs),
    failed,
    attributes,
    events: events.map((event) => ({ name: event.name, atMs: toMicroseconds(event.atMs) })),
  };
}

function shopperRecord({ route, gateway }: Trace, { spanId, startMs, durationMs, failed, attributes = {} }: ShopperSpan): SpanRecord {
  return {
    spanId,
    parentId: null,
    instance: 'shopper',
    name: route,
    kind: 'client',
    startMs: toMicroseconds(startMs),
    durationMs: toMicroseconds(durationMs),
    failed: failed ?? gateway?.failed ?? false,
    attributes,
    events: [],
  };
}

const toMicroseconds = (ms: number) => Math.round(ms * 1_000) / 1_000;
