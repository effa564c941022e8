import type { Random } from '../../../core/random.ts';
import type { RequestOutcome, SpanRecord, TraceExample } from '../../../harness/record.ts';

/** Two examples of each phase and route: a typical one and the slowest, where the rush's slowest checkout gives up waiting for payment. */
export function sampleTraces(random: Random): TraceExample[] {
  return phases.flatMap(({ phase, startMs }) =>
    Object.entries(stepsOfRoute).flatMap(([route, steps]) =>
      (['typical', 'slowest'] as const).map((why) => {
        const failed = phase === 'rush' && route === 'checkout' && why === 'slowest';
        const pace = (why === 'slowest' ? 4 : 1) * (phase === 'rush' ? 3 : 1);
        return exampleOf(random, { phase, route, why: failed ? 'failed' : why, steps, startMs: startMs + random() * 20_000, pace, failed });
      }),
    ),
  );
}

const phases = [
  { phase: 'before', startMs: 5_000 },
  { phase: 'rush', startMs: 36_000 },
  { phase: 'after', startMs: 65_000 },
];

/** A call: who makes it, its name, and what it waits for. Times are in milliseconds of its own work. */
type Step = { at: string; name: string; kind?: SpanRecord['kind']; ms: number; waitsFor?: Step[] };

const call = (from: string, to: string, name: string, ms: number, waitsFor: Step[]): Step => ({
  at: from,
  name,
  kind: 'client',
  ms: 0.6,
  waitsFor: [{ at: to, name, kind: 'server', ms, waitsFor }],
});
const sql = (at: string, statement: string, ms: number): Step => ({ at, name: statement, kind: 'client', ms });
const step = (at: string, name: string, waitsFor: Step[]): Step => ({ at, name, ms: 0.3, waitsFor });

const stepsOfRoute: Record<string, Step[]> = {
  browse: [call('gateway.1', 'product.1', 'mall.Product/List', 0.4, [{ at: 'product.1', name: 'GET products', kind: 'client', ms: 0.7 }])],
  view: [
    call('gateway.2', 'product.1', 'mall.Product/Get', 0.3, [
      { at: 'product.1', name: 'GET product', kind: 'client', ms: 0.6 },
      sql('product.1', 'SELECT product', 1.4),
    ]),
  ],
  checkout: [
    call('gateway.1', 'orders.1', 'mall.Orders/Create', 0.8, [
      step('orders.1', 'verify_user', [
        call('orders.1', 'user.1', 'mall.User/Get', 0.3, [{ at: 'user.1', name: 'GET user', kind: 'client', ms: 0.6 }]),
      ]),
      step('orders.1', 'check_stock', [
        call('orders.1', 'inventory.3', 'mall.Inventory/Check', 0.3, [sql('inventory.3', 'SELECT stock', 1.2)]),
      ]),
      step('orders.1', 'create_order', [sql('orders.1', 'INSERT orders', 2.8)]),
      step('orders.1', 'reduce_stock', [
        call('orders.1', 'inventory.1', 'mall.Inventory/Reduce', 0.4, [sql('inventory.1', 'UPDATE stock', 2.1)]),
      ]),
      step('orders.1', 'initiate_payment', [
        call('orders.1', 'payment.1', 'mall.Payment/Charge', 0.9, [sql('payment.1', 'INSERT payment', 3.4)]),
      ]),
      sql('orders.1', 'UPDATE orders', 2.2),
    ]),
  ],
};

type Wanted = { phase: string; route: string; why: string; steps: Step[]; startMs: number; pace: number; failed: boolean };

function exampleOf(random: Random, { phase, route, why, steps, startMs, pace, failed }: Wanted): TraceExample {
  const spans: SpanRecord[] = [];
  const root: Step = {
    at: 'shopper',
    name: route,
    kind: 'client',
    ms: 0.8,
    waitsFor: [
      {
        at: steps[0]?.at ?? 'gateway.1',
        name: `${route === 'checkout' ? 'POST' : 'GET'} /api/v1/${route}`,
        kind: 'server',
        ms: 0.9,
        waitsFor: steps,
      },
    ],
  };
  const endMs = lay(root, null, startMs);
  const outcome: RequestOutcome = failed ? 'timeout' : 'ok';
  return { traceId: hex(random, 32), phase, route, why, outcome, durationMs: endMs - startMs, spans };

  function lay(laid: Step, parentId: string | null, atMs: number): number {
    const stalls = failed && laid.name.startsWith('mall.Payment');
    const span: SpanRecord = {
      spanId: hex(random, 16),
      parentId,
      instance: laid.at,
      name: laid.name,
      kind: laid.kind ?? 'internal',
      startMs: atMs,
      durationMs: 0,
      failed: failed && (stalls || ['checkout', 'initiate_payment', 'mall.Orders/Create'].includes(laid.name)),
      attributes: laid.name.startsWith('mall.') ? { 'rpc.system.name': 'grpc', 'rpc.method': laid.name, 'deadline.ms': 900 } : {},
      events: stalls && laid.kind === 'client' ? [{ name: 'deadline exceeded', atMs: atMs + 880 }] : [],
    };
    spans.push(span);
    const ownMs = laid.ms * pace * (0.7 + random() * 0.6);
    let nowMs = atMs + ownMs / 2;
    for (const next of laid.waitsFor ?? []) nowMs = lay(next, span.spanId, nowMs);
    const endsMs = nowMs + ownMs / 2 + (stalls && laid.kind === 'client' ? 850 : 0);
    span.durationMs = endsMs - atMs;
    return endsMs;
  }
}

const hex = (random: Random, digits: number) => Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');
