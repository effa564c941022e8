import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Context,
  type ContextManager,
  context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  type TextMapPropagator,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import type { Tuning } from '../tuning.ts';
import type { Metrics } from './metrics.ts';
import { attributes } from './names.ts';
import { noTracer } from './spans.ts';

export type Tracing = {
  tracer: Tracer;
  /** Hands over what is queued and ends; gives up when `timeoutMs` have passed. */
  stop(timeoutMs: number): Promise<void>;
};

/**
 * Makes this process a source of spans. Every span is made by hand in our own code: nothing is patched, and metrics and logs go their own ways.
 * The queue is long and the delay short, because the processor drops silently when it is full; both ends are counted, so a loss is seen.
 * Of the traces that begin here `sampledShare` is recorded; others follow whoever began them. Not `enabled`, it makes no spans at all
 * and hands a caller's trace on as it came (governance.md 10.1).
 */
export function startTracing({
  service,
  instance,
  metrics,
  exporter,
  tuning = { enabled: true, sampledShare: 1 },
}: {
  service: string;
  instance: string;
  metrics: Pick<Metrics, 'spansEnded' | 'spansExported'>;
  exporter: SpanExporter;
  tuning?: Tuning['tracing'];
}): Tracing {
  if (!tuning.enabled) return passTracesOn();
  const batches = new BatchSpanProcessor({
    exporter: countingExporter(exporter, metrics),
    maxQueueSize: 65_536,
    maxExportBatchSize: 512,
    scheduledDelayMillis: 200,
    exportTimeoutMillis: 10_000,
  });
  const sdk = new NodeSDK({
    resource: resourceFromAttributes({ [attributes.serviceName]: service, [attributes.serviceInstance]: instance }),
    autoDetectResources: false,
    sampler: new ParentBasedSampler({ root: samplerOf(tuning.sampledShare) }),
    spanProcessors: [countingProcessor(metrics), batches],
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  return {
    tracer: trace.getTracer('stampede'),
    async stop(timeoutMs) {
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs);
      });
      // A collector that is gone must not keep the process alive; the counters tell what it missed.
      await Promise.race([sdk.shutdown().catch(() => undefined), patience]);
      clearTimeout(timer);
    },
  };
}

function samplerOf(share: number) {
  return share === 1 ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(share);
}

/** Deadlines travel in contexts too, so these are kept up without any SDK. */
function passTracesOn(): Tracing {
  context.setGlobalContextManager(asyncContexts());
  propagation.setGlobalPropagator(passOn);
  return { tracer: noTracer, stop: async () => undefined };
}

function asyncContexts(): ContextManager {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (inner, run, self, ...args) => storage.run(inner, self === undefined ? run : run.bind(self), ...args),
    bind(inner, target) {
      if (typeof target !== 'function') return target;
      const run = target as unknown as (...args: unknown[]) => unknown;
      return ((...args: unknown[]) => storage.run(inner, run, ...args)) as unknown as typeof target;
    },
    enable: () => manager,
    disable() {
      storage.disable();
      return manager;
    },
  };
  return manager;
}

const carried = ['traceparent', 'tracestate', 'baggage'] as const;
const carriedKey = createContextKey('mall.carried');
/** Reads a caller's trace without understanding it, and writes the same for the next. */
const passOn: TextMapPropagator = {
  extract(current, carrier, getter) {
    if (getter.get(carrier, 'traceparent') === undefined) return current;
    return current.setValue(
      carriedKey,
      carried.map((name) => getter.get(carrier, name)),
    );
  },
  inject(current, carrier, setter) {
    const values = current.getValue(carriedKey) as unknown[] | undefined;
    values?.forEach((value, index) => {
      if (value !== undefined) setter.set(carrier, carried[index] ?? '', String(value));
    });
  },
  fields: () => [...carried],
};

export const otlpExporter = (address: string): SpanExporter => new OTLPTraceExporter({ url: `http://${address}`, timeoutMillis: 5_000 });

function countingProcessor({ spansEnded }: Pick<Metrics, 'spansEnded'>): SpanProcessor {
  return {
    onStart() {},
    onEnd: () => spansEnded.inc(),
    forceFlush: async () => undefined,
    shutdown: async () => undefined,
  };
}

function countingExporter(exporter: SpanExporter, { spansExported }: Pick<Metrics, 'spansExported'>): SpanExporter {
  return {
    export(spans: ReadableSpan[], done) {
      exporter.export(spans, (result) => {
        if (result.code === 0) spansExported.inc(spans.length);
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
