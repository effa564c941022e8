import { expect, test } from 'vitest';
import {
  blackHole,
  calleeOf,
  closeAfter,
  cut,
  type Fault,
  kill,
  openConnections,
  pause,
  reset,
  restart,
  sentenceOf,
  silent,
  slice,
  slow,
  slowClose,
  subjectOf,
  throttle,
} from '../../../chaos/faults.ts';

test.each<[Fault, string]>([
  [slow('orders->payment', { by: '800ms', jitter: '200ms', replica: 2 }), 'orders->payment, replica 2 only: slowed by 800ms ± 200ms'],
  [slow('orders->payment', { by: '1s', direction: 'upstream' }), 'orders->payment: slowed by 1s, on requests'],
  [
    slow('orders->payment', { by: '1s', direction: 'both', toxicity: '30%' }),
    'orders->payment: slowed by 1s, both ways, 30% of connections',
  ],
  [silent('user->redis', { closesAfter: '2s' }), 'user->redis: answers vanish, closed after 2s'],
  [silent('user->redis', { direction: 'upstream' }), 'user->redis: requests vanish'],
  [silent('user->redis', { direction: 'both', toxicity: '10%' }), 'user->redis: requests and answers vanish, 10% of connections'],
  [cut('user->redis'), 'user->redis: cut'],
  [blackHole('user->redis'), 'user->redis: nothing passes'],
  [blackHole('user->redis', { direction: 'downstream' }), 'user->redis: nothing passes, on answers'],
  [reset('user->redis', { toxicity: '5%' }), 'user->redis: reset, 5% of connections'],
  [throttle('user->redis', { kilobytesPerSecond: 20 }), 'user->redis: throttled to 20 KB/s'],
  [slice('user->redis', { bytes: 20, variation: 5, pause: '2ms' }), 'user->redis: cut into pieces of 20 ± 5 bytes, 2ms apart'],
  [slice('user->redis', { bytes: 20 }), 'user->redis: cut into pieces of 20 bytes'],
  [closeAfter('user->redis', { bytes: 500 }), 'user->redis: closed after 500 bytes'],
  [closeAfter('user->redis', { bytes: 500, direction: 'upstream' }), 'user->redis: closed after 500 bytes, on requests'],
  [slowClose('user->redis', { by: '2s' }), 'user->redis: closes 2s late'],
  [kill('payment', { replica: 1 }), 'payment, replica 1 only: killed'],
  [pause('payment'), 'payment: stands still'],
  [restart('payment'), 'payment: restarted'],
])('%j says what it does', (fault, sentence) => {
  expect(sentenceOf(fault)).toBe(sentence);
});

test('a fault knows whom it speaks of and whom it takes away', () => {
  expect([subjectOf(cut('user->redis')), calleeOf(cut('user->redis'))]).toEqual(['user->redis', 'redis']);
  expect([subjectOf(kill('payment')), calleeOf(kill('payment'))]).toEqual(['payment', 'payment']);
});

test('every fault says whether open connections feel it or are closed', () => {
  const kindsThat = (fate: string) => Object.entries(openConnections).flatMap(([kind, is]) => (is === fate ? [kind] : []));
  expect(kindsThat('closed').sort()).toEqual(['cut', 'kill', 'reset', 'restart']);
  expect(kindsThat('feel it').sort()).toEqual(['blackHole', 'closeAfter', 'pause', 'silent', 'slice', 'slow', 'slowClose', 'throttle']);
});
