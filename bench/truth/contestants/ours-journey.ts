import { createHttpTransport } from '../../../harness/drivers/http/transport.ts';
import type { JourneyContext, JourneyModule } from '../../../harness/drivers/io-thread.ts';
import { outcomeOfError, outcomeOfStatus } from '../../../harness/drivers/outcome.ts';
import type { JourneySource, Send } from '../../../harness/drivers/visits.ts';

/** One GET for each visitor. Visitor number `pauseAt` brings the whole thread to a standstill first. */
export type Asking = { origin: string; path: string; pauseAt?: number; pauseMs?: number };

export const asking = (argument: Asking): JourneyModule => ({ module: import.meta.url, argument });

export function openJourneys({ origin, path, pauseAt, pauseMs = 0 }: Asking, { now, timeoutMs }: JourneyContext): JourneySource {
  const transport = createHttpTransport({ timeoutMs, now });
  const request = { origin, method: 'GET', path, readsBody: false } as const;
  const ask = { method: 'GET', path, readsBody: false } as const;
  const send: Send = (_ask, _traceparent, onReply) => transport.send(request, onReply);
  return {
    steps: ['get'],
    sender: () => send,
    connections: transport.connections,
    collected: () => undefined,
    outcomeOf: (reply) => {
      if (reply.kind === 'answered') return outcomeOfStatus(reply.status);
      return reply.kind === 'timedOut' ? 'timeout' : outcomeOfError(reply.code);
    },
    visit: async ({ step, number }) => {
      if (number === pauseAt) standStill(pauseMs);
      await step('get', ask);
    },
  };
}

function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
