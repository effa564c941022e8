import { expect, test } from 'vitest';
import { isRight } from '../../../../bench/truth/figure.ts';
import { scripts } from '../../../../bench/truth/scripts.ts';
import { planned } from '../../../../bench/truth/truth.ts';
import { perfectlyPlayed } from '../../../support/truth/perfectly-played.ts';

const script = (name: string) => {
  const found = scripts.find((one) => one.name === name);
  if (found === undefined) throw new Error(`There is no script '${name}'`);
  return found;
};
const wrongIn = (name: string, change: (seen: ReturnType<typeof perfectlyPlayed>) => void) => {
  const seen = perfectlyPlayed(script(name));
  change(seen);
  return script(name)
    .figures(seen)
    .filter((figure) => isRight(figure) === false)
    .map((figure) => figure.name);
};

test.each(scripts.map(({ name }) => name))('whoever makes no mistake is right in every figure of: %s', (name) => {
  expect(wrongIn(name, () => {})).toEqual([]);
});

test.each(scripts.map(({ name }) => name))('what a figure of a script claims is told by whoever tells everything: %s', (name) => {
  const silent = script(name)
    .figures(perfectlyPlayed(script(name)))
    .filter(({ said, target }) => target !== undefined && said === undefined);
  expect(silent).toEqual([]);
});

test('the ramp plans 15,005 requests', () => {
  expect(planned(script('ramp').workload)).toBe(15_005);
});

test('the truth of the stall is that of its stamps', () => {
  const seen = { ...perfectlyPlayed(script('stall')), stoppedMs: 1_003 };
  expect(script('stall').figures(seen)).toContainEqual(
    expect.objectContaining({ name: 'p99', target: expect.objectContaining({ truth: expect.closeTo(923, 6) }) }),
  );
});

test('who leaves time-outs out of the percentiles is wrong at p99', () => {
  expect(wrongIn('hang', ({ measured }) => Object.assign(measured.percentilesMs, { p99: 20 }))).toEqual(['p99']);
});

test('one request too few is wrong', () => {
  expect(wrongIn('ramp', ({ measured }) => Object.assign(measured, { answered: measured.answered - 1 }))).toEqual(['accounted for']);
});

test('a request that was said to be sent and never came is wrong', () => {
  expect(wrongIn('uniform', ({ measured }) => Object.assign(measured, { sent: (measured.sent ?? 0) + 1 }))).toEqual(['sent']);
});

test('a p50 of nothing is wrong even where every answer is fast', () => {
  expect(
    wrongIn('floor', (seen) => {
      // A real server takes a moment.
      seen.logged.answeredUs = seen.logged.arrivedUs.map((us) => us + 5);
      Object.assign(seen.measured.percentilesMs, { p50: 0 });
    }),
  ).toEqual(['p50']);
});

test('an error that was not told is wrong', () => {
  expect(wrongIn('fin', ({ measured }) => Object.assign(measured, { errors: {}, answered: measured.answered + 80 }))).toEqual(['errors']);
});
