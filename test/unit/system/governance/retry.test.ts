import { ROOT_CONTEXT } from '@opentelemetry/api';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { seededRandom } from '../../../../core/random.ts';
import { cancelled, MallError, refused } from '../../../../system/errors.ts';
import { backoffMs, createRetryBudget } from '../../../../system/governance/retry.ts';
import { remainingMs, withDeadline } from '../../../../system/rpc/context.ts';
import { type Call, compose } from '../../../../system/rpc/interceptors/interceptor.ts';
import { type RetryEvent, retry } from '../../../../system/rpc/interceptors/retry.ts';
import { isUnanswered } from '../../../../system/rpc/status.ts';
import { standingClock } from '../../../support/runtime.ts';

const unreachable = new MallError('rpc');

test('a tenth of the calls of the last ten seconds may be retried', () => {
  const { budget, advance } = budgetOf(0.1);
  for (let index = 0; index < 100; index += 1) budget.call();
  const granted = () => Array.from({ length: 20 }, () => budget.retry()).filter(Boolean).length;
  expect(granted()).toBe(10);
  advance(9_000);
  for (let index = 0; index < 50; index += 1) budget.call();
  expect(granted()).toBe(5);
  // The first hundred and their ten retries are forgotten together.
  advance(2_000);
  expect(granted()).toBe(0);
  for (let index = 0; index < 10; index += 1) budget.call();
  expect(granted()).toBe(1);
});

test('without calls there is nothing to retry with', () => {
  const { budget } = budgetOf(1);
  expect(budget.retry()).toBe(false);
  budget.call();
  expect([budget.retry(), budget.retry()]).toEqual([true, false]);
});

test('whatever fails, and however the calls are spread over time, attempts never exceed calls x (1 + share)', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        share: fc.double({ min: 0, max: 1, noNaN: true }),
        attempts: fc.integer({ min: 1, max: 5 }),
        // How long after the one before each call comes, and which of the attempts go through.
        calls: fc.array(
          fc.record({
            afterMs: fc.oneof(fc.nat(20), fc.nat(3_000), fc.nat(30_000)),
            works: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
          }),
          { maxLength: 200, size: 'max' },
        ),
      }),
      async ({ share, attempts, calls }) => {
        const client = clientOf({ share, attempts });
        let made = 0;
        for (const { afterMs, works } of calls) {
          client.clock.advance(afterMs);
          let attempt = 0;
          await client
            .ask(async () => {
              made += 1;
              attempt += 1;
              if (works[attempt - 1] !== true) throw unreachable;
            })
            .catch(() => undefined);
        }
        expect(made).toBeLessThanOrEqual(calls.length * (1 + share) + 1e-9);
        expect(made).toBe(calls.length + client.events.filter((event) => event === 'retried').length);
      },
    ),
    { numRuns: 100 },
  );
});

test('the wait before a retry doubles up to the longest, and lies anywhere below', () => {
  const settings = { firstDelayMs: 25, longestDelayMs: 150 };
  const longest = [1, 2, 3, 4, 5].map((number) => backoffMs(number, { ...settings, random: () => 1 }));
  expect(longest).toEqual([25, 50, 100, 150, 150]);
  const random = seededRandom(1);
  const some = Array.from({ length: 1_000 }, () => backoffMs(2, { ...settings, random }));
  expect(Math.min(...some)).toBeLessThan(1);
  expect(Math.max(...some)).toBeGreaterThan(49);
});

test('a call that is not answered is made again, as a call of its own', async () => {
  const client = clientOf({ attempts: 3, share: 1 });
  for (let index = 0; index < 3; index += 1) await client.ask(async () => undefined);
  const seen: Call[] = [];
  const answer = await client.ask(async (call) => {
    seen.push(call);
    if (seen.length < 3) throw unreachable;
    return 'there you are';
  });
  expect([answer, seen.map(({ attempt }) => attempt), new Set(seen).size]).toEqual(['there you are', [undefined, 2, 3], 3]);
  expect(client.pauses).toEqual([100, 200]);
  expect(client.events).toEqual(['retried', 'retried']);
});

test.each([
  ['a failure of the business', new MallError('outOfStock')],
  ['its own breaker', refused('breaker')],
  ['a shedder', refused('shedding')],
  ['the deadline', refused('deadline')],
  ['a mistake', new TypeError('x is not a function')],
  ['a caller who went away', cancelled()],
])('what was ended by %s is not made again', async (_what, failure) => {
  const client = clientOf({ attempts: 3, share: 1 });
  const send = vi.fn(async () => Promise.reject(failure));
  await expect(client.ask(send)).rejects.toBe(failure);
  expect([send.mock.calls.length, client.events]).toEqual([1, []]);
});

test('when the budget is used up the failure is handed on, and it is told', async () => {
  const client = clientOf({ attempts: 3, share: 0 });
  await expect(client.ask(() => Promise.reject(unreachable))).rejects.toBe(unreachable);
  expect(client.events).toEqual(['withheld']);
});

test('all attempts share one limit, and without time for the wait there is none', async () => {
  const client = clientOf({ attempts: 5, share: 1, budgetMs: 320 });
  for (let index = 0; index < 5; index += 1) await client.ask(async () => undefined);
  const left: number[] = [];
  const outcome = client.ask(async ({ context }) => {
    left.push(remainingMs(client.clock, context));
    client.clock.advance(20);
    throw unreachable;
  });
  await expect(outcome).rejects.toBe(unreachable);
  expect(left).toEqual([320, 200]);
  expect(client.pauses).toEqual([100]);
});

test('a caller who goes away is not retried for', async () => {
  const client = clientOf({ attempts: 3, share: 1 });
  const hangUp = new AbortController();
  const send = vi.fn(async () => {
    hangUp.abort(cancelled());
    throw unreachable;
  });
  await expect(client.ask(send, hangUp)).rejects.toBe(unreachable);
  expect(send).toHaveBeenCalledTimes(1);
});

function budgetOf(share: number) {
  const clock = standingClock();
  return { budget: createRetryBudget({ clockNs: () => clock.nowMs() * 1e6, share }), advance: clock.advance };
}

/** A client that waits 100 ms, 200 ms and so on before its retries; waiting moves its clock. */
function clientOf({ attempts, share, budgetMs = 60_000 }: { attempts: number; share: number; budgetMs?: number }) {
  const clock = standingClock();
  const events: RetryEvent[] = [];
  const pauses: number[] = [];
  const layer = retry(
    { clock },
    {
      attempts,
      budgetMs,
      budget: createRetryBudget({ clockNs: () => clock.nowMs() * 1e6, share }),
      isWorthIt: isUnanswered,
      delayMs: (number) => number * 100,
      onEvent: (event) => events.push(event),
      async pause(ms) {
        pauses.push(ms);
        clock.advance(ms);
      },
    },
  );
  return {
    clock,
    events,
    pauses,
    ask: (send: (call: Call) => Promise<unknown>, hangUp?: AbortController) =>
      compose([layer], send)({ request: null, context: withDeadline(ROOT_CONTEXT, Number.POSITIVE_INFINITY, hangUp) }),
  };
}
