import type { Random } from '../../core/random.ts';
import { type ClockNs, never, secondNs } from './clock.ts';
import { createWindow } from './window.ts';

/**
 * A circuit breaker that refuses a share of the calls, computed anew for every call from the last 10 s: client-side throttling as in
 * the Google SRE book ("Handling Overload", https://sre.google/sre-book/handling-overload/), with go-zero's two changes
 * (governance.md 1): it grows stricter while the most recent history only fails and milder while it only succeeds. There is no open,
 * closed or half-open state.
 */
export type Breaker = {
  /** Whether the call may be made. False records a drop; true must be followed by exactly one `success` or `failure`. */
  allow(): boolean;
  success(): void;
  failure(): void;
  /** The chance in [0, 1) that a call made now would be refused. */
  readonly dropRatio: number;
  /** What a decision made now would rest on. */
  snapshot(): BreakerSnapshot;
};

export type BreakerSnapshot = Decision & Readonly<History>;

/**
 * `success`, `failure` and `drop` tell of each call. A breaker *starts refusing* (it trips) with its first drop after 10 s without one,
 * and has *stopped* at the first call that comes after 10 s without a drop: the two always alternate.
 */
export type BreakerEvent = { readonly kind: 'success' | 'failure' | 'drop' | 'startedRefusing' | 'stoppedRefusing' };

export function createBreaker({
  clockNs,
  random,
  onEvent = () => {},
}: {
  clockNs: ClockNs;
  random: Random;
  onEvent?: (event: BreakerEvent) => void;
}): Breaker {
  const window = createWindow<Bucket>({
    size: bucketCount,
    intervalNs: windowNs / bucketCount,
    startNs: clockNs(),
    create: () => ({ success: 0, failure: 0, drop: 0 }),
    clear: (bucket) => Object.assign(bucket, emptyBucket),
  });
  const history: History = { total: 0, accepts: 0, failingBuckets: 0, workingBuckets: 0 };
  let lastPassNs = never;
  let lastDropNs = never;
  let isRefusing = false;

  function decide(nowNs: number): Decision {
    Object.assign(history, emptyHistory);
    window.visit(nowNs, extendHistory);
    return judge(history);
  }

  function extendHistory({ success, failure, drop }: Bucket) {
    history.total += success + failure + drop;
    history.accepts += success;
    // Both are runs at the end of history; empty and drop-only buckets neither extend nor break one.
    if (failure > 0) history.workingBuckets = 0;
    else if (success > 0) history.workingBuckets += 1;
    if (success > 0) history.failingBuckets = 0;
    else if (failure > 0) history.failingBuckets += 1;
  }

  function isAllowed(nowNs: number): boolean {
    const { excess, dropRatio } = decide(nowNs);
    if (excess <= 0) return true;
    // One call a second is let through without asking chance: the only way to learn that the callee is back.
    const isForced = lastPassNs !== never && nowNs - lastPassNs > forcedPassNs;
    if (!isForced && random() < dropRatio) return false;
    lastPassNs = nowNs;
    return true;
  }

  function drop(nowNs: number) {
    window.current(nowNs).drop += 1;
    lastDropNs = nowNs;
    onEvent(events.drop);
    if (!isRefusing) onEvent(events.startedRefusing);
    isRefusing = true;
  }

  return {
    allow() {
      const nowNs = clockNs();
      if (isRefusing && nowNs - lastDropNs >= windowNs) {
        isRefusing = false;
        onEvent(events.stoppedRefusing);
      }
      if (isAllowed(nowNs)) return true;
      drop(nowNs);
      return false;
    },
    success() {
      window.current(clockNs()).success += 1;
      onEvent(events.success);
    },
    failure() {
      window.current(clockNs()).failure += 1;
      onEvent(events.failure);
    },
    get dropRatio() {
      return decide(clockNs()).dropRatio;
    },
    snapshot() {
      const decision = decide(clockNs());
      return { ...history, ...decision };
    },
  };
}

type Bucket = { success: number; failure: number; drop: number };
/** Drops are part of `total`, so refusing makes further refusals more likely. */
type History = { total: number; accepts: number; failingBuckets: number; workingBuckets: number };
/** `multiplier` is the SRE book's K; `excess` its rejection probability before it is limited to [0, 1] and softened. */
type Decision = { readonly multiplier: number; readonly excess: number; readonly dropRatio: number };

/** governance.md 1.3 */
function judge({ total, accepts, failingBuckets, workingBuckets }: History): Decision {
  const multiplier = Math.max(startMultiplier - ((startMultiplier - leastMultiplier) * failingBuckets) / bucketCount, leastMultiplier);
  const excess = (total - toleratedCalls - multiplier * accepts) / (total + 1);
  const dropRatio = excess <= 0 ? 0 : (excess * (bucketCount - workingBuckets)) / bucketCount;
  return { multiplier, excess, dropRatio };
}

// governance.md 1.1
const windowNs = 10 * secondNs;
const bucketCount = 40;
const startMultiplier = 1.5;
const leastMultiplier = 1.1;
const toleratedCalls = 5;
const forcedPassNs = secondNs;

const emptyBucket: Bucket = { success: 0, failure: 0, drop: 0 };
const emptyHistory: History = { total: 0, accepts: 0, failingBuckets: 0, workingBuckets: 0 };
const events = {
  success: { kind: 'success' },
  failure: { kind: 'failure' },
  drop: { kind: 'drop' },
  startedRefusing: { kind: 'startedRefusing' },
  stoppedRefusing: { kind: 'stoppedRefusing' },
} as const satisfies Record<BreakerEvent['kind'], BreakerEvent>;
