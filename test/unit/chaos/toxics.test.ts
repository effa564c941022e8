import { expect, test } from 'vitest';
import { blackHole, closeAfter, cut, type NetworkFault, reset, silent, slice, slow, slowClose, throttle } from '../../../chaos/faults.ts';
import { type ToxicRequest, toxicsOf } from '../../../chaos/toxics.ts';

const edge = 'orders->payment';

test.each<[NetworkFault, Pick<ToxicRequest, 'type' | 'attributes'>]>([
  [slow(edge, { by: '1s' }), { type: 'latency', attributes: { latency: 1000, jitter: 0 } }],
  [slow(edge, { by: '0.8s', jitter: '200ms' }), { type: 'latency', attributes: { latency: 800, jitter: 200 } }],
  [slow(edge, { by: '1.6ms' }), { type: 'latency', attributes: { latency: 2, jitter: 0 } }],
  [silent(edge), { type: 'timeout', attributes: { timeout: 0 } }],
  [silent(edge, { closesAfter: '2s' }), { type: 'timeout', attributes: { timeout: 2000 } }],
  [reset(edge), { type: 'reset_peer', attributes: { timeout: 0 } }],
  [throttle(edge, { kilobytesPerSecond: 20 }), { type: 'bandwidth', attributes: { rate: 20 } }],
  [slice(edge, { bytes: 100 }), { type: 'slicer', attributes: { average_size: 100, size_variation: 0, delay: 0 } }],
  [
    slice(edge, { bytes: 100, variation: 20, pause: '1.5ms' }),
    { type: 'slicer', attributes: { average_size: 100, size_variation: 20, delay: 1500 } },
  ],
  [closeAfter(edge, { bytes: 5_000 }), { type: 'limit_data', attributes: { bytes: 5000 } }],
  [slowClose(edge, { by: '2s' }), { type: 'slow_close', attributes: { delay: 2000 } }],
])('%j acts on all answers as one toxic', (fault, toxic) => {
  expect(toxicsOf(fault)).toEqual([{ ...toxic, stream: 'downstream', toxicity: 1 }]);
});

test('a black hole swallows both ways', () => {
  const toxic = { type: 'bandwidth', attributes: { rate: 0 }, toxicity: 1 };
  expect(toxicsOf(blackHole(edge))).toEqual([
    { ...toxic, stream: 'upstream' },
    { ...toxic, stream: 'downstream' },
  ]);
});

test('direction and toxicity are taken as they are given', () => {
  expect(toxicsOf(slow(edge, { by: '1s', direction: 'upstream', toxicity: '30%' }))).toMatchObject([{ stream: 'upstream', toxicity: 0.3 }]);
  expect(toxicsOf(reset(edge, { direction: 'both' })).map(({ stream }) => stream)).toEqual(['upstream', 'downstream']);
});

test('a cut is no toxic', () => {
  expect(toxicsOf(cut('user->redis'))).toEqual([]);
});

test('a gentle throttle is never mistaken for a black hole', () => {
  expect(toxicsOf(throttle('user->redis', { kilobytesPerSecond: 0.2 }))[0]?.attributes).toEqual({ rate: 1 });
});

test('what is shorter than a millisecond is never mistaken for nothing', () => {
  const attributesOf = (fault: NetworkFault) => toxicsOf(fault)[0]?.attributes;
  expect(attributesOf(slow(edge, { by: '0.2ms', jitter: '0.2ms' }))).toEqual({ latency: 1, jitter: 0 });
  // A timeout of 0 never closes.
  expect(attributesOf(silent(edge, { closesAfter: '0.2ms' }))).toEqual({ timeout: 1 });
  expect(attributesOf(slowClose(edge, { by: '0.2ms' }))).toEqual({ delay: 1 });
});
