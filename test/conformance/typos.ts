/** What must not compile: `tsc` complains about every line here that has become right. */
import { breaker, latency, phase, ramp, scenario, slow, steady } from '../../harness/index.ts';

// @ts-expect-error no such edge
breaker('user->payment');
// @ts-expect-error unit missing
latency('checkout').p99.below('250');
// @ts-expect-error no such route
latency('chekout');
// @ts-expect-error not a rate
steady('50');
// @ts-expect-error unknown option
slow('orders->payment', { by: '1s', jiter: '2ms' });
// @ts-expect-error expect missing
phase('x', { lasts: '1s', load: ramp('1/s', '2/s') });
// @ts-expect-error no such service
scenario('x', { story: 'x', mall: { replicas: { shop: 2 } }, shoppers: { browse: 1, view: 1, checkout: 1 }, timeline: [] });
