import type { Random } from '../../../core/random.ts';
import type { Chunk, ToxicKind } from '../toxic.ts';

/**
 * Cuts chunks into pieces of `average_size` ± `size_variation` bytes and waits `delay` µs after each. As in the original a chunk is halved,
 * and the halves again, so without variation pieces have between half the average and the average. An average of 0 or less cuts nothing.
 */
export const slicer: ToxicKind<'average_size' | 'size_variation' | 'delay'> = {
  attributes: ['average_size', 'size_variation', 'delay'],
  act({ average_size: averageBytes, size_variation, delay: delayUs }, stage) {
    const variationBytes = Math.min(Math.max(0, size_variation), Math.max(0, averageBytes - 1));
    const longestBytes = averageBytes > 0 ? averageBytes + variationBytes : Number.POSITIVE_INFINITY;
    let sizes: number[] = [];
    let waiting: Chunk | undefined;

    /** What is left is put back to be taken again, so that it waits like any chunk while there is no room behind. */
    function goOn(rest: Chunk | undefined): void {
      waiting = undefined;
      if (rest !== undefined) stage.putBack(rest);
      stage.done();
    }

    return {
      take(chunk) {
        if (sizes.length === 0) sizes = [chunk.bytes.length];
        const size = nextSize(sizes, { longestBytes, variationBytes, random: stage.random });
        const rest = size < chunk.bytes.length ? { ...chunk, bytes: chunk.bytes.subarray(size) } : undefined;
        stage.pass(rest === undefined ? chunk : { ...chunk, bytes: chunk.bytes.subarray(0, size) });
        if (delayUs <= 0) return goOn(rest);
        waiting = rest;
        stage.wakeAfter(delayUs / 1000, () => goOn(rest));
      },
      interrupt: () => waiting,
    };
  },
};

/** Takes the next size off `sizes`, whose last is the next part of the chunk, and halves it until it is short enough. */
function nextSize(
  sizes: number[],
  { longestBytes, variationBytes, random }: { longestBytes: number; variationBytes: number; random: Random },
): number {
  let size = sizes.pop() ?? 0;
  while (size > longestBytes) {
    const offset = variationBytes > 0 ? Math.floor(random() * 2 * variationBytes) - variationBytes : 0;
    const first = Math.floor(size / 2) + offset;
    sizes.push(size - first);
    size = first;
  }
  return size;
}
