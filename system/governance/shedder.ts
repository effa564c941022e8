import { type ClockNs, millisecondNs, never, secondNs } from './clock.ts';

/**
 * Turns requests away while the CPU is overloaded and more of them are in flight than the service has lately been able to finish:
 * go-zero's adaptive shedding (governance.md 2.3), which is Little's law (in flight = throughput × response time) with the best bucket
 * of the last 5 s for the throughput and the shortest mean response time for the time.
 */
export type Shedder = {
  /** A permit, to be settled exactly once, or undefined when the request is turned away. */
  allow(): Permit | undefined;
  /** Requests since the shedder was made; they only grow. */
  readonly totals: Readonly<{ pass: number; fail: number; drop: number }>;
  /** What a decision made now would rest on; for the log line of a rejection. */
  snapshot(): ShedderSnapshot;
};

/** `pass`: answered, its response time counts. `fail`: it ended, but says nothing about capacity (a timeout, say). */
export type Permit = { pass(): void; fail(): void };

export type ShedderSnapshot = {
  cpuMilli: number;
  /** Most requests finished in one complete bucket of 100 ms, at least 1. */
  maxPass: number;
  /** Shortest mean response time of a bucket, at most 1000. */
  minRtMs: number;
  /** Requests that may be in flight, before the CPU lowers it (`factor`). */
  maxFlight: number;
  factor: number;
  flying: number;
  averageFlying: number;
  /** Not overloaded any more, but still on guard. */
  isHot: boolean;
};

/**
 * `cpu` is in thousandths of what may be used, 0..1000 (cpu.ts), and so is the threshold from which it counts as overload; 0 is none: the
 * shedder then never sheds. `onDrop` is told of every request that is turned away.
 */
