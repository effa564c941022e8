import { millisecondNs } from '../../../../system/governance/clock.ts';

/**
 * The rolling window of governance.md 0.1 to the letter: a ring that is walked for every question. What ours keeps up with every event has to
 * come to the same.
 */
export function walkingWindow<B extends Record<string, number>>({
  size,
  intervalNs,
  startNs,
  ignoreCurrent,
  empty,
}: {
  size: number;
  intervalNs: number;
  startNs: number;
  ignoreCurrent: boolean;
  empty: () => B;
}) {
  const buckets = Array.from({ length: size }, empty);
  let offset = 0;
  let lastTime = startNs;
  const spanAt = (nowNs: number) => {
    const span = Math.trunc((nowNs - lastTime) / intervalNs);
    return span >= 0 && span < size ? span : size;
  };
  return {
    add(nowNs: number, change: (bucket: B) => void) {
      const span = spanAt(nowNs);
      if (span > 0) {
        for (let n = 1; n <= span; n += 1) buckets[(offset + n) % size] = empty();
        offset = (offset + span) % size;
        lastTime = nowNs - ((nowNs - lastTime) % intervalNs);
      }
      change(buckets[offset] as B);
    },
    /** Oldest first. */
    reduce(nowNs: number): B[] {
      const span = spanAt(nowNs);
      const count = span === 0 && ignoreCurrent ? size - 1 : size - span;
      return Array.from({ length: count }, (_, n) => buckets[(offset + span + 1 + n) % size] as B);
    },
  };
}

/** governance.md 1.3 to the letter. */
export function walkingBreaker({
  clockNs,
  random,
  windowMs,
  multiplier,
  leastMultiplier,
  toleratedCalls,
  forcedPassMs,
  countsDrops,
}: {
  clockNs: () => number;
  random: () => number;
  windowMs: number;
  multiplier: number;
  leastMultiplier: number;
  toleratedCalls: number;
  forcedPassMs: number;
  countsDrops: boolean;
}) {
  const empty = () => ({ success: 0, failure: 0, drop: 0 });
  const window = walkingWindow({ size: 40, intervalNs: (windowMs * millisecondNs) / 40, startNs: clockNs(), ignoreCurrent: false, empty });
  let lastPassNs: number | undefined;

  function weigh() {
    let [total, drops, accepts, failingBuckets, workingBuckets] = [0, 0, 0, 0, 0];
    for (const { success, failure, drop } of window.reduce(clockNs())) {
      accepts += success;
      drops += drop;
      total += success + failure + drop;
      if (failure > 0) workingBuckets = 0;
      else if (success > 0) workingBuckets += 1;
      if (success > 0) failingBuckets = 0;
      else if (failure > 0) failingBuckets += 1;
    }
    const w = Math.max(multiplier - ((multiplier - leastMultiplier) * failingBuckets) / 40, leastMultiplier);
    const counted = countsDrops ? total : total - drops;
    const raw = (counted - toleratedCalls - w * accepts) / (counted + 1);
    return { total, accepts, failingBuckets, workingBuckets, raw, p: raw <= 0 ? 0 : (raw * (40 - workingBuckets)) / 40 };
  }

  return {
    look() {
      const { total, accepts, failingBuckets, workingBuckets, p } = weigh();
      return { total, accepts, failingBuckets, workingBuckets, dropRatio: p };
    },
    add: (outcome: 'success' | 'failure') =>
      window.add(clockNs(), (bucket) => {
        bucket[outcome] += 1;
      }),
    allow(): boolean {
      const { raw, p } = weigh();
      if (raw <= 0) return true;
      const nowNs = clockNs();
      const isForced = lastPassNs !== undefined && nowNs - lastPassNs > forcedPassMs * millisecondNs;
      if (!isForced && random() < p) {
        window.add(nowNs, (bucket) => {
          bucket.drop += 1;
        });
        return false;
      }
      lastPassNs = nowNs;
      return true;
    },
  };
}

/** governance.md 2.3 to the letter. */
export function walkingShedder({ clockNs, cpu, thresholdMilli }: { clockNs: () => number; cpu: () => number; thresholdMilli: number }) {
  const capacity = walkingCapacity(clockNs);
  let flying = 0;
  let averageFlying = 0;
  let overloadNs: number | undefined;
  let droppedRecently = false;

  function isHot(): boolean {
    if (!droppedRecently || overloadNs === undefined) return false;
    if (clockNs() - overloadNs < 1_000 * millisecondNs) return true;
    droppedRecently = false;
    return false;
  }

  function hasHighThroughput(): boolean {
    const factor = Math.min(1, Math.max(0.1, (1_000 - cpu()) / (1_000 - thresholdMilli)));
    const most = capacity.look().maxFlight * factor;
    return averageFlying > most && flying > most;
  }

  return {
    look: () => ({ ...capacity.look(), flying, averageFlying }),
    allow(): boolean {
      const isOverloaded = cpu() >= thresholdMilli;
      if (isOverloaded) overloadNs = clockNs();
      if ((isOverloaded || isHot()) && hasHighThroughput()) {
        droppedRecently = true;
        return false;
      }
      flying += 1;
      return true;
    },
    settle(act: 'pass' | 'fail', startedNs: number) {
      flying -= 1;
      averageFlying = averageFlying * 0.9 + flying * 0.1;
      if (act === 'pass') capacity.pass(startedNs);
    },
  };
}

/** What the complete buckets of the last 5 s say. */
function walkingCapacity(clockNs: () => number) {
  const empty = () => ({ passes: 0, rtMs: 0 });
  const window = walkingWindow({ size: 50, intervalNs: 100 * millisecondNs, startNs: clockNs(), ignoreCurrent: true, empty });
  return {
    pass: (startedNs: number) =>
      window.add(clockNs(), (bucket) => {
        bucket.passes += 1;
        bucket.rtMs += Math.ceil((clockNs() - startedNs) / millisecondNs);
      }),
    look() {
      const seen = window.reduce(clockNs());
      const maxPass = Math.max(1, ...seen.map(({ passes }) => passes));
      const minRtMs = Math.min(1000, ...seen.filter(({ passes }) => passes > 0).map(({ passes, rtMs }) => Math.round(rtMs / passes)));
      return { maxPass, minRtMs, maxFlight: Math.max(1, maxPass * minRtMs * 0.01) };
    },
  };
}
