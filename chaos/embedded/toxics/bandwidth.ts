import type { Chunk, ToxicKind } from '../toxic.ts';

const pieceMs = 100;

/**
 * Each connection carries at most `rate` KB/s (1 KB = 1000 bytes), in pieces of at most a tenth of a second, each after its wait.
 * At 0 or less nothing passes and nothing ends until the toxic is changed: a silent partition.
 */
export const bandwidth: ToxicKind<'rate'> = {
  attributes: ['rate'],
  act({ rate }, stage) {
    const bytesPerMs = rate;
    const pieceBytes = bytesPerMs * pieceMs;
    let rest: Chunk | undefined;
    let debtMs = 0;

    function carry(chunk: Chunk): void {
      rest = chunk;
      if (chunk.bytes.length > pieceBytes) stage.wakeAfter(pieceMs, () => passPieceOf(chunk));
      else passLast(chunk);
    }

    function passPieceOf({ bytes, stampMs }: Chunk): void {
      debtMs -= pieceMs;
      stage.pass({ bytes: bytes.subarray(0, pieceBytes), stampMs });
      carry({ bytes: bytes.subarray(pieceBytes), stampMs });
    }

    function passLast(chunk: Chunk): void {
      const startMs = stage.clock();
      // What timers were late before is made up for by not waiting.
      if (debtMs <= 0) leave(chunk);
      else
        stage.wakeAfter(debtMs, () => {
          // An idle line earns no credit: only what this wait took counts.
          debtMs -= stage.clock() - startMs;
          leave(chunk);
        });
    }

    function leave(chunk: Chunk): void {
      rest = undefined;
      stage.pass(chunk);
      stage.done();
    }

    return {
      take(chunk) {
        rest = chunk;
        if (rate <= 0) return;
        debtMs += chunk.bytes.length / bytesPerMs;
        carry(chunk);
      },
      interrupt: () => rest,
    };
  },
};
