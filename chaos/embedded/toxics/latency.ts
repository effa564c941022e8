import type { Chunk, ToxicKind } from '../toxic.ts';

/** Each chunk leaves `latency` ± `jitter` ms after it was read. Chunks overlap in flight, so the throughput stays what it was. */
export const latency: ToxicKind<'latency' | 'jitter'> = {
  attributes: ['latency', 'jitter'],
  queues: 1024,
  act({ latency, jitter }, stage) {
    let held: Chunk | undefined;

    function leave(chunk: Chunk): void {
      held = undefined;
      stage.pass(chunk);
      stage.done();
    }

    return {
      take({ bytes, stampMs }) {
        const swing = jitter > 0 ? Math.floor(stage.random() * 2 * jitter) - jitter : 0;
        const waitMs = latency + swing - (stage.clock() - stampMs);
        // A latency stage behind this one counts from here, not from the arrival.
        const chunk = { bytes, stampMs: stampMs + waitMs };
        if (waitMs <= 0) return leave(chunk);
        held = chunk;
        stage.wakeAfter(waitMs, () => leave(chunk));
      },
      interrupt: () => held,
    };
  },
};