export function createShedder({
  clockNs,
  cpu,
  thresholdMilli = 900,
  onDrop = () => {},
}: {
  clockNs: ClockNs;
  cpu: () => number;
  thresholdMilli?: number;
  onDrop?: () => void;
}): Shedder {
  const capacity = createCapacity(clockNs());
  const totals = { pass: 0, fail: 0, drop: 0 };
  let flying = 0;
  let averageFlying = 0;
  let lastOverloadNs = never;
  let hasDroppedRecently = false;

  class Granted implements Permit {
    readonly #startedNs: number;

    constructor(startedNs: number) {
      this.#startedNs = startedNs;
    }

    pass() {
      land();
      totals.pass += 1;
      const nowNs = clockNs();
      capacity.add(nowNs, Math.ceil((nowNs - this.#startedNs) / millisecondNs));
    }

    fail() {
      land();
      totals.fail += 1;
    }
  }

  function land() {
    flying -= 1;
    // 0.1 is written out: 1 - 0.9 is another number (governance.md 0).
    averageFlying = averageFlying * 0.9 + flying * 0.1;
  }

  function isOverloaded(cpuMilli: number, nowNs: number): boolean {
    if (thresholdMilli === 0 || cpuMilli < thresholdMilli) return false;
    lastOverloadNs = nowNs;
    return true;
  }

  /** For a second after an overload that led to a drop the shedder stays on guard, lest it swing. */
  function isHot(nowNs: number): boolean {
    return hasDroppedRecently && nowNs - lastOverloadNs < coolOffNs;
  }

  function isOnGuard(nowNs: number): boolean {
    // A request that finds the second over ends it for good; without one a new overload carries it on, as in go-zero.
    hasDroppedRecently = isHot(nowNs);
    return hasDroppedRecently;
  }

  function isTooMany(cpuMilli: number, nowNs: number): boolean {
    capacity.moveTo(nowNs);
    return isFull({ flying, averageFlying, maxFlight: capacity.maxFlight, factor: overloadFactor({ cpuMilli, thresholdMilli }) });
  }

  return {
    allow() {
      const nowNs = clockNs();
      const cpuMilli = cpu();
      if ((isOverloaded(cpuMilli, nowNs) || isOnGuard(nowNs)) && isTooMany(cpuMilli, nowNs)) {
        hasDroppedRecently = true;
        totals.drop += 1;
        onDrop();
        return undefined;
      }
      flying += 1;
      return new Granted(nowNs);
    },
    totals,
    snapshot() {
      const nowNs = clockNs();
      const cpuMilli = cpu();
      capacity.moveTo(nowNs);
      const { maxPass, minRtMs, maxFlight } = capacity;
      const factor = overloadFactor({ cpuMilli, thresholdMilli });
      const hot = cpuMilli < thresholdMilli && isHot(nowNs);
      return { cpuMilli, maxPass, minRtMs, maxFlight, factor, flying, averageFlying, isHot: hot };
    },
  };
}

/** From where on requests of priority routes are shed: half-way between the threshold of the others and a full CPU (governance.md 2.1). */
export const priorityThresholdMilli = (thresholdMilli: number): number => (thresholdMilli === 0 ? 0 : (thresholdMilli + 1000) >> 1);

/** How much of the capacity is granted: all of it up to the threshold, falling in a straight line to a tenth at full CPU. */
export function overloadFactor({ cpuMilli, thresholdMilli }: { cpuMilli: number; thresholdMilli: number }): number {
  return Math.min(1, Math.max(leastFactor, (1000 - cpuMilli) / (1000 - thresholdMilli)));
}

/** Both, now and on average, so that neither a short burst nor the memory of one is turned away. */
export function isFull({
  flying,
  averageFlying,
  maxFlight,
  factor,
}: Pick<ShedderSnapshot, 'flying' | 'averageFlying' | 'maxFlight' | 'factor'>): boolean {
  const limit = maxFlight * factor;
  return averageFlying > limit && flying > limit;
}

/**
 * What the service has been able to do in the last 5 s. The current bucket is not seen until it is complete, for it would understate the
 * rate; so what is seen changes once in 100 ms, and only then is it looked up. Buckets are numbered from 0 at `startNs`.
 */
function createCapacity(startNs: number) {
  const passes = new Int32Array(bucketCount);
  const rtMs = new Float64Array(bucketCount);
  let current = 0;
  let bucketEndNs = startNs + bucketNs;

  const capacity = {
    maxPass: 1,
    minRtMs: longestMinRtMs,
    maxFlight: longestMinRtMs * bucketsPerMs,

    add(nowNs: number, tookMs: number) {
      capacity.moveTo(nowNs);
      const slot = current % bucketCount;
      passes[slot] = (passes[slot] ?? 0) + 1;
      rtMs[slot] = (rtMs[slot] ?? 0) + tookMs;
    },

    moveTo(nowNs: number) {
      if (nowNs < bucketEndNs) return;
      const bucket = Math.floor((nowNs - startNs) / bucketNs);
      const last = Math.min(bucket, current + bucketCount);
      for (let next = current + 1; next <= last; next += 1) passes[next % bucketCount] = rtMs[next % bucketCount] = 0;
      current = bucket;
      bucketEndNs = startNs + (bucket + 1) * bucketNs;
      lookUp();
    },
  };

  /** The current bucket has just begun: it is empty, and so is not seen. */
  function lookUp() {
    capacity.maxPass = 1;
    capacity.minRtMs = longestMinRtMs;
    for (let slot = 0; slot < bucketCount; slot += 1) {
      const count = passes[slot] ?? 0;
      if (count === 0) continue;
      if (count > capacity.maxPass) capacity.maxPass = count;
      capacity.minRtMs = Math.min(capacity.minRtMs, Math.round((rtMs[slot] ?? 0) / count));
    }
    capacity.maxFlight = Math.max(1, capacity.maxPass * capacity.minRtMs * bucketsPerMs);
  }

  return capacity;
}

// governance.md 2.1
const bucketCount = 50;
const bucketNs = (5 * secondNs) / bucketCount;
/** 10 buckets a second over 1000 ms: turns passes per bucket × ms into requests in flight. */
const bucketsPerMs = 0.01;
const longestMinRtMs = 1000;
const coolOffNs = secondNs;
const leastFactor = 0.1;
