import { expect, test } from 'vitest';
import {
  blackHole,
  closeAfter,
  cut,
  type Fault,
  kill,
  pause,
  reset,
  restart,
  silent,
  slice,
  slow,
  slowClose,
  throttle,
} from '../../../chaos/faults.ts';
import { UsageError } from '../../../core/errors.ts';
import { checkFault } from '../../../harness/check-fault.ts';
import { defaultReplicas } from '../../../system/topology.ts';

const edge = 'orders->inventory';
const check = (fault: Fault) => checkFault(fault, { lastsMs: 10_000, replicas: defaultReplicas });

test.each<Fault>([
  slow(edge, { by: '1s', jitter: '1s', replica: 2, direction: 'both', toxicity: '0.1%' }),
  cut(edge, { from: '9s', lasts: '1s' }),
  silent(edge, { closesAfter: '1ms' }),
  blackHole(edge),
  reset(edge, { lasts: '1s', every: '2s' }),
  throttle(edge, { kilobytesPerSecond: 0.5 }),
  slice(edge, { bytes: 10, variation: 9, pause: '0.1ms' }),
  closeAfter(edge, { bytes: 1 }),
  slowClose(edge, { by: '1ms' }),
  kill('gateway', { replica: 2, lasts: '1s' }),
  pause('payment'),
  restart('orders', { every: '4s' }),
])('%j is a fault', (fault) => {
  check(fault);
});

test.each<[Fault, string]>([
  [slow('user->payment' as 'orders->payment', { by: '1s' }), 'Expected an edge the mall has'],
  [kill('shop' as 'user'), "Expected a service (gateway, user, product, inventory, orders, payment), got 'shop'"],
  [cut(edge, { replica: 3 }), 'There is no replica 3 of inventory; it has 2, numbered from 1'],
  [kill('payment', { replica: 0 }), 'There is no replica 0 of payment'],
  [cut('orders->mysql', { replica: 1 }), "'orders->mysql' has no replicas, so a fault cannot pick replica 1"],
  [slow(edge, { by: '0s' }), "Expected 'by' to be above 0, got '0s'"],
  [slow(edge, { by: '5' as '5s' }), "'by': Expected a duration such as '250ms', '30s' or '2m', got '5'"],
  [slow(edge, {} as { by: '1s' }), "'by': Expected a duration such as '250ms', '30s' or '2m', got nothing"],
  [slow(edge, { by: '1s', jitter: 'x' as '1s' }), "'jitter': Expected a duration such as '250ms', '30s' or '2m', got 'x'"],
  [slowClose(edge, { by: '0ms' }), "Expected 'by' to be above 0, got '0ms'"],
  [slowClose(edge, { by: '-1s' }), "'by': Expected a duration such as '250ms', '30s' or '2m', got '-1s'"],
  [silent(edge, { closesAfter: 'soon' as '1s' }), "'closesAfter': Expected a duration such as"],
  [silent(edge, { closesAfter: '0s' }), "Expected 'closesAfter' to be above 0, got '0s'"],
  [throttle(edge, { kilobytesPerSecond: 0 }), 'Expected a throttle of a number of KB/s above 0, got 0'],
  [throttle(edge, { kilobytesPerSecond: Number.NaN }), 'Expected a throttle of a number of KB/s above 0, got NaN'],
  [throttle(edge, { kilobytesPerSecond: Number.POSITIVE_INFINITY }), 'Expected a throttle of a number of KB/s above 0, got Infinity'],
  [closeAfter(edge, { bytes: 0 }), "Expected 'bytes' to be a whole number from 1, got 0"],
  [closeAfter(edge, { bytes: 1e300 }), "Expected 'bytes' to be a whole number from 1, got 1e+300"],
  [slice(edge, { bytes: 5, pause: '1' as '1s' }), "'pause': Expected a duration such as"],
  [slice(edge, { bytes: 1.5 }), "Expected 'bytes' to be a whole number from 1, got 1.5"],
  [slice(edge, { bytes: 10, variation: 10 }), 'Expected a variation below 10 bytes, got 10'],
  [slice(edge, { bytes: 10, variation: -1 }), "Expected 'variation' to be a whole number from 0, got -1"],
  [reset(edge, { direction: 'sideways' as 'both' }), "Expected a direction out of upstream, downstream and both, got 'sideways'"],
  [reset(edge, { toxicity: '0%' }), "'orders->inventory: reset, 0% of connections' concerns no connection at all"],
  [reset(edge, { toxicity: '130%' }), "'toxicity': Expected a percentage from '0%' to '100%', got '130%'"],
  [cut(edge, { from: '10s' }), "The fault 'orders->inventory: cut' begins at 10000 ms, when the phase's 10 s are over"],
  [restart('orders', { from: '12s' }), "The fault 'orders: restarted' begins at 12000 ms, when the phase's 10 s are over"],
  [kill('orders', { from: 'later' as '1s' }), "'from': Expected a duration such as"],
  [pause('orders', { lasts: '1' as '1s' }), "'lasts': Expected a duration such as"],
  [cut(edge, { lasts: '1s', every: 'often' as '1s' }), "'every': Expected a duration such as"],
  [cut(edge, { from: '5s', lasts: '6s' }), "ends at 11000 ms, outside the phase's 10 s"],
  [cut(edge, { lasts: '0s' }), "Expected 'lasts' to be above 0, got '0s'"],
  [cut(edge, { every: '2s' }), 'to last for less than the 2s after which it comes again, got no lasts'],
  [cut(edge, { lasts: '2s', every: '2s' }), 'to last for less than the 2s after which it comes again, got 2s'],
  [cut(edge, { lasts: '1ms', every: '2ms' }), "'orders->inventory: cut' would come more than 1000 times"],
  [restart('orders', { every: '9.9ms' }), "'orders: restarted' would come more than 1000 times"],
  // So many that to list them would take the machine's memory.
  [restart('orders', { every: '0.000001ms' }), "'orders: restarted' would come more than 1000 times"],
  [cut(edge, { from: '9.999s', every: '1m' }), 'to last for less than the 1m after which it comes again, got no lasts'],
  [restart('orders', { every: '0s' }), "Expected 'every' to be above 0, got '0s'"],
  [cut(edge, { last: '3s' } as never), "Expected cut to have 'replica', 'from', 'every' and 'lasts' only, got 'last'"],
  [cut(edge, { toxicity: '5%' } as never), "got 'toxicity'"],
  [restart('orders', { lasts: '3s' } as never), "Expected restart to have 'replica', 'from' and 'every' only, got 'lasts'"],
  [slow(edge, { by: '1s', bytes: 5 } as never), "got 'bytes'"],
  [null as never, 'Expected a fault such as slow(…) or kill(…), got null'],
  [{ ...cut(edge), kind: 'burn' as 'cut' } as Fault, "Expected a fault such as slow(…) or kill(…), got 'burn'"],
])('refuses %j with one sentence', (fault, sentence) => {
  const thrown = thrownBy(() => check(fault));
  // It is for the user to mend.
  expect(thrown).toBeInstanceOf(UsageError);
  expect((thrown as UsageError).message).toContain(sentence);
  expect((thrown as UsageError).message).not.toContain('\n');
});

test('a fault that comes as often as a record can hold is one', () => {
  check(cut(edge, { lasts: '1ms', every: '10ms' }));
  check(restart('orders', { every: '10ms' }));
});

function thrownBy(work: () => void): unknown {
  try {
    work();
  } catch (thrown) {
    return thrown;
  }
  throw new Error('Expected it to be refused, and it was not');
}
