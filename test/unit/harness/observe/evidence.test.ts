import { expect, test } from 'vitest';
import type { Replica } from '../../../../compose/deployment.ts';
import { type Evidence, observationsOf, spanLedger } from '../../../../harness/observe/evidence.ts';
import { createSampleStore } from '../../../../harness/observe/samples.ts';
import { createSpanStore } from '../../../../harness/observe/spans.ts';
import type { Service } from '../../../../system/topology.ts';
import { aCall, aSpan, runTag } from './a-span.ts';

test('what the balancer counts by address and what spans say by instance meet in the number of the replica', () => {
  const spans = createSpanStore({ runTag });
  spans.add([
    aCall('orders->inventory', { startMs: 10 }, { 'mall.peer': 'inventory.2' }),
    aCall('orders->inventory', { startMs: 20 }, { 'mall.peer': 'inventory.1' }),
    aCall('orders->inventory', { startMs: 30 }, { 'mall.peer': 'inventory.2' }),
  ]);
  const samples = createSampleStore();
  const pickedTwiceAt = (address: string) => {
    const labels = { target: 'inventory', address };
    const read = (atMs: number, value: number) =>
      samples.add({ instance: 'orders.1', atMs }, [{ key: `picks ${address}`, name: 'mall_p2c_picks_total', labels, value }]);
    read(0, 5);
    read(1_000, 7);
  };
  pickedTwiceAt('127.0.0.1:4002');
  pickedTwiceAt('127.0.0.1:4999');

  const { bySpan, byCounter } = observationsOf(evidence({ spans, samples }))(null).picks('orders->inventory');
  expect([...bySpan]).toEqual([
    [1, 1],
    [2, 2],
  ]);
  expect([...byCounter]).toEqual([[2, 2]]);
});

test('what a process has made is summed over its lives, since it counts from zero after a restart', () => {
  const spans = createSpanStore({ runTag });
  spans.add([aSpan({ instance: 'orders.1', spanId: '0000000000000001' }), aSpan({ instance: 'orders.1', spanId: '0000000000000002' })]);
  const samples = createSampleStore();
  const read = (instance: string, ...values: number[]) => {
    for (const [index, value] of values.entries()) {
      samples.add({ instance, atMs: index * 1_000 }, [{ key: 'ended', name: 'mall_spans_ended_total', labels: {}, value }]);
    }
  };
  read('orders.1', 40, 100, 7, 9);
  read('inventory.1', 3, 5);
  expect(spanLedger(evidence({ spans, samples }))).toEqual([
    { instance: 'orders.1', made: 109, received: 2 },
    { instance: 'inventory.1', made: 5, received: 0 },
    { instance: 'inventory.2', made: 0, received: 0 },
  ]);
});

function evidence(parts: { spans: Evidence['spans']; samples: ReturnType<typeof createSampleStore> }): Evidence {
  const at = (service: Service, replica: number, port: number): Replica => ({
    service,
    replica,
    instance: `${service}.${replica}`,
    pid: 1,
    address: `127.0.0.1:${port}`,
    admin: `127.0.0.1:${port + 100}`,
  });
  const phase = { name: 'calm', fromMs: 0, untilMs: 1_000, intended: 0, shoppers: 0, planned: 0, sent: 0, dropped: 0, lag: '' };
  return {
    ...parts,
    samples: { ...parts.samples, scrapeNow: async () => [], close: async () => undefined },
    recording: {
      startMs: 0,
      routes: [],
      ground: [],
      phases: [phase],
      totals: [],
      seconds: [],
      pace: [],
      checkouts: { kept: [], overflow: 0 },
      repeated: { asked: 0, count: 0, different: 0 },
      exemplars: [],
      generator: {
        threads: 1,
        peakInFlight: 0,
        peakConnections: 0,
        priorityRaised: false,
        cpuMs: 0,
        timeoutMs: 5_000,
        stumbles: { count: 0 },
      },
    },
    epochMs: 0,
    faults: [],
    replicas: [at('orders', 1, 4000), at('inventory', 1, 4001), at('inventory', 2, 4002)],
    deaths: [],
  };
}
