import type { Chunk, Stage, ToxicKind } from '../../../../../chaos/embedded/toxic.ts';
import type { Random } from '../../../../../core/random.ts';

/** A stage whose clock the test owns: `advance` moves it, rings the alarm `lateMs` after it is due, and everything is noted with its time. */
export function actOf<A extends string>(kind: ToxicKind<A>, attributes: Record<A, number>, random: Random = () => 0.5, lateMs = 0) {
  let nowMs = 0;
  let alarm: { dueMs: number; wake: () => void } | undefined;
  const passed: string[] = [];
  const queue: Chunk[] = [];
  let isBusy = false;

  const stage: Stage = {
    clock: () => nowMs,
    random,
    memory: { passedBytes: 0 },
    pass: ({ bytes, stampMs }) => passed.push(`${nowMs}: ${bytes.length} B stamped ${stampMs}`),
    done() {
      isBusy = false;
      takeNext();
    },
    end: () => passed.push(`${nowMs}: end`),
    wakeAfter(waitMs, wake) {
      alarm = { dueMs: nowMs + waitMs + lateMs, wake };
    },
    putBack: (chunk) => queue.unshift(chunk),
  };
  const act = kind.act(attributes, stage);
  let isTaking = false;

  /** In a loop, as the true stage: a chunk may be put back thousands of times. */
  function takeNext(): void {
    if (isTaking) return;
    isTaking = true;
    while (!isBusy) {
      const chunk = queue.shift();
      if (chunk === undefined) break;
      isBusy = true;
      act.take(chunk);
    }
    isTaking = false;
  }

  return {
    act,
    passed,
    queue,
    read(bytes: number) {
      queue.push({ bytes: Buffer.alloc(bytes), stampMs: nowMs });
      takeNext();
    },
    advance(forMs: number) {
      const untilMs = nowMs + forMs;
      while (alarm !== undefined && alarm.dueMs <= untilMs) {
        const { dueMs, wake } = alarm;
        nowMs = Math.max(nowMs, dueMs);
        alarm = undefined;
        wake();
      }
      nowMs = untilMs;
    },
  };
}
