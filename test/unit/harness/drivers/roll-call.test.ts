import { expect, test } from 'vitest';
import { createLiveCounts, type LiveCounts } from '../../../../harness/drivers/live.ts';
import { createRollCall, type Heard } from '../../../../harness/drivers/roll-call.ts';

/** Threads that answer when they are told to, and a clock that a call moves on by a second. */
function loadOf(count: number) {
  let nowMs = 0;
  const heard: Heard[] = [];
  const threads = Array.from({ length: count }, () => {
    const live = createLiveCounts();
    const asked: PromiseWithResolvers<LiveCounts>[] = [];
    return {
      asked,
      sent: live.sent,
      answer: async (inFlight = 0) => {
        asked.shift()?.resolve(live.take(inFlight));
        await Promise.resolve();
      },
      end: async () => {
        asked.shift()?.reject(new Error('The thread has ended'));
        await Promise.resolve();
      },
    };
  });
  const callRoll = createRollCall({
    threads: threads.map(({ asked }) => () => {
      const question = Promise.withResolvers<LiveCounts>();
      asked.push(question);
      return question.promise;
    }),
    now: () => nowMs,
    onHeard: (told) => heard.push(told),
  });
  const call = () => {
    nowMs += 1_000;
    callRoll();
  };
  const told = () =>
    heard.map(({ counts, silentMs }) => ({ silentMs, sent: counts.map(({ sent }) => sent), inFlight: counts.map((one) => one.inFlight) }));
  return { threads, call, told };
}

test('tells a second when all have answered', async () => {
  const { threads, call, told } = loadOf(2);
  const [one, other] = threads;
  call();
  one?.sent();
  await one?.answer(3);
  expect(told()).toEqual([]);
  await other?.answer(4);
  expect(told()).toEqual([{ silentMs: undefined, sent: [1, 0], inFlight: [3, 4] }]);
});

test('waits for a thread that is held up, and loses nothing of what the others count', async () => {
  const { threads, call, told } = loadOf(2);
  const [one, other] = threads;
  call();
  one?.sent();
  await one?.answer();
  call();
  one?.sent();
  await other?.answer();
  call();
  await one?.answer();
  await other?.answer();
  expect(told().map(({ sent, silentMs }) => [sent, silentMs])).toEqual([
    [[1, 0], undefined],
    [[1, 0], undefined],
  ]);
});

test('tells with every call for how long a thread has been silent, beside what the others have counted', async () => {
  const { threads, call, told } = loadOf(2);
  const [one, other] = threads;
  call();
  await one?.answer(1);
  await other?.answer(7);
  for (let second = 0; second < 6; second += 1) {
    call();
    one?.sent();
    await one?.answer(1);
  }
  expect(told().slice(1)).toEqual([
    { silentMs: 3_000, sent: [1, 0], inFlight: [1, 7] },
    { silentMs: 4_000, sent: [3, 0], inFlight: [1, 7] },
    { silentMs: 5_000, sent: [1, 0], inFlight: [1, 7] },
  ]);
  expect(other?.asked).toHaveLength(1);
  await other?.answer(2);
  expect(told().at(-1)).toEqual({ silentMs: undefined, sent: [1, 0], inFlight: [1, 2] });
});

test('of a thread that has ended nothing more is told', async () => {
  const { threads, call, told } = loadOf(1);
  call();
  await threads[0]?.end();
  for (let second = 0; second < 5; second += 1) call();
  expect(told()).toEqual([]);
});
