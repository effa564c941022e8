import type { EmbeddedProxy } from './proxy.ts';
import type { Flow, Traffic } from './traffic.ts';

/** Answers the text of `GET /metrics`, in version 0.0.4 of the Prometheus format. */
export type Metrics = () => Promise<string>;

export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * The counters of the original, and behind the prefix `stampede_` what it does not tell. `undefined` where both kinds are off: then there is no
 * such page. `runtime` adds what prom-client tells of the process.
 */
export async function createMetrics({
  proxies,
  traffic,
  ofProxies,
  ofRuntime,
}: {
  proxies: () => Iterable<EmbeddedProxy>;
  traffic: Traffic;
  ofProxies: boolean;
  ofRuntime: boolean;
}): Promise<Metrics | undefined> {
  const runtime = ofRuntime ? await runtimeMetrics() : undefined;
  if (!ofProxies && runtime === undefined) return undefined;
  return async function metrics() {
    const parts = [ofProxies ? textOf([...traffic.all()], [...proxies()]) : '', (await runtime?.()) ?? ''];
    return parts.filter((part) => part !== '').join('\n');
  };
}

/** Loaded only where it is wanted: a fault must not wait for what nobody reads. */
async function runtimeMetrics(): Promise<Metrics> {
  const { collectDefaultMetrics, Registry } = await import('prom-client');
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return () => registry.metrics();
}

function textOf(flows: readonly Flow[], proxies: readonly EmbeddedProxy[]): string {
  const ofFlows = (read: (flow: Flow) => number): Sample[] => flows.map((flow) => ({ labels: flow.labels, value: read(flow) }));
  const ofProxies = (read: (proxy: EmbeddedProxy) => number): Sample[] =>
    proxies.map((proxy) => ({ labels: { proxy: proxy.name }, value: read(proxy) }));
  return [
    ...family(
      'counter',
      'toxiproxy_proxy_received_bytes_total',
      'Bytes read from the source',
      ofFlows((flow) => flow.receivedBytes),
    ),
    ...family(
      'counter',
      'toxiproxy_proxy_sent_bytes_total',
      'Bytes written to the destination',
      ofFlows((flow) => flow.sentBytes),
    ),
    ...family(
      'gauge',
      'stampede_proxy_connections',
      'Open connections',
      ofProxies((proxy) => proxy.counts.open),
    ),
    ...family(
      'counter',
      'stampede_proxy_accepted_total',
      'Connections accepted',
      ofProxies((proxy) => proxy.counts.accepted),
    ),
    ...family(
      'counter',
      'stampede_proxy_failed_dials_total',
      'Upstreams not reached',
      ofProxies((proxy) => proxy.counts.failedDials),
    ),
    '',
  ].join('\n');
}

type Sample = { labels: Readonly<Record<string, string>>; value: number };

function family(type: 'counter' | 'gauge', name: string, help: string, samples: readonly Sample[]): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(({ labels, value }) => `${name}{${labelText(labels)}} ${value}`),
  ];
}

function labelText(labels: Sample['labels']): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`)
    .join(',');
}
