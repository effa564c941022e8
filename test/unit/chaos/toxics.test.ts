import { expect, test } from 'vitest';
import { cut, type Fault, reset, sentenceOf, silent, slow, throttle } from '../../../chaos/faults.ts';
import { type ToxicRequest, toxicOf } from '../../../chaos/toxics.ts';

test.each<[Fault, Pick<ToxicRequest, 'type' | 'attributes'>]>([
  [slow('orders->payment', { by: '1s' }), { type: 'latency', attributes: { latency: 1000, jitter: 0 } }],
  [slow('orders->payment', { by: '0.8s', jitter: '200ms' }), { type: 'latency', attributes: { latency: 800, jitter: 200 } }],
  [slow('orders->payment', { by: '1.6ms' }), { type: 'latency', attributes: { latency: 2, jitter: 0 } }],
  [silent('orders->payment'), { type: 'timeout', attributes: { timeout: 0 } }],
  [silent('orders->payment', { closesAfter: '2s' }), { type: 'timeout', attributes: { timeout: 2000 } }],
  [reset('orders->payment'), { type: 'reset_peer', attributes: { timeout: 0 } }],
  [throttle('orders->payment', { kilobytesPerSecond: 20 }), { type: 'bandwidth', attributes: { rate: 20 } }],
])('%j acts on answers as a toxic', (fault, toxic) => {
  expect(toxicOf(fault)).toEqual({ ...toxic, stream: 'downstream' });
});

test('a cut is no toxic', () => {
  expect(toxicOf(cut('user->redis'))).toBeUndefined();
});

test('a gentle throttle is never mistaken for silence', () => {
  expect(toxicOf(throttle('user->redis', { kilobytesPerSecond: 0.2 }))?.attributes).toEqual({ rate: 1 });
});

test.each([
  [slow('orders->payment', { by: '800ms', jitter: '200ms', replica: 2 }), 'orders->payment, replica 2 only: slowed by 800ms ± 200ms'],
  [silent('user->redis', { closesAfter: '2s' }), 'user->redis: answers vanish, closed after 2s'],
  [cut('user->redis'), 'user->redis: cut'],
])('%j says what it does', (fault, sentence) => {
  expect(sentenceOf(fault)).toBe(sentence);
});
