import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Random, seededRandom } from '../../../../core/random.ts';
import { nextStep, type SearchSettings, type Trial, type TrialOutcome } from '../../../../harness/search/search.ts';

type System = (ratePerSecond: number) => TrialOutcome;

const settings: SearchSettings = { fromPerSecond: 50, upToPerSecond: 10_000, precision: 0.05 };
const sharp =
  (knee: number): System =>
  (rate) =>
    rate <= knee ? 'met' : 'missed';

test('doubles until it misses, makes sure, narrows, and makes sure of both sides of the limit', () => {
  const { trials, result } = search(sharp(412));
  const told = trials.map(({ ratePerSecond, why }) => `${why} ${ratePerSecond}`);
  expect(told).toEqual([
    ...['climbs 50', 'climbs 100', 'climbs 200', 'climbs 400', 'climbs 800', 'repeats 800'],
    ...['narrows 566', 'narrows 476', 'narrows 436', 'narrows 418'],
    ...['repeats 400', 'repeats 400', 'repeats 418', 'repeats 418'],
  ]);
  expect(result).toEqual({ kind: 'found', met: tally(400, { met: 3 }), above: tally(418, { missed: 3 }) });
});

test('finds any sharp limit to within its precision, in a number of trials that is known beforehand', () => {
  const runs = fc.record({
    fromPerSecond: fc.double({ min: 0.5, max: 500, noNaN: true }),
    times: fc.double({ min: 1, max: 1_000, noNaN: true }),
    precision: fc.double({ min: 0.02, max: 0.5, noNaN: true }),
  });
  fc.assert(
    fc.property(runs, ({ fromPerSecond, times, precision }) => {
      const knee = fromPerSecond * times;
      const { trials, result } = search(sharp(knee), { fromPerSecond, precision, upToPerSecond: fromPerSecond * 1_500 });
      if (result.kind === 'aboveHighest') return expect(knee).toBeGreaterThanOrEqual(result.met.ratePerSecond);
      if (result.kind !== 'found') throw new Error(`Expected a limit, got ${result.kind}`);
      expect(result.met.ratePerSecond).toBeLessThanOrEqual(knee);
      expect(result.above.ratePerSecond).toBeGreaterThan(knee);
      expect(result.above.ratePerSecond / result.met.ratePerSecond).toBeLessThanOrEqual(1 + precision + 0.01);
      // Climbs, the second look at the top, halvings of an octave (rounding may cost one more), and two more looks at either side.
      const halvings = Math.max(0, Math.ceil(Math.log2(Math.log(2) / Math.log(1 + precision)))) + 1;
      expect(trials.length).toBeLessThanOrEqual(Math.ceil(Math.log2(times)) + 2 + 1 + halvings + 4);
    }),
  );
});

// A trial of a real mall: every one has a limit of its own near the true one, some are spoilt by a busy machine, some come to nothing.
test.each([
  { noise: 0.02, spoilt: 0, vain: 0 },
  { noise: 0.03, spoilt: 0, vain: 0.1 },
  { noise: 0.02, spoilt: 0.05, vain: 0.05 },
])('19 of 20 searches are right about a limit that moves by $noise, with $spoilt spoilt trials and $vain in vain', (trouble) => {
  const rounds = 400;
  let [right, answered] = [0, 0];
  for (let seed = 0; seed < rounds; seed += 1) {
    const random = seededRandom(seed);
    const knee = 60 * 2 ** (random() * 5);
    const { trials, result } = search(noisy(knee, trouble, random));
    expect(trials.length).toBeLessThanOrEqual(60);
    if (result.kind !== 'found') continue;
    answered += 1;
    // Beyond the precision asked for, what is sought is itself only there to within its noise.
    const slack = 1 + 0.05 + 2 * trouble.noise;
    if (result.met.ratePerSecond <= knee * slack && result.above.ratePerSecond >= knee / slack) right += 1;
  }
  expect(answered / rounds).toBeGreaterThan(0.95);
  expect(right / answered).toBeGreaterThanOrEqual(0.95);
});

test('says that even the lowest rate missed, after three trials of it', () => {
  expect(search(() => 'missed')).toMatchObject({
    trials: [{ ratePerSecond: 50 }, { ratePerSecond: 50 }, { ratePerSecond: 50 }],
    result: { kind: 'belowLowest', above: { ratePerSecond: 50, missed: 3 } },
  });
});

