import type { Random } from '../../core/random.ts';
import { type ClockNs, millisecondNs, never, secondNs } from './clock.ts';

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
  /** The reason is kept for `reasons`. */
  failure(reason?: string): void;
  /** The chance in [0, 1) that a call made now would be refused. */
  readonly dropRatio: number;
  /** Calls since the breaker was made; they only grow. */
  readonly totals: Readonly<Counts>;
  /** Why the last calls failed, at most 5, the newest first. */
  reasons(): Reason[];
  /** What a decision made now would rest on. */
  snapshot(): BreakerSnapshot;
};

/** `atNs` is a reading of the breaker's clock. */
type Reason = { readonly atNs: number; readonly text: string };

type BreakerSnapshot = Decision & Readonly<History>;

/**
 * A breaker *starts refusing* (it trips) with its first drop after 10 s without one, and has *stopped* at the first call that comes after
 * 10 s without a drop: the two always alternate.
 */
type BreakerEvent = { readonly kind: 'startedRefusing' | 'stoppedRefusing' };

/** What may be tuned; go-zero's figures are the default (governance.md 1.1). */
type BreakerRules = {
  windowMs: number;
  /** The SRE book's K, and what it falls to while the recent past only fails. */
  multiplier: number;
  leastMultiplier: number;
  toleratedCalls: number;
  forcedPassMs: number;
  /** Whether refusing makes further refusals more likely. Without it a steady share of failures is refused in proportion and does not escalate. */
  countsDrops: boolean;
};

export function createBreaker({
  clockNs,
  random,
  rules: {
    windowMs = 10_000,
    multiplier: startMultiplier = 1.5,
    leastMultiplier = 1.1,
    toleratedCalls = 5,
    forcedPassMs = 1_000,
    countsDrops = true,
  } = {},
  onEvent = () => {},
}: {
  clockNs: ClockNs;
  random: Random;
  rules?: Partial<BreakerRules>;
  onEvent?: (event: BreakerEvent) => void;
}): Breaker {
  const bucketNs = (windowMs * millisecondNs) / bucketCount;
  const forcedPassNs = forcedPassMs * millisecondNs;
  const startNs = clockNs();
  const history = createHistory();
  const totals: Counts = { success: 0, failure: 0, drop: 0 };
  const reasons: Reason[] = [];
  let bucketEndNs = startNs + bucketNs;
  let lastPassNs = never;
  let lastDropNs = never;
  let isRefusing = false;

  /** Brings history up to this moment, which most calls find in the bucket that is current already. */
  function moveTo(nowNs: number) {
    if (nowNs < bucketEndNs) return;
    const bucket = Math.floor((nowNs - startNs) / bucketNs);
    history.advance(bucket);
    bucketEndNs = startNs + (bucket + 1) * bucketNs;
  }

  /** governance.md 1.3; what is above 0 is the rejection probability before it is softened. */
  function excess(): number {
    const total = countsDrops ? history.total : history.total - history.drops;
    return (total - toleratedCalls - multiplier() * history.accepts) / (total + 1);
  }

  function multiplier(): number {
    return Math.max(startMultiplier - ((startMultiplier - leastMultiplier) * history.failingBuckets) / bucketCount, leastMultiplier);
  }

  function softened(rejection: number): number {
    return rejection <= 0 ? 0 : (rejection * (bucketCount - history.workingBuckets)) / bucketCount;
  }

  function isAllowed(nowNs: number): boolean {
    const rejection = excess();
    if (rejection <= 0) return true;
    // One call a second is let through without asking chance: the only way to learn that the callee is back.
    const isForced = lastPassNs !== never && nowNs - lastPassNs > forcedPassNs;
    if (!isForced && random() < softened(rejection)) return false;
    lastPassNs = nowNs;
    return true;
  }

  function drop(nowNs: number) {
    history.drop();
    totals.drop += 1;
    lastDropNs = nowNs;
    if (isRefusing) return;
    isRefusing = true;
    onEvent(startedRefusing);
  }

  return {
    allow() {
      const nowNs = clockNs();
      moveTo(nowNs);
      if (isRefusing && nowNs - lastDropNs >= quietNs) {
        isRefusing = false;
        onEvent(stoppedRefusing);
      }
      if (isAllowed(nowNs)) return true;
      drop(nowNs);
      return false;
    },
    success() {
      moveTo(clockNs());
      history.success();
      totals.success += 1;
    },
    failure(text) {
      const nowNs = clockNs();
      moveTo(nowNs);
      history.failure();
      totals.failure += 1;
      if (text !== undefined) reasons.unshift({ atNs: nowNs, text });
      if (reasons.length > mostReasons) reasons.pop();
    },
    get dropRatio() {
      moveTo(clockNs());
      return softened(excess());
    },
    totals,
    reasons: () => [...reasons],
    snapshot() {
      moveTo(clockNs());
      const { total, accepts, failingBuckets, workingBuckets } = history;
      const rejection = excess();
      return {
        total,
        accepts,
        failingBuckets,
        workingBuckets,
        multiplier: multiplier(),
        excess: rejection,
        dropRatio: softened(rejection),
      };
    },
  };
}

