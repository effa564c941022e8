import {
  abortWhen,
  blackHole,
  cut,
  errors,
  kill,
  orders,
  pause,
  phase,
  reset,
  restart,
  scenario,
  slow,
  steady,
  stock,
} from '../../../harness/index.ts';

const load = steady('30/s');

/** Faults of the network and of processes, each for a moment. The first one kills. */
export default scenario('breaks things', {
  story: 'One thing after another breaks, and comes back.',
  mall: { replicas: { payment: 2 }, stock: { 'sku-1': 30 } },
  shoppers: { browse: 1, view: 1, checkout: 2 },
  timeline: [
    phase('calm', { lasts: '1s', load, expect: [errors('browse').below('50%')] }),
    phase('trouble', {
      lasts: '5s',
      load,
      // Where two of them would meet one comes after the other, so that each is felt, on a slow machine too.
      faults: [
        kill('payment', { replica: 1, lasts: '2s' }),
        slow('orders->inventory', { by: '400ms', lasts: '2s' }),
        cut('user->redis', { lasts: '1s', every: '2s' }),
        reset('orders->mysql', { from: '1s', lasts: '1s' }),
        restart('orders', { from: '2500ms' }),
        pause('inventory', { replica: 1, from: '2500ms', lasts: '2s' }),
        blackHole('orders->payment', { replica: 2, from: '3s' }),
      ],
      expect: [errors('browse').below('90%')],
    }),
    phase('after', { lasts: '1s', load, expect: [errors('browse').below('50%')] }),
  ],
  always: [stock.neverOversold(), orders.neverLost(), orders.chargedOnce(), orders.settled()],
  stopConditions: [abortWhen('browse', { errorsAbove: '99%', for: '10s' })],
});
