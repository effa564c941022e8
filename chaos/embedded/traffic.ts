/** What one direction of a proxy has carried between two addresses, and over how many connections it does so now. Counted while bytes flow. */
export type Flow = { readonly labels: FlowLabels; receivedBytes: number; sentBytes: number; connections: number };
export type FlowLabels = { direction: 'upstream' | 'downstream'; listener: string; proxy: string; upstream: string };

/** Every flow since the start, also of proxies that are gone, as the original keeps them. */
export type Traffic = { all(): Iterable<Flow>; flowOf(labels: FlowLabels): Flow };

/** Proxies on ports of chance would make flows for ever: beyond `mostFlows`, or labels of so many characters, the oldest without connections are forgotten. */
export function createTraffic({ mostFlows = 10_000, mostCharacters = 10_000_000 } = {}): Traffic {
  const flows = new Map<string, Flow>();
  let characters = 0;

  return {
    all: () => flows.values(),
    flowOf(labels) {
      const key = JSON.stringify([labels.direction, labels.listener, labels.proxy, labels.upstream]);
      const known = flows.get(key);
      if (known !== undefined) return known;
      characters += key.length;
      forgetIdle();
      const flow: Flow = { labels, receivedBytes: 0, sentBytes: 0, connections: 0 };
      flows.set(key, flow);
      return flow;
    },
  };

  function forgetIdle(): void {
    for (const [key, { connections }] of flows) {
      if (flows.size < mostFlows && characters <= mostCharacters) return;
      if (connections > 0) continue;
      flows.delete(key);
      characters -= key.length;
    }
  }
}
