import { expect, test } from 'vitest';
import { longestSearch } from '../../../../harness/search/length.ts';

const trialMs = () => 8_000;

// With a limit just above 400, 100 and 200 are tried once, and 400 as one end of the limit three times. 800 misses and is repeated, 566 and 476
// miss on the way down, and 436 as the other end three times.
test('is as long as the limit that takes most trials to be found', () => {
  const { trials, lastsMs } = longestSearch({ fromPerSecond: 100, upToPerSecond: 800, precision: 0.1, trialMs });
  expect(trials).toBe(12);
  expect(lastsMs).toBe(12_000 + 12 * 8_000 + 7 * 12_000);
});

test('takes each trial for as long as its rate needs', () => {
  const settings = { fromPerSecond: 100, upToPerSecond: 200, precision: 0.5 };
  const { lastsMs } = longestSearch({ ...settings, trialMs: (rate) => (rate === 100 ? 30_000 : 5_000) });
  const { lastsMs: ifAlike } = longestSearch({ ...settings, trialMs: () => 5_000 });
  expect(lastsMs - ifAlike).toBe(3 * 25_000);
});