test('says that even the highest rate met, and tries nothing beyond it', () => {
  const { trials, result } = search(() => 'met', { ...settings, upToPerSecond: 300 });
  expect(trials.map(({ ratePerSecond }) => ratePerSecond)).toEqual([50, 100, 200, 300, 300, 300]);
  expect(result).toEqual({ kind: 'aboveHighest', met: tally(300, { met: 3 }) });
});

test('a trial that came to nothing is repeated and changes nothing', () => {
  let asked = 0;
  const clear = search(sharp(412));
  const { trials, result } = search((rate) => (++asked % 3 === 2 ? 'unknown' : sharp(412)(rate)));
  expect(trials.filter(({ outcome }) => outcome !== 'unknown').map(({ ratePerSecond }) => ratePerSecond)).toEqual(
    clear.trials.map(({ ratePerSecond }) => ratePerSecond),
  );
  expect(result.kind).toBe('found');
});

test('trials in vain never count as missed: where there is nothing else the answer is undecided', () => {
  const { trials, result } = search((rate) => (rate <= 412 ? 'met' : 'unknown'));
  expect(result).toMatchObject({ kind: 'undecided', met: { ratePerSecond: 400, met: 3 }, above: { unknown: 3, missed: 0 } });
  expect(trials.filter(({ ratePerSecond }) => ratePerSecond === 800)).toHaveLength(3);
  expect(search(() => 'unknown')).toMatchObject({ trials: { length: 3 }, result: { kind: 'undecided', above: { unknown: 3 } } });
});

test('a limit that is promised is one that surely met: an undecided rate lies above it', () => {
  const { result } = search((rate) => (rate <= 300 ? 'met' : rate <= 500 ? 'undecided' : 'missed'));
  expect(result).toMatchObject({ kind: 'found', met: { met: 3 }, above: { undecided: 3 } });
  expect(result.kind === 'found' && result.met.ratePerSecond).toBeLessThanOrEqual(300);
  expect(search(() => 'undecided').result).toMatchObject({ kind: 'undecided', above: { undecided: 3 } });
});

test('one bad moment far below the limit does not move it', () => {
  let hasStumbled = false;
  const { result } = search((rate) => {
    if (rate !== 100 || hasStumbled) return sharp(412)(rate);
    hasStumbled = true;
    return 'missed';
  });
  expect(result).toMatchObject({ kind: 'found', met: { ratePerSecond: 400 }, above: { ratePerSecond: 418 } });
});

test('the first of the two sides that does not stand its ground becomes the other, and the search goes on', () => {
  const luckyOnce = new Set([566]);
  const { result } = search((rate) => (luckyOnce.delete(rate) ? 'met' : sharp(412)(rate)));
  expect(result).toMatchObject({ kind: 'found', met: { ratePerSecond: 400 }, above: { ratePerSecond: 418, missed: 3 } });
});

test('ends undecided, with how far it came, when its trials are used up', () => {
  const { trials, result } = search(sharp(412), { ...settings, mostTrials: 8 });
  expect(trials).toHaveLength(8);
  expect(result).toMatchObject({
    kind: 'undecided',
    met: { ratePerSecond: 400 },
    above: { ratePerSecond: 476 },
    why: expect.stringContaining('8'),
  });
});

function search(system: System, how: SearchSettings = settings) {
  const trials: (Trial & { why: string })[] = [];
  for (;;) {
    const step = nextStep(how, trials);
    if (step.kind === 'done') return { trials, result: step.result };
    if (trials.length > 1_000) throw new Error('This search does not end');
    trials.push({ ratePerSecond: step.ratePerSecond, why: step.why, outcome: system(step.ratePerSecond) });
  }
}

function noisy(knee: number, { noise, spoilt, vain }: { noise: number; spoilt: number; vain: number }, random: Random): System {
  return (rate) => {
    if (random() < vain) return 'unknown';
    if (random() < spoilt) return 'missed';
    return sharp(knee * (1 + noise * gaussian(random)))(rate);
  };
}

/** https://en.wikipedia.org/wiki/Box%E2%80%93Muller_transform */
const gaussian = (random: Random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

const tally = (ratePerSecond: number, counts: Partial<Record<TrialOutcome, number>>) => ({
  ratePerSecond,
  ...{ met: 0, missed: 0, undecided: 0, unknown: 0 },
  ...counts,
});
