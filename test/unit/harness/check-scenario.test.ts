import { expect, test } from 'vitest';
import { described } from '../../../core/described.ts';
import { messageOf, UsageError } from '../../../core/errors.ts';
import {
  capacity,
  get,
  kill,
  latency,
  phase,
  scenario,
  silent,
  slice,
  slow,
  spike,
  stages,
  steady,
  steps,
  throttle,
  vocabulary,
} from '../../../harness/index.ts';
import { planRun } from '../../../harness/plan.ts';
import { planSearch } from '../../../harness/search/question.ts';

const shop = vocabulary('list', 'buy');
const journey = shop.journey(async ({ step }) => void (await step('list', get('/'))));
const expectations = [latency('browse').p50.below('1s')];
const visitors = { timeout: '1s', atMost: 100, threads: 2 } as const;
const mall = scenario('a mall', {
  story: 'All fields there are.',
  mall: { replicas: { orders: 2 }, stock: { 'sku-1': 5 }, tuning: { gateway: { shedding: { cpuThresholdMilli: 900 } } } },
  shoppers: { browse: 1, view: 0, checkout: 1, wanted: { product: 'sku-1', share: 0.5 } },
  timeline: [
    phase('calm', { lasts: '10s', load: steady('0.5x'), expect: expectations, otherwise: 'stop' }),
    phase('spike', {
      lasts: '10s',
      load: spike({ base: '20/s', to: '90/s', at: '1s', lasts: '2s' }),
      faults: [
        slow('orders->payment', {
          by: '1s',
          jitter: '1s',
          direction: 'both',
          toxicity: '50%',
          replica: 1,
          lasts: '2s',
          every: '4s',
          from: '1s',
        }),
        silent('orders->payment', { closesAfter: '1s' }),
        throttle('orders->payment', { kilobytesPerSecond: 5 }),
        slice('orders->payment', { bytes: 10, variation: 2, pause: '1ms' }),
        kill('gateway', { replica: 1 }),
      ],
      expect: [],
    }),
    phase('stages', { lasts: '10s', load: stages([{ lasts: '10s', from: '20/s', to: '90/s' }]), expect: [] }),
    phase('steps', { lasts: '10s', load: steps(['20/s', '40/s']), expect: [] }),
  ],
  always: expectations,
  visitors,
});
const ofTarget = { story: 'All fields there are.', journey, visitors };
const http = scenario('a shop', {
  ...ofTarget,
  target: { http: 'https://127.0.0.1:3000', insecure: true },
  timeline: [phase('calm', { lasts: '10s', load: steady('20/s'), expect: [shop.latency('list').p50.below('1s')] })],
  stopConditions: [shop.abortWhen('buy', { errorsAbove: '50%', for: '1s' })],
});
const search = capacity('a search', {
  ...ofTarget,
  ...{ target: { grpc: '127.0.0.1:50051', proto: ['shop.proto'], tls: true }, within: [shop.errors('list').below('1%')] },
  ...{ from: '50/s', upTo: '90/s', lasts: '8s', precision: '5%' },
});

/** What nobody means to write. */
const odd = [undefined, null, true, 0, -1, 0.5, Number.NaN, '', ' ', 'x', '-1s', [], [[]], [undefined], {}, { x: 1 }, () => 0, 5n];

const allKinds: [string, object, (written: never) => unknown][] = [
  ['scenario of the mall', mall, planRun],
  ['scenario of a target', http, planRun],
  ['search', search, planSearch],
];

test.each(allKinds)('whatever stands in whichever field of a %s, it is planned or refused in a sentence', (_, written, plan) => {
  plan(written as never);
  const places = placesIn(written);
  expect(places.length).toBeGreaterThan(15);
  const raw = places.flatMap((place) =>
    odd.flatMap((value) => {
      try {
        plan(replaced(written, place, value) as never);
      } catch (thrown) {
        const isSentence = thrown instanceof UsageError && !/\n|\[object|Cannot|is not (a|iterable)\b/.test(thrown.message);
        if (!isSentence) return [`${place.join('.')}, ${described(value)}: ${messageOf(thrown)}`];
      }
      return [];
    }),
  );
  expect(raw).toEqual([]);
});

test.each(allKinds)('a field that nobody reads is refused wherever it stands in a %s', (_, written, plan) => {
  const objects = [[], ...placesIn(written)].filter((place) => {
    const value = at(written, place);
    return typeof value === 'object' && value !== null && !Array.isArray(value) && !isOurs(value);
  });
  expect(objects.length).toBeGreaterThan(2);
  for (const place of objects) {
    const withStray = replaced(written, place, { ...(at(written, place) as object), stray: 1 });
    expect(() => plan(withStray as never), place.join('.')).toThrow(/'stray'/);
  }
});

/** Every field of what a person writes. */
function placesIn(written: object, path: readonly string[] = []): (readonly string[])[] {
  return Object.entries(written).flatMap(([name, value]) => {
    const here = [...path, name];
    return [here, ...(typeof value === 'object' && value !== null && !isOurs(value) ? placesIn(value, here) : [])];
  });
}

/** What an expectation, a condition or a journey holds words of ours wrote. */
const isOurs = (value: object) => 'sentence' in value || 'visit' in value;

const at = (written: unknown, place: readonly string[]): unknown =>
  place.reduce((inner, name) => (inner as Record<string, unknown>)[name], written);

function replaced(written: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  const copy = (Array.isArray(written) ? [...written] : { ...(written as object) }) as Record<string, unknown>;
  copy[name] = replaced(copy[name], rest, value);
  return copy;
}
