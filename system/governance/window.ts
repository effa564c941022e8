/**
 * The last `size × intervalNs` of history as a ring of buckets (governance.md 0.1). Bucket edges are aligned to `startNs`, not to the
 * wall clock. The buckets are made once and reused, so that recording allocates nothing.
 */
export type RollingWindow<Bucket> = {
  /** The bucket that events of this moment belong to; forgets what has grown too old. */
  current(nowNs: number): Bucket;
  /** Shows the buckets that are still history at this moment, oldest first. Changes nothing. */
  visit(nowNs: number, visitor: (bucket: Bucket) => void): void;
};

/**
 * `clear` makes a used bucket as good as new.
 */
export function createWindow<Bucket>({
  size,
  intervalNs,
  startNs,
  create,
  clear,
}: {
  size: number;
  intervalNs: number;
  startNs: number;
  create: () => Bucket;
  clear: (bucket: Bucket) => void;
}): RollingWindow<Bucket> {
  const buckets = Array.from({ length: size }, create);
  let offset = 0;
  let bucketStartNs = startNs;

  /** How many buckets have ended since the last event; all of them when that is long ago. */
  function spanAt(nowNs: number) {
    const span = Math.trunc((nowNs - bucketStartNs) / intervalNs);
    return span >= 0 && span < size ? span : size;
  }

  function at(index: number): Bucket {
    const bucket = buckets[index % size];
    if (bucket === undefined) throw new RangeError(`Expected a window of at least one bucket, got ${size}`);
    return bucket;
  }

  return {
    current(nowNs) {
      const span = spanAt(nowNs);
      if (span > 0) {
        for (let step = 1; step <= span; step += 1) clear(at(offset + step));
        offset = (offset + span) % size;
        bucketStartNs = nowNs - ((nowNs - bucketStartNs) % intervalNs);
      }
      return at(offset);
    },

    visit(nowNs, visitor) {
      const span = spanAt(nowNs);
      for (let step = 1; step <= size - span; step += 1) visitor(at(offset + span + step));
    },
  };
}
