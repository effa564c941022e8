import { type Tracer, trace } from '@opentelemetry/api';
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
} from '@opentelemetry/sdk-trace';
import type { Metrics } from './metrics.ts';
import { attributes } from './names.ts';

export type Tracing = {
  tracer: Tracer;
  /** Hands over what is queued and ends; gives up when `timeoutMs` have passed. */
  stop(timeoutMs: number): Promise<void>;
};

/**
 * Makes this process a source of spans. Every span is made by hand in our own code: nothing is patched, and metrics and logs go their own ways.
 * The queue is long and the delay short, because the processor drops silently when it is full; both ends are counted, so a loss is seen.
 */
export function startTracing({
  service,
  instance,
  metrics,
  exporter,
}: {
  service: string;
  instance: string;
  metrics: Pick<Metrics, 'spansEnded' | 'spansExported'>;
  exporter: SpanExporter;
}): Tracing {
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
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
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