type Counts = { success: number; failure: number; drop: number };
/** `multiplier` is the SRE book's K; `excess` its rejection probability before it is limited to [0, 1] and softened. */
type Decision = { readonly multiplier: number; readonly excess: number; readonly dropRatio: number };
type History = {
  /** All calls of the window, drops included, and those of them that succeeded. */
  total: number;
  accepts: number;
  /** How many of the buckets since the last one with a success saw failures, and since the last one with a failure successes. */
  failingBuckets: number;
  workingBuckets: number;
};

/**
 * The last 40 buckets and what a decision asks of them, kept up with every event, so that a decision need not walk them. Both runs are
 * at the end of history: a bucket with a success ends the failing one, a bucket with a failure the working one, and empty or drop-only
 * buckets neither extend nor end one. Buckets are numbered from 0 at the breaker's creation.
 */
function createHistory() {
  const successes = new Int32Array(bucketCount);
  const failures = new Int32Array(bucketCount);
  const drops = new Int32Array(bucketCount);
  let current = 0;
  let lastSuccess = -1;
  let lastFailure = -1;

  const history = {
    total: 0,
    drops: 0,
    accepts: 0,
    failingBuckets: 0,
    workingBuckets: 0,

    success() {
      const slot = current % bucketCount;
      if (successes[slot] === 0) {
        lastSuccess = current;
        history.failingBuckets = 0;
        if (failures[slot] === 0) history.workingBuckets += 1;
      }
      add(successes, slot);
      history.total += 1;
      history.accepts += 1;
    },

    failure() {
      const slot = current % bucketCount;
      if (failures[slot] === 0) {
        lastFailure = current;
        history.workingBuckets = 0;
        if (successes[slot] === 0) history.failingBuckets += 1;
      }
      add(failures, slot);
      history.total += 1;
    },

    drop() {
      add(drops, current % bucketCount);
      history.total += 1;
      history.drops += 1;
    },

    /** Makes a later bucket the current one; those that are 40 or more behind it are forgotten. */
    advance(bucket: number) {
      const last = Math.min(bucket, current + bucketCount);
      for (let next = current + 1; next <= last; next += 1) forget(next - bucketCount);
      current = bucket;
    },
  };

  /** The oldest bucket is part of a run when nothing has ended that run since. */
  function forget(bucket: number) {
    if (bucket < 0) return;
    const slot = bucket % bucketCount;
    const [succeeded = 0, failed = 0, dropped = 0] = [successes[slot], failures[slot], drops[slot]];
    if (failed > 0 && bucket > lastSuccess) history.failingBuckets -= 1;
    if (succeeded > 0 && bucket > lastFailure) history.workingBuckets -= 1;
    history.total -= succeeded + failed + dropped;
    history.drops -= dropped;
    history.accepts -= succeeded;
    successes[slot] = failures[slot] = drops[slot] = 0;
  }

  return history;
}

function add(counts: Int32Array, slot: number) {
  counts[slot] = (counts[slot] ?? 0) + 1;
}

const bucketCount = 40;
const mostReasons = 5;
/** Without a drop for so long a breaker has stopped refusing (governance.md 12). */
const quietNs = 10 * secondNs;
const startedRefusing: BreakerEvent = { kind: 'startedRefusing' };
const stoppedRefusing: BreakerEvent = { kind: 'stoppedRefusing' };
