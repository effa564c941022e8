import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, context, TraceFlags, trace } from '@opentelemetry/api';
import type { Runtime } from '../../runtime.ts';
import { attributes } from '../../telemetry/names.ts';
import { inSpan } from '../../telemetry/spans.ts';
import { type Fulfilment, ownContext } from './fulfil.ts';
import type { ClaimedOrder, OrderStore } from './store.ts';

/**
 * Settles, from time to time, the orders that are open and that nobody works on: accepted ones whose payment was away, those whose process
 * died on the way, those whose stock could not be given back. Any number of replicas may sweep at once. It stops between two orders; one that
 * takes longer than a second is left in the middle, as if the process had died.
 */
export function startSweep(
  runtime: Pick<Runtime, 'clock' | 'tracer' | 'log' | 'onStop'>,
  {
    store,
    settle,
    pause = sleepUnless,
  }: {
    store: Pick<OrderStore, 'due' | 'claim'>;
    settle: Fulfilment['settle'];
    /** Waits this long, or until the signal fires. */
    pause?: (ms: number, signal?: AbortSignal) => Promise<void>;
  },
): void {
  const stopping = new AbortController();
  const sweeping = run();
  runtime.onStop('sweep', async () => {
    stopping.abort();
    await Promise.race([sweeping, pause(stopMs)]);
  });

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const isBusy = await sweep().catch((error) => {
        runtime.log.warn({ err: error }, 'a sweep failed');
        return false;
      });
      await pause(isBusy ? busyPauseMs : pauseMs, stopping.signal);
    }
  }

  /** Whether more is waiting and the way is free. */
  async function sweep(): Promise<boolean> {
    const due = await context.with(untraced(ownContext(runtime, lookTimeMs)), () => store.due(batch));
    if (due.length === 0) return false;
    return context.with(ownContext(runtime, batchTimeMs), () =>
      inSpan(runtime, 'settle_orders', async (span) => {
        const settled = await settleAll(due);
        span.setAttributes({ [attributes.ordersDue]: due.length, [attributes.ordersSettled]: settled });
        return settled === batch;
      }),
    );
  }

  /**
   * How many orders of the batch are dealt with. A few at a time, so that a backlog of thousands is gone in seconds and yet is never a
   * rush of its own. Stops at the first that has to wait: what keeps it waiting keeps the others waiting too.
   */
  async function settleAll(due: readonly ClaimedOrder[]): Promise<number> {
    let settled = 0;
    for (let first = 0; first < due.length && !stopping.signal.aborted; first += atOnce) {
      const few = due.slice(first, first + atOnce);
      const done = (await Promise.all(few.map(isSettled))).filter(Boolean).length;
      settled += done;
      if (done < few.length) break;
    }
    return settled;
  }

  async function isSettled(order: ClaimedOrder): Promise<boolean> {
    const claimed = await store.claim(order, claimForMs);
    if (claimed === undefined) return true;
    const { status } = await settle(claimed);
    return status === 'PAID' || status === 'CANCELLED';
  }
}

const batch = 20;
const atOnce = 4;
const pauseMs = 1_000;
const busyPauseMs = 20;
const stopMs = 1_000;
const lookTimeMs = 2_000;
const batchTimeMs = 4_000;
/** Longer than a batch may take, so that nobody takes up an order of which this process may still be charging. */
const claimForMs = 6_000;

const sleepUnless = (ms: number, signal?: AbortSignal): Promise<void> =>
  sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);

/** Looking for work every second is not worth a trace: spans of a parent that nobody samples are not sampled either. */
const untraced = (parent: Context) =>
  trace.setSpanContext(parent, { traceId: '1'.repeat(32), spanId: '1'.repeat(16), traceFlags: TraceFlags.NONE });
