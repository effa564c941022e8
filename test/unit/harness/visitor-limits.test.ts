import { expect, test } from 'vitest';
import { UsageError } from '../../../core/errors.ts';
import { defaultLimits, limitsOf, sentenceOf, shareOf, type VisitorLimits } from '../../../harness/visitor-limits.ts';

test.each<[VisitorLimits | undefined, Partial<typeof defaultLimits>]>([
  [undefined, {}],
  [{}, {}],
  [{ timeout: '10ms' }, { timeoutMs: 10 }],
  [{ timeout: '60s' }, { timeoutMs: 60_000 }],
  [{ timeout: '1m' }, { timeoutMs: 60_000 }],
  [{ atMost: 1 }, { maxInFlight: 1 }],
  [
    { atMost: 100_000, threads: 16 },
    { maxInFlight: 100_000, threads: 16 },
  ],
  [
    { atMost: 4, threads: 4 },
    { maxInFlight: 4, threads: 4 },
  ],
])('%o are taken at their word, and what they leave out is as it always is', (visitors, changed) => {
  expect(limitsOf(visitors)).toEqual({ ...defaultLimits, ...changed });
});

test.each([
  [5, 2, [3, 2]],
  [3, 2, [2, 1]],
  [10_000, 3, [3_334, 3_333, 3_333]],
  [4, 4, [1, 1, 1, 1]],
  [10_000, 1, [10_000]],
])('%d visitors under way are shared by %d threads, and nobody is lost', (maxInFlight, of, shares) => {
  expect(Array.from({ length: of }, (_, index) => shareOf(maxInFlight, { index, of }))).toEqual(shares);
});

const wait = "Expected the 'timeout' of visitors to be a duration from 10ms to 60s";
const many = "Expected 'atMost' of visitors to be a whole number from 1 to 100000";
const threads = "Expected the 'threads' of visitors to be a whole number from 1 to 16";
test.each<[unknown, string]>([
  [{ timeout: '9ms' }, `${wait}, got '9ms'`],
  [{ timeout: '61s' }, `${wait}, got '61s'`],
  [{ timeout: 'soon' }, `${wait}, got 'soon'`],
  [{ timeout: 5_000 }, `${wait}, got 5000`],
  [{ atMost: 0 }, `${many}, got 0`],
  [{ atMost: 100_001 }, `${many}, got 100001`],
  [{ atMost: 1.5 }, `${many}, got 1.5`],
  [{ atMost: '10' }, `${many}, got '10'`],
  [{ threads: 0 }, `${threads}, got 0`],
  [{ threads: 17 }, `${threads}, got 17`],
  [{ threads: 1.5 }, `${threads}, got 1.5`],
  [{ atMost: 3, threads: 4 }, "Expected 'atMost' of visitors to be one for each of their 4 threads at least, got 3"],
  [{ timeOut: '1s' }, "Expected visitors to have 'timeout', 'atMost' and 'threads' only, got 'timeOut'"],
  ['5s', "Expected visitors to be an object, got '5s'"],
  [null, 'Expected visitors to be an object, got null'],
])('%o is refused in one sentence', (visitors, sentence) => {
  const check = () => limitsOf(visitors as VisitorLimits);
  expect(check).toThrow(UsageError);
  expect(check).toThrow(sentence);
});

test.each<[VisitorLimits, string | undefined]>([
  [{}, undefined],
  [{ timeout: '5000ms', atMost: 10_000, threads: 1 }, undefined],
  [{ timeout: '250ms' }, 'time limit 0.25 s'],
  [{ atMost: 20_000 }, 'at most 20000 under way'],
  [{ timeout: '1m', atMost: 100, threads: 2 }, 'time limit 60 s, at most 100 under way, 2 threads'],
])('of %o only what differs from the defaults is told', (visitors, sentence) => {
  expect(sentenceOf(limitsOf(visitors))).toBe(sentence);
});
