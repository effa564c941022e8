import { type ClockNs, millisecondNs, never, secondNs } from './clock.ts';
import { createWindow } from './window.ts';

/**
 * Turns requests away while the CPU is overloaded and more of them are in flight than the service has lately been able to finish:
 * go-zero's adaptive shedding (governance.md 2.3), which is Little's law (in flight = throughput × response time) with the best bucket
 * of the last 5 s for the throughput and the shortest mean response time for the time.
 */
export type Shedder = {
  /** A permit, to be settled exactly once, or undefined when the request is turned away. */
  allow(): Permit | undefined;
  /** What a decision made now would rest on; for the log line of a rejection. */
  snapshot(): ShedderSnapshot;
};

/** `pass`: answered, its response time counts. `fail`: it ended, but says nothing about capacity (a timeout, say). */
export type Permit = { pass(): void; fail(): void };

export type ShedderEvent = { readonly kind: 'pass' | 'fail' | 'drop' };

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
};

/** `cpu` is in thousandths of what may be used, 0..1000 (cpu.ts), and so is the threshold from which it counts as overload. */
export function createShedder({
  clockNs,
  cpu,
  thresholdMilli = 900,
  onEvent = () => {},
}: {
  clockNs: ClockNs;
  cpu: () => number;
  thresholdMilli?: number;
  onEvent?: (event: ShedderEvent) => void;
}): Shedder {
  const window = createWindow<Bucket>({
    size: bucketCount,
    intervalNs: windowNs / bucketCount,
    startNs: clockNs(),
    hidesCurrent: true,
    create: () => ({ passes: 0, totalRtMs: 0 }),
    clear: (bucket) => Object.assign(bucket, emptyBucket),
  });
  let flying = 0;
  let averageFlying = 0;
  let lastOverloadNs = never;
  let hasDroppedRecently = false;

  function isOverloaded(nowNs: number): boolean {
    if (cpu() < thresholdMilli) return false;
    lastOverloadNs = nowNs;
    return true;
  }

  /** For a second after an overload that led to a drop the shedder stays on guard, lest it swing. */
  function isHot(nowNs: number): boolean {
    if (!hasDroppedRecently) return false;
    hasDroppedRecently = nowNs - lastOverloadNs < coolOffNs;
    return hasDroppedRecently;
  }

  function measure(nowNs: number): ShedderSnapshot {
    const cpuMilli = cpu();
    let maxPass = 1;
    let minRtMs = longestMinRtMs;
    window.visit(nowNs, ({ passes, totalRtMs }) => {
      maxPass = Math.max(maxPass, passes);
      if (passes > 0) minRtMs = Math.min(minRtMs, Math.round(totalRtMs / passes));
    });
    const maxFlight = Math.max(1, maxPass * minRtMs * bucketsPerMs);
    return { cpuMilli, maxPass, minRtMs, maxFlight, factor: overloadFactor({ cpuMilli, thresholdMilli }), flying, averageFlying };
  }

  function end() {
    flying -= 1;
    // 0.1 is written out: 1 - 0.9 is another number (governance.md 0).
    averageFlying = averageFlying * 0.9 + flying * 0.1;
  }

  return {
    allow() {
      const nowNs = clockNs();
      if ((isOverloaded(nowNs) || isHot(nowNs)) && isFull(measure(nowNs))) {
        hasDroppedRecently = true;
        onEvent(events.drop);
        return undefined;
      }
      flying += 1;
      return {
        pass() {
          end();
          const endNs = clockNs();
          const bucket = window.current(endNs);
          bucket.passes += 1;
          bucket.totalRtMs += Math.ceil((endNs - nowNs) / millisecondNs);
          onEvent(events.pass);
        },
        fail() {
          end();
          onEvent(events.fail);
        },
      };
    },
    snapshot: () => measure(clockNs()),
  };
}

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

type Bucket = { passes: number; totalRtMs: number };

// governance.md 2.1
const windowNs = 5 * secondNs;
const bucketCount = 50;
/** 10 buckets a second over 1000 ms: turns passes per bucket × ms into requests in flight. */
const bucketsPerMs = 0.01;
const longestMinRtMs = 1000;
const coolOffNs = secondNs;
const leastFactor = 0.1;

const emptyBucket: Bucket = { passes: 0, totalRtMs: 0 };
const events = { pass: { kind: 'pass' }, fail: { kind: 'fail' }, drop: { kind: 'drop' } } as const;
